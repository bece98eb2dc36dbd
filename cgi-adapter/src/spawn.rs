//! Starting a program (RFC 3875, section 7.2): with its own folder as the current one, in a process group of its own.

mod launch;
mod process;
mod stage;
mod stderr;
mod supervisor;

use std::{
    ffi::CString,
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
    sync::Arc,
    time::Duration,
};

use rustix::io::Errno;
use tokio::net::unix::pipe;

pub(crate) use process::Process;
pub(crate) use stage::reserve;
pub use supervisor::end_programs;

use crate::{
    capacity::Place,
    error::{Cause, Refusal},
    limits::Rlimit,
    log::RunLog,
    resolve::Target,
    spawn::{launch::Plan, process::Child, stage::Stage, stderr::Stderr, supervisor::Group},
    stdin::Stdin,
    strings::Strings,
};

/// How long to wait before a file is tried again that somebody was still writing to.
const BUSY: Duration = Duration::from_millis(50);

/// What is to be started.
pub(crate) struct Order<'a> {
    pub(crate) target: &'a Target,
    /// The words of an indexed query.
    pub(crate) words: Vec<Vec<u8>>,
    pub(crate) variables: Strings,
    pub(crate) limits: Vec<Rlimit>,
    pub(crate) stdin: Stdin,
}

/// How long a program may go on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// After its answer.
    pub(crate) afterwards: Duration,
    /// In all.
    pub(crate) total: Option<Duration>,
}

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

/// Starts a program, which keeps its `places` for as long as it runs.
pub(crate) async fn spawn(
    order: Order<'_>,
    patience: Patience,
    places: Vec<Place>,
    log: &Arc<RunLog>,
) -> Result<Spawned, SpawnError> {
    let started = match start(&order, log) {
        Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => {
            tokio::time::sleep(BUSY).await;
            start(&order, log)
        }
        result => result,
    };
    let (child, stdout) = started.map_err(classified)?;
    // From here on, letting go of `process` is what stops the program.
    let mut process = Process::new(child, patience, places);
    let stdout = pipe::Receiver::from_owned_fd_unchecked(stdout).map_err(classified)?;
    process.feed(order.stdin.into_pump().map_err(classified)?);
    Ok(Spawned { stdout, process })
}

/// The process, and the reading end of its standard output.
fn start(order: &Order<'_>, log: &Arc<RunLog>) -> io::Result<(Child, OwnedFd)> {
    let (stdout, child_stdout) = io::pipe()?;
    let (stderr, child_stderr) = io::pipe()?;
    rustix::io::ioctl_fionbio(&stdout, true)?;
    rustix::io::ioctl_fionbio(stderr.as_fd(), true)?;
    let target = order.target;
    let (program, folder) = (executable(target), target.program.parent().unwrap_or(&target.program));
    let (program, folder) = (c_string(program)?, c_string(folder)?);
    let arguments = arguments(order);
    let stage = Stage::set(order.stdin.descriptor(), child_stdout.into(), child_stderr.into())?;
    let pid = launch::launch(&Plan {
        program: &program,
        folder: &folder,
        arguments: &arguments,
        variables: &order.variables,
        limits: &order.limits,
        descriptors: stage.numbers(),
    })?;
    let stderr = Stderr::new(stderr.into(), log.clone());
    Ok((Child { group: Group::new(pid), stderr }, stdout.into()))
}

fn executable(target: &Target) -> &Path {
    target.interpreter.as_ref().unwrap_or(&target.program)
}

fn arguments(order: &Order<'_>) -> Strings {
    let mut arguments = Strings::default();
    arguments.push(&[executable(order.target).as_os_str().as_bytes()]);
    if order.target.interpreter.is_some() {
        arguments.push(&[order.target.program.as_os_str().as_bytes()]);
    }
    order.words.iter().for_each(|word| arguments.push(&[word]));
    arguments
}

fn c_string(path: &Path) -> io::Result<CString> {
    Ok(CString::new(path.as_os_str().as_bytes())?)
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
