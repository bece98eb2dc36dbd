//! A running program, as the exchange has it.
//!
//! Most programs end within milliseconds: they are waited for, at the end of their output, by whoever reads that. Only
//! one that goes on gets a [supervisor](super::supervisor), which drains its standard error and watches its end however
//! long nobody polls its output.

use std::{
    os::unix::process::ExitStatusExt,
    pin::Pin,
    process::ExitStatus,
    task::{Context, Poll, ready},
};

use gateway_spec::Result;
use rustix::process::Signal;
use tokio::{runtime::Handle, sync::oneshot};

use super::{
    Patience,
    stderr::Stderr,
    supervisor::{Group, supervise},
};
use crate::{capacity::Place, stdin::Pump};

/// A process and all that belongs to it.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) group: Group,
    pub(super) stderr: Stderr,
}

/// How a program ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    pub(crate) status: ExitStatus,
    /// Whether it was stopped since its time was over.
    pub(crate) overtime: bool,
}

/// What the exchange tells a supervisor in the end. A supervisor that is told nothing stops the program.
#[derive(Debug)]
pub(super) enum Ending {
    /// The answer is complete: the program may go on by itself for a while, and those that it started for ever.
    Finished,
    /// The program is to stop. What it was still given to read must not look complete before it has.
    Stopped(#[expect(dead_code, reason = "it keeps a pipe open")] Option<Pump>),
}

/// A running program. Dropping it stops the program, unless it was [finished](Self::finish).
#[derive(Debug)]
pub(crate) struct Process {
    state: State,
    end: Option<End>,
    pump: Option<Pump>,
    finished: bool,
    patience: Patience,
    /// Kept until it is gone.
    places: Vec<Place>,
    runtime: Handle,
}

#[derive(Debug)]
enum State {
    /// Nobody else watches it.
    Alone(Child),
    Supervised {
        end: oneshot::Receiver<End>,
        /// Gone when it was used.
        ending: Option<oneshot::Sender<Ending>>,
    },
    Gone,
}

impl Process {
    pub(super) fn new(child: Child, patience: Patience, places: Vec<Place>) -> Self {
        let state = State::Alone(child);
        Process { state, end: None, pump: None, finished: false, patience, places, runtime: Handle::current() }
    }

    /// Has the program given its input as it arrives.
    pub(super) fn feed(&mut self, pump: Option<Pump>) {
        self.pump = pump;
    }

    /// Moves what of its input has arrived.
    pub(crate) fn poll_pump(&mut self, cx: &mut Context<'_>) -> Result<()> {
        if let Some(pump) = &mut self.pump
            && let Poll::Ready(()) = pump.poll(cx)?
        {
            self.pump = None;
        }
        Ok(())
    }

    /// Whether it still lacks a supervisor.
    pub(crate) fn is_alone(&self) -> bool {
        matches!(self.state, State::Alone(_))
    }

    /// How it ended, if that is known.
    pub(crate) fn end(&self) -> Option<End> {
        self.end
    }

    /// How it ended, as soon as its supervisor knows.
    pub(crate) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        if let (None, State::Supervised { end, .. }) = (self.end, &mut self.state) {
            // Without its supervisor, a process has been killed.
            self.end = Some(ready!(Pin::new(end).poll(cx)).unwrap_or_else(|_| killed()));
        }
        self.end.map_or(Poll::Pending, Poll::Ready)
    }

    /// Looks whether one without a supervisor has ended, and gives it one if not: at the end of its output few go on.
    pub(crate) fn look(&mut self) {
        let State::Alone(child) = &mut self.state else { return };
        match child.group.try_reap() {
            Some(status) => {
                child.stderr.drain_ready();
                self.end = Some(End { status, overtime: false });
                self.state = State::Gone;
            }
            None => self.supervise(),
        }
    }

    /// Gives it a supervisor, if it has none.
    pub(crate) fn supervise(&mut self) {
        let child = match std::mem::replace(&mut self.state, State::Gone) {
            State::Alone(child) => child,
            state => return self.state = state,
        };
        // Its output may be dropped outside of the runtime.
        let _inside = self.runtime.enter();
        match supervise(child, self.patience, std::mem::take(&mut self.places)) {
            Ok((end, ending)) => self.state = State::Supervised { end, ending: Some(ending) },
            // The system has no room for it, and it was killed.
            Err(_) => self.end = Some(killed()),
        }
    }

    /// The answer is complete.
    pub(crate) fn finish(&mut self) {
        self.finished = true;
        self.pump = None;
        self.tell(Ending::Finished);
    }

    fn tell(&mut self, what: Ending) {
        if let State::Supervised { ending, .. } = &mut self.state
            && let Some(ending) = ending.take()
        {
            // Without its supervisor there is nobody to tell.
            let _ = ending.send(what);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.supervise();
        let pump = self.pump.take();
        self.tell(if self.finished { Ending::Finished } else { Ending::Stopped(pump) });
    }
}

fn killed() -> End {
    End { status: ExitStatus::from_raw(Signal::KILL.as_raw()), overtime: false }
}
