//! One worker, as the supervisor sees it.

use std::{
    ffi::OsString,
    fs::File,
    io::{self, Write as _},
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    sync::Arc,
    time::{Duration, Instant},
};

use reference_server::Balance;
use rustix::{
    fs::{MemfdFlags, memfd_create},
    process::{Pid, Signal, kill_process},
};

use super::{
    super::{
        control::{Control, Message},
        liveness::{Health, Liveness},
        roster::Duty,
        worker::WORKER,
    },
    child,
    plan::Plan,
};

/// How much longer than its applications' time a worker has to end.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// How long it may take to abort.
const ABORT: Duration = Duration::from_secs(1);

/// A worker process.
#[derive(Debug)]
pub(super) struct Worker {
    /// Which seat it sits in.
    pub(super) seat: u16,
    pub(super) pid: Pid,
    /// None once it has closed its end.
    pub(super) control: Option<Control>,
    /// A file in memory that the worker writes what it does to.
    pub(super) scoreboard: Arc<File>,
    pub(super) liveness: Liveness,
    /// Its place among those who share connections: while it is replaced there are two in its seat.
    pub(super) balance: Balance,
    pub(super) place: usize,
    /// The [`Plan`] that it was started with.
    pub(super) plan: u64,
    /// Whether it was told that there are others beside it.
    pub(super) multiprocess: bool,
    pub(super) state: State,
    pub(super) started: Instant,
    /// What it said of its failure before it ended.
    pub(super) failed: Option<(u8, String)>,
    /// Why it is to be replaced.
    pub(super) retire: Option<String>,
    /// It had its time to end, and was told so in a way that leaves stacks in the log.
    pub(super) aborted: bool,
}

/// How far a worker is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Starting,
    Ready {
        since: Instant,
    },
    /// It was told to end, and is killed if it has not by then.
    Draining {
        until: Instant,
    },
    Killed,
}

impl Worker {
    /// Starts a worker.
    ///
    /// # Errors
    /// What the system reports.
    pub(super) fn start(
        seat: u16,
        plan: &mut Plan,
        args: &[OsString],
        multiprocess: bool,
        (board, place): (&File, usize),
    ) -> io::Result<Self> {
        let scoreboard = memory("gateway-scoreboard", &[])?;
        let begin = format!("{place} {multiprocess}");
        let (pid, control) = process(plan, args, begin, &[scoreboard.as_fd(), board.as_fd()])?;
        tracing::debug!("worker {seat} is process {pid}");
        Ok(Worker {
            seat,
            pid,
            control: Some(control),
            scoreboard: Arc::new(scoreboard.into()),
            liveness: Liveness::default(),
            balance: Balance::new(board.try_clone()?, place),
            place,
            plan: plan.id,
            multiprocess,
            state: State::Starting,
            started: Instant::now(),
            failed: None,
            retire: None,
            aborted: false,
        })
    }

    /// Whether it serves. One that is stopped does not.
    pub(super) fn is_ready(&self) -> bool {
        matches!(self.state, State::Ready { .. }) && self.liveness.health() != Health::Stopped
    }

    /// Whether it serves, and is not hung.
    pub(super) fn is_sound(&self) -> bool {
        self.is_ready() && !matches!(self.liveness.health(), Health::Hung(_))
    }

    pub(super) fn duty(&self) -> Duty {
        match (self.liveness.health(), self.state) {
            (Health::Hung(_), _) => Duty::Hung,
            (Health::Stopped, _) => Duty::Stopped,
            (_, State::Starting) => Duty::Starting,
            (_, State::Ready { .. }) => Duty::Ready,
            (_, State::Draining { .. } | State::Killed) => Duty::Draining,
        }
    }

    /// Whether it sits in its seat, or is about to.
    pub(super) fn is_seated(&self) -> bool {
        self.is_starting() || self.is_ready()
    }

    pub(super) fn is_starting(&self) -> bool {
        self.state == State::Starting && self.liveness.health() != Health::Stopped
    }

    /// When it will be killed.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Draining { until } => Some(until),
            _ => None,
        }
    }

    pub(super) fn tell(&self, message: &Message) {
        if let Some(control) = &self.control {
            control.send(message);
        }
    }

    /// Lets it finish what it does, for so long. One that is starting may serve already, and not have been heard; if it
    /// does not, it ends at once.
    pub(super) fn drain(&mut self, graceful: Duration) {
        match self.state {
            State::Starting | State::Ready { .. } => {
                self.tell(&Message::Drain);
                self.let_finish(graceful);
            }
            State::Draining { .. } | State::Killed => {}
        }
    }

    /// Gives it its time from now on.
    pub(super) fn let_finish(&mut self, graceful: Duration) {
        self.state = State::Draining { until: Instant::now() + graceful + LAST_WORDS };
    }

    /// Its time is over: it is aborted, which leaves the stacks of its Python threads in the log unless they stand there
    /// already, and then killed.
    pub(super) fn end_by_force(&mut self) {
        if self.aborted || self.is_hung() {
            return self.kill();
        }
        self.aborted = true;
        self.state = State::Draining { until: Instant::now() + ABORT };
        let _ = kill_process(self.pid, Signal::ABORT);
    }

    /// Ends it fast: programs that it has started are still ended.
    pub(super) fn quit(&mut self) {
        if self.state != State::Killed {
            self.tell(&Message::Quit);
            self.state = State::Draining { until: Instant::now() + LAST_WORDS };
        }
    }

    fn kill(&mut self) {
        self.state = State::Killed;
        // It may just have ended by itself.
        let _ = kill_process(self.pid, Signal::KILL);
    }
}

/// Starts the process: forked where there is a zygote, and otherwise from the program. It is given `files` and the
/// sockets.
fn process(plan: &mut Plan, args: &[OsString], begin: String, files: &[BorrowedFd<'_>]) -> io::Result<(Pid, Control)> {
    let config = memory("gateway-config", plan.settings.file.as_deref().unwrap_or_default().as_bytes())?;
    let Plan { sockets, zygote, .. } = plan;
    let mut descriptors = vec![config.as_fd()];
    descriptors.extend(files);
    descriptors.extend(sockets.iter().map(|socket| socket.listener.as_fd()));
    match zygote {
        // It knows the configuration already.
        Some(zygote) => zygote.fork(begin, &descriptors[1..]),
        None => {
            let mut command = child::command(child::SELF, args.first().map(OsString::as_os_str));
            command.arg(WORKER).args(args.iter().skip(1));
            child::start(&mut command, begin, &descriptors)
        }
    }
}

/// A file in memory.
pub(super) fn memory(name: &str, content: &[u8]) -> io::Result<OwnedFd> {
    let mut file = File::from(memfd_create(name, MemfdFlags::CLOEXEC)?);
    file.write_all(content)?;
    Ok(file.into())
}
