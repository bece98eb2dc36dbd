//! The life of a program that takes its time: watched, stopped as a group, and always reaped.

use std::{
    io,
    os::{fd::OwnedFd, unix::process::ExitStatusExt},
    process::ExitStatus,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, WaitIdStatus, kill_process_group, pidfd_open,
    test_kill_process_group, waitid,
};
use tokio::{
    io::{Interest, unix::AsyncFd},
    sync::oneshot,
    time::{Instant, sleep, sleep_until, timeout},
};

use super::{
    Patience,
    process::{Child, End, Ending},
    stderr::Watched,
};
use crate::capacity::Place;

/// Between TERM and KILL.
const GRACE: Duration = Duration::from_secs(2);

/// How often to look whether a group is gone, which the kernel does not report.
const LOOK: Duration = Duration::from_millis(20);

/// Starts the task that looks after `child`: it tells the program's end, and is told the exchange's.
///
/// # Errors
/// If the runtime cannot watch it; then it is killed.
pub(super) fn supervise(
    child: Child,
    patience: Patience,
    places: Vec<Place>,
) -> io::Result<(oneshot::Receiver<End>, oneshot::Sender<Ending>)> {
    let (tell, end) = oneshot::channel();
    let (ending, told) = oneshot::channel();
    let mut supervisor = Supervisor {
        deadline: patience.total.map(|total| child.group.begun + total),
        afterwards: patience.afterwards,
        tell: Some(tell),
        // It is not reaped, so that its number is its own.
        leader: Leader { pidfd: watch(pidfd_open(child.group.id, PidfdFlags::empty())?)?, group: child.group },
    };
    let stderr = child.stderr.watch()?;
    tokio::spawn(async move {
        attend(&mut supervisor, stderr, told).await;
        drop(places);
    });
    Ok((end, ending))
}

/// Registers a pidfd, which becomes readable when its process ends.
#[expect(unsafe_code, reason = "tokio leaves it to the caller that the descriptor stays open")]
fn watch(pidfd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: the descriptor is open, since `OwnedFd` owns it. It moves into the `AsyncFd`, which nobody takes it out
    // of, so that it stays open and the same until both are dropped together; `as_raw_fd` of `OwnedFd` never changes.
    Ok(unsafe { AsyncFd::register_with_interest(pidfd, Interest::READABLE) }?)
}

async fn attend(supervisor: &mut Supervisor, mut stderr: Watched, told: oneshot::Receiver<Ending>) {
    tokio::select! {
        // First, so that a program's last words are logged before its end is known.
        biased;
        never = stderr.drain() => match never {},
        () = supervisor.live(told) => {}
    }
    stderr.drain_ready();
}

struct Supervisor {
    leader: Leader,
    afterwards: Duration,
    deadline: Option<Instant>,
    tell: Option<oneshot::Sender<End>>,
}

impl Supervisor {
    async fn live(&mut self, mut told: oneshot::Receiver<Ending>) {
        let ending = tokio::select! {
            ending = &mut told => ending,
            status = self.leader.exited() => {
                self.tell(status, false);
                // It is not reaped before the exchange is over, so that its number still means its group.
                told.await
            }
            () = overtime(self.deadline) => {
                // Told before: the end of its output must not look like the end of an answer.
                self.tell(ExitStatus::from_raw(Signal::TERM.as_raw()), true);
                self.leader.stop().await;
                return self.leader.group.reap();
            }
        };
        match &ending {
            Ok(Ending::Finished) => match timeout(self.afterwards, self.leader.exited()).await {
                Ok(status) => self.tell(status, false),
                Err(_) => self.leader.stop().await,
            },
            // With it goes what the program was given to read.
            Ok(Ending::Stopped(_)) | Err(_) => self.leader.stop().await,
        }
        self.leader.group.reap();
    }

    fn tell(&mut self, status: ExitStatus, overtime: bool) {
        if let Some(tell) = self.tell.take() {
            // Nobody may want to know.
            let _ = tell.send(End { status, overtime });
        }
    }
}

async fn overtime(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// The process that was started, and its descendants but those that left its group.
#[derive(Debug)]
pub(super) struct Group {
    id: Pid,
    begun: Instant,
    /// How the leader ended, once it is reaped.
    reaped: Option<ExitStatus>,
}

impl Group {
    pub(super) fn new(id: Pid) -> Self {
        running().push(id);
        Group { id, begun: Instant::now(), reaped: None }
    }

    fn signal(&self, signal: Signal) {
        // That nobody is left to get it is what it is for.
        let _ = kill_process_group(self.id, signal);
    }

    /// Reaps the leader if it has ended.
    pub(super) fn try_reap(&mut self) -> Option<ExitStatus> {
        self.wait(WaitIdOptions::EXITED | WaitIdOptions::NOHANG)
    }

    /// Waits for the leader, which has exited or was killed: it does not take long.
    fn reap(&mut self) {
        self.wait(WaitIdOptions::EXITED);
    }

    fn wait(&mut self, options: WaitIdOptions) -> Option<ExitStatus> {
        if self.reaped.is_none() {
            // Once it is reaped, its number may be another's: it must not be in the list then.
            let mut running = running();
            self.reaped = match waitid(WaitId::Pid(self.id), options) {
                Ok(status) => status.map(exit_status),
                // The server ignores SIGCHLD, so that nobody can know more.
                Err(_) => Some(ExitStatus::from_raw(0)),
            };
            if self.reaped.is_some() {
                running.retain(|id| *id != self.id);
            }
        }
        self.reaped
    }
}

/// The groups whose leaders are not reaped, so that their numbers are their own.
fn running() -> MutexGuard<'static, Vec<Pid>> {
    static RUNNING: Mutex<Vec<Pid>> = Mutex::new(Vec::new());
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends every program that still runs, as a group: TERM, and KILL after two seconds. For a server to call when it ends:
/// the tasks that look after programs end with its event loop.
pub fn end_programs() {
    let groups = running();
    let signal_all = |signal| {
        for id in groups.iter() {
            // That nobody is left to get it is what it is for.
            let _ = kill_process_group(*id, signal);
        }
    };
    let is_running = |id: &Pid| {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        matches!(waitid(WaitId::Pid(*id), options), Ok(None))
    };
    signal_all(Signal::TERM);
    let begun = std::time::Instant::now();
    while groups.iter().any(is_running) && begun.elapsed() < GRACE {
        std::thread::sleep(LOOK);
    }
    signal_all(Signal::KILL);
}

impl Drop for Group {
    /// The runtime was shut down, or the child could not be attached to it.
    fn drop(&mut self) {
        if self.reaped.is_none() {
            self.signal(Signal::KILL);
            self.reap();
        }
    }
}

/// The process that was started, with what becomes readable at its end.
#[derive(Debug)]
struct Leader {
    pidfd: AsyncFd<OwnedFd>,
    group: Group,
}

impl Leader {
    /// Waits for its end, without reaping it.
    async fn exited(&self) -> ExitStatus {
        loop {
            if let Some(status) = self.group.reaped {
                return status;
            }
            let readable = self.pidfd.readable().await;
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
            match waitid(WaitId::Pid(self.group.id), options) {
                Ok(Some(status)) => return exit_status(status),
                Ok(None) => readable.map_or((), |mut guard| guard.clear_ready()),
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
        self.group.reap();
        while test_kill_process_group(self.group.id).is_ok() {
            sleep(LOOK).await;
        }
    }
}

fn exit_status(status: WaitIdStatus) -> ExitStatus {
    match status.terminating_signal() {
        Some(signal) => ExitStatus::from_raw(signal),
        None => ExitStatus::from_raw(status.exit_status().unwrap_or_default() << 8),
    }
}
