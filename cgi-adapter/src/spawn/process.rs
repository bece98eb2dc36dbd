//! The life of a program's process: watched, stopped as a group, and always reaped.
//!
//! Each process has a task that owns it, so that it is looked after however long nobody polls its output. The exchange
//! holds a [`Process`]; letting go of that stops the program.

use std::{
    io,
    os::{fd::OwnedFd, unix::process::ExitStatusExt},
    pin::Pin,
    process::{Child, ExitStatus},
    task::{Context, Poll},
    time::Duration,
};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, test_kill_process_group, waitid};
use tokio::{
    io::unix::AsyncFd,
    sync::oneshot,
    time::{sleep, timeout},
};

use super::stderr::Stderr;

/// Between TERM and KILL.
const GRACE: Duration = Duration::from_secs(2);

/// How often to look whether a group is gone, which the kernel does not report.
const LOOK: Duration = Duration::from_millis(20);

/// A running program, as the exchange has it. Dropping it stops the program, unless it was [finished](Self::finish).
#[derive(Debug)]
pub(crate) struct Process {
    exit: oneshot::Receiver<ExitStatus>,
    status: Option<ExitStatus>,
    finished: Option<oneshot::Sender<()>>,
}

impl Process {
    /// How it ended, as soon as it has.
    pub(crate) fn poll_exit(&mut self, cx: &mut Context<'_>) -> Poll<ExitStatus> {
        if self.status.is_none() {
            let Poll::Ready(received) = Pin::new(&mut self.exit).poll(cx) else { return Poll::Pending };
            // Without its task, a process has been killed.
            self.status = Some(received.unwrap_or_else(|_| ExitStatus::from_raw(Signal::KILL.as_raw())));
        }
        self.status.map_or(Poll::Pending, Poll::Ready)
    }

    /// The answer is complete: the program may go on by itself for a while, and those that it started for ever.
    pub(crate) fn finish(&mut self) {
        if let Some(finished) = self.finished.take() {
            // Without its task there is nothing to tell.
            let _ = finished.send(());
        }
    }
}

/// Starts the task that looks after `group`.
pub(super) fn supervise(leader: Leader, stderr: Stderr, patience: Duration) -> Process {
    let (exit, exited) = oneshot::channel();
    let (finish, finished) = oneshot::channel();
    tokio::spawn(attend(leader, stderr, exit, finished, patience));
    Process { exit: exited, status: None, finished: Some(finish) }
}

async fn attend(
    mut leader: Leader,
    mut stderr: Stderr,
    exit: oneshot::Sender<ExitStatus>,
    finished: oneshot::Receiver<()>,
    patience: Duration,
) {
    tokio::select! {
        // First, so that a program's last words are logged before its end is known.
        biased;
        never = stderr.drain() => match never {},
        () = live(&mut leader, exit, finished, patience) => {}
    }
    stderr.drain_ready();
}

async fn live(
    leader: &mut Leader,
    exit: oneshot::Sender<ExitStatus>,
    mut finished: oneshot::Receiver<()>,
    patience: Duration,
) {
    let mut exit = Some(exit);
    let mut tell = |status| {
        if let Some(exit) = exit.take() {
            // Nobody may want to know.
            let _ = exit.send(status);
        }
    };
    let ending = tokio::select! {
        ending = &mut finished => ending,
        status = leader.exited() => {
            tell(status);
            // It is not reaped before the exchange is over, so that its number still means its group.
            finished.await
        }
    };
    match ending {
        Ok(()) => match timeout(patience, leader.exited()).await {
            Ok(status) => tell(status),
            Err(_) => leader.stop().await,
        },
        Err(_) => leader.stop().await,
    }
    leader.group.reap();
}

/// The process that was spawned, and its descendants but those that left its group.
#[derive(Debug)]
pub(super) struct Group {
    child: Child,
    id: Pid,
    /// Whether what is left of the group may stay.
    released: bool,
}

impl Group {
    pub(super) fn new(child: Child) -> Self {
        Group { id: Pid::from_child(&child), child, released: false }
    }

    /// The number of the leader's process, and so of the group.
    pub(super) fn id(&self) -> Pid {
        self.id
    }

    fn signal(&self, signal: Signal) {
        // That nobody is left to get it is what it is for.
        let _ = kill_process_group(self.id, signal);
    }

    /// Waits for the leader, which has exited or was killed: it does not take long.
    fn reap(&mut self) {
        let _ = self.child.wait();
        self.released = true;
    }
}

impl Drop for Group {
    /// The runtime was shut down, or the child could not be attached to it.
    fn drop(&mut self) {
        if !self.released {
            self.signal(Signal::KILL);
            self.reap();
        }
    }
}

/// The process that was spawned, with what becomes readable at its end.
#[derive(Debug)]
pub(super) struct Leader {
    pidfd: AsyncFd<OwnedFd>,
    group: Group,
}

impl Leader {
    pub(super) fn new(group: Group, pidfd: AsyncFd<OwnedFd>) -> Self {
        Leader { pidfd, group }
    }

    /// Waits for its end, without reaping it.
    async fn exited(&self) -> ExitStatus {
        loop {
            let readable = self.pidfd.readable().await;
            match peek(self.group.id) {
                Ok(Some(status)) => return status,
                Ok(None) => readable.map_or((), |mut guard| guard.clear_ready()),
                // The server ignores SIGCHLD, so that nobody can know more.
                Err(_) => return ExitStatus::from_raw(0),
            }
        }
    }

    /// Stops all of the group: TERM, then KILL for who does not care.
    async fn stop(&mut self) {
        self.group.signal(Signal::TERM);
        let gone = timeout(GRACE, self.gone()).await.is_ok();
        if !gone {
            self.group.signal(Signal::KILL);
            self.exited().await;
        }
    }

    /// Waits for the end of all of the group.
    async fn gone(&mut self) {
        self.exited().await;
        // Unreaped, the leader would count as one of the group. Its number is not given out again while the group has
        // members, and after that not before all others had their turn.
        let _ = self.group.child.wait();
        while test_kill_process_group(self.group.id).is_ok() {
            sleep(LOOK).await;
        }
    }
}

/// How a process ended, if it has; it stays a zombie.
fn peek(id: Pid) -> io::Result<Option<ExitStatus>> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    let status = waitid(WaitId::Pid(id), options)?;
    Ok(status.map(|status| match status.terminating_signal() {
        Some(signal) => ExitStatus::from_raw(signal),
        None => ExitStatus::from_raw(status.exit_status().unwrap_or_default() << 8),
    }))
}
