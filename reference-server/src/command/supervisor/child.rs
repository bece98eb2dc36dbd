//! Starts processes of this program, each with a [`Control`] to talk over.

use std::{
    ffi::OsStr,
    io,
    os::{
        fd::{AsFd as _, BorrowedFd},
        unix::process::CommandExt as _,
    },
    process::{Command, Stdio},
};

use rustix::process::Pid;

use super::super::control::{Control, Message};

/// Variables that are about this process, and would mislead another.
const OURS: [&str; 6] =
    ["LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "WATCHDOG_PID", "NOTIFY_SOCKET", "WATCHDOG_USEC"];

/// The program of this process, even if another one has taken its place on the disk.
pub(super) const SELF: &str = "/proc/self/exe";

/// A command that starts `program` as a child of this process: `name` is what it sees as its own.
pub(super) fn command(program: impl AsRef<OsStr>, name: Option<&OsStr>) -> Command {
    let mut command = Command::new(program);
    if let Some(name) = name {
        command.arg0(name);
    }
    for variable in OURS {
        command.env_remove(variable);
    }
    command
}

/// Starts a process and sends it its first message. It gets this process's standard input, then `descriptors`.
pub(super) fn start(
    command: &mut Command,
    begin: String,
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<(Pid, Control)> {
    let (control, theirs) = Control::pair()?;
    let stdin = io::stdin();
    let descriptors = [&[stdin.as_fd()], descriptors].concat();
    control.send_with(&Message::Begin(begin), &descriptors)?;
    let child = command.stdin(Stdio::from(theirs)).spawn()?;
    Ok((Pid::from_child(&child), control))
}
