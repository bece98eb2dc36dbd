//! Starting a program (RFC 3875, section 7.2), so that the system's `posix_spawn` does it: an absolute path, no code
//! between fork and exec, and a process group of its own.

mod process;
mod stderr;

use std::{
    io,
    os::{fd::OwnedFd, unix::process::CommandExt},
    process::{Child, Command, Stdio},
    time::Duration,
};

use gateway_spec::ErrorLog;
use rustix::{
    io::Errno,
    process::{PidfdFlags, pidfd_open},
};
use tokio::{
    io::{Interest, unix::AsyncFd},
    net::unix::pipe,
};

pub(crate) use process::Process;

use crate::{
    environ::Block,
    error::{Cause, Refusal},
    resolve::Target,
    spawn::{
        process::{Group, Leader},
        stderr::Stderr,
    },
};

/// How long to wait before a file is tried again that somebody was still writing to.
const BUSY: Duration = Duration::from_millis(50);

/// A program that runs.
#[derive(Debug)]
pub(crate) struct Spawned {
    pub(crate) stdout: pipe::Receiver,
    pub(crate) process: Process,
}

/// Why a program does not run.
#[derive(Debug)]
pub(crate) enum SpawnError {
    /// The client is told.
    Refused(Refusal, io::Error),
    /// The operator is told.
    Failed(Cause),
}

/// Starts `target`, with its own folder as the current one. After its answer it may go on for as long as `patience`.
pub(crate) async fn spawn(
    target: &Target,
    block: Block,
    stdin: Stdio,
    log: &ErrorLog,
    patience: Duration,
) -> Result<Spawned, SpawnError> {
    let mut command = Command::new(&target.program);
    command.env_clear().envs(block).process_group(0);
    command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.current_dir(target.program.parent().unwrap_or(&target.program));
    let child = start(&mut command).await.map_err(classified)?;
    attend(child, Stderr::log(log.clone(), target.name()), patience).map_err(classified)
}

async fn start(command: &mut Command) -> io::Result<Child> {
    match command.spawn() {
        Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => {
            tokio::time::sleep(BUSY).await;
            command.spawn()
        }
        result => result,
    }
}

/// Attaches a child to the runtime. If that fails the child is killed.
fn attend(mut child: Child, log: stderr::Log, patience: Duration) -> io::Result<Spawned> {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let group = Group::new(child);
    let (Some(stdout), Some(stderr)) = (stdout, stderr) else { return Err(io::ErrorKind::BrokenPipe.into()) };
    let stdout = pipe::Receiver::from_owned_fd(stdout.into())?;
    let stderr = Stderr::new(pipe::Receiver::from_owned_fd(stderr.into())?, log);
    let pidfd = pidfd_open(group.id(), PidfdFlags::empty())?;
    let leader = Leader::new(group, watch(pidfd)?);
    Ok(Spawned { stdout, process: process::supervise(leader, stderr, patience) })
}

/// Registers a pidfd, which becomes readable when its process ends.
#[expect(unsafe_code, reason = "tokio leaves it to the caller that the descriptor stays open")]
fn watch(pidfd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: the descriptor is open, since `OwnedFd` owns it. It moves into the `AsyncFd`, which nobody takes it out
    // of, so that it stays open and the same until both are dropped together; `as_raw_fd` of `OwnedFd` never changes.
    Ok(unsafe { AsyncFd::register_with_interest(pidfd, Interest::READABLE) }?)
}

fn classified(error: io::Error) -> SpawnError {
    match Errno::from_io_error(&error) {
        Some(Errno::ACCESS | Errno::PERM) => SpawnError::Refused(Refusal::Forbidden, error),
        // Of all that a program is given, only the request's headers can be that large.
        Some(Errno::TOOBIG) => SpawnError::Refused(Refusal::HeadersTooLarge, error),
        Some(Errno::AGAIN | Errno::MFILE | Errno::NFILE | Errno::NOMEM) => SpawnError::Failed(Cause::Capacity(error)),
        _ => SpawnError::Failed(Cause::Spawn(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_exec_are_told_apart() {
        let kind = |errno: Errno| match classified(errno.into()) {
            SpawnError::Refused(Refusal::Forbidden, _) => 403,
            SpawnError::Refused(Refusal::HeadersTooLarge, _) => 431,
            SpawnError::Failed(Cause::Capacity(_)) => 503,
            SpawnError::Failed(Cause::Spawn(_)) => 500,
            other => panic!("{other:?}"),
        };
        assert_eq!([Errno::ACCESS, Errno::TOOBIG].map(kind), [403, 431]);
        assert_eq!([Errno::AGAIN, Errno::MFILE, Errno::NFILE, Errno::NOMEM].map(kind), [503; 4]);
        assert_eq!([Errno::NOENT, Errno::NOEXEC, Errno::TXTBSY].map(kind), [500; 3]);
    }
}
