//! Hung or slow: what a worker's scoreboard says, and how long it has been silent, made into a verdict.
//!
//! Slow code, busy or asleep, lets the event loop turn and hands the interpreter over; it is the business of
//! `--timeout`. Nor is a process hung that does not run at all, because somebody has stopped it, traces it, or has
//! suspended the machine: its own clock stands still with it, and so does the supervisor's.

use std::{fmt, fs, time::Duration};

use reference_server::scoreboard::Snapshot;

/// An event loop that has not come round for so long does not come round.
const LOOP_LIMIT: Duration = Duration::from_secs(10);
/// A worker tries once a second whether the interpreter can be had, and looks so old in between.
const PULSE: Duration = Duration::from_secs(1);
/// A worker publishes four times a second. After so long it is worth asking why it does not.
const SILENCE: Duration = Duration::from_secs(2);

/// How long things may stand still.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// The event loop. None where it may stand still for as long as a call takes.
    pub(super) event_loop: Option<Duration>,
    /// The interpreter, and the process as a whole.
    pub(super) interpreter: Option<Duration>,
    /// A process that is stopped.
    pub(super) stopped: Duration,
}

impl Patience {
    /// What the options say. `call_limit` is for how long calls may hold the event loop up: none if they run beside it.
    pub(super) fn new(worker_timeout: u32, threads: u16, timeout: u32) -> Self {
        let limit = Some(Duration::from_secs(worker_timeout.into())).filter(|limit| !limit.is_zero());
        let in_loop = limit.map(|limit| limit.min(LOOP_LIMIT));
        let event_loop = match (threads, timeout) {
            // Calls run inside the loop, which stands still for as long as one of them takes.
            (1, 0) => None,
            (1, timeout) => in_loop.map(|limit| limit + Duration::from_secs(timeout.into())),
            _ => in_loop,
        };
        Patience { event_loop, interpreter: limit.map(|limit| limit + PULSE), stopped: in_loop.unwrap_or(LOOP_LIMIT) }
    }
}

/// How a worker is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Health {
    /// It runs, or has not run for long enough to tell.
    #[default]
    Sound,
    /// It is stopped, and not for its own reasons.
    Stopped,
    /// As many calls as there are threads were given up and do not return. Others have their places, but there is no
    /// end to that.
    Exhausted,
    /// It will not come round by itself.
    Hung(Hang),
}

/// What a hung worker is stuck in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hang {
    /// The event loop.
    Loop,
    /// Somebody has the interpreter and keeps it.
    Interpreter,
    /// The whole process.
    Process,
}

/// Watches one worker.
#[derive(Debug, Default)]
pub(super) struct Liveness {
    sequence: u64,
    /// For how long nothing new was published, on the supervisor's clock; since it goes on, if it was stopped.
    silent: Duration,
    was_stopped: bool,
    health: Health,
}

impl Liveness {
    pub(super) fn health(&self) -> Health {
        self.health
    }

    /// Looks at a worker that serves when `passed` has gone by since the last time. Returns what is new, if anything is.
    pub(super) fn look(
        &mut self,
        snapshot: Option<&Snapshot>,
        state: ProcessState,
        passed: Duration,
        patience: &Patience,
    ) -> Option<Health> {
        // One that has been stopped, or has hung, before it could say anything has said nothing new.
        let nothing = Snapshot::default();
        let snapshot = snapshot.unwrap_or(&nothing);
        // One that goes on may not have had its turn yet: that it was silent before says nothing.
        let goes_on = std::mem::replace(&mut self.was_stopped, state == ProcessState::Stopped) && !self.was_stopped;
        let is_silent = snapshot.sequence == self.sequence && !goes_on;
        self.silent = if is_silent { self.silent + passed } else { Duration::ZERO };
        self.sequence = snapshot.sequence;
        let health = self.verdict(snapshot, state, patience);
        // Who is given up stays given up.
        if matches!(self.health, Health::Hung(_)) || health == self.health {
            return None;
        }
        self.health = health;
        Some(health)
    }

    /// Looks at a worker that still loads its applications, which may take as long as it does: it can only be stopped.
    pub(super) fn look_at_start(
        &mut self,
        state: ProcessState,
        passed: Duration,
        patience: &Patience,
    ) -> Option<Health> {
        self.silent = if state == ProcessState::Stopped { self.silent + passed } else { Duration::ZERO };
        let health = if self.silent > patience.stopped { Health::Stopped } else { Health::Sound };
        (std::mem::replace(&mut self.health, health) != health).then_some(health)
    }

    fn verdict(&self, snapshot: &Snapshot, state: ProcessState, patience: &Patience) -> Health {
        let over = |age: u64, limit: Option<Duration>| limit.is_some_and(|limit| Duration::from_millis(age) > limit);
        if state == ProcessState::Stopped {
            // Until then it may only have been looked at.
            return if self.silent > patience.stopped { Health::Stopped } else { self.unless_hung() };
        }
        if self.silent > SILENCE {
            let is_over = patience.interpreter.is_some_and(|limit| self.silent > limit);
            return if is_over { Health::Hung(Hang::Process) } else { self.unless_hung() };
        }
        if over(snapshot.loop_age, patience.event_loop) {
            return Health::Hung(Hang::Loop);
        }
        if over(snapshot.gil_age.unwrap_or_default(), patience.interpreter) {
            return Health::Hung(Hang::Interpreter);
        }
        if snapshot.stuck > 0 && snapshot.stuck >= snapshot.threads {
            return Health::Exhausted;
        }
        Health::Sound
    }

    /// What it was, while there is no more to be said.
    fn unless_hung(&self) -> Health {
        self.health
    }
}

/// Whether a process may run: the letter in `/proc/PID/stat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProcessState {
    Runs,
    /// By a signal (`T`) or by a debugger (`t`).
    Stopped,
}

impl ProcessState {
    pub(super) fn of(pid: u32) -> Self {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // The name before it may have any characters.
        match stat.rsplit_once(") ").is_some_and(|(_, fields)| fields.starts_with(['T', 't'])) {
            true => ProcessState::Stopped,
            false => ProcessState::Runs,
        }
    }
}

impl fmt::Display for Hang {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Hang::Loop => "its event loop stands still",
            Hang::Interpreter => "the interpreter is held by code that does not give it up",
            Hang::Process => "nothing in it runs",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn patience() -> Patience {
        Patience::new(30, 32, 300)
    }

    fn snapshot(sequence: u64) -> Snapshot {
        let mut snapshot = Snapshot::default();
        (snapshot.sequence, snapshot.threads, snapshot.gil_age) = (sequence, 32, Some(0));
        snapshot
    }

    /// The verdict on a worker that goes on publishing this.
    fn verdict(change: impl Fn(&mut Snapshot), patience: &Patience) -> Option<Health> {
        let mut snapshot = snapshot(1);
        change(&mut snapshot);
        Liveness::default().look(Some(&snapshot), ProcessState::Runs, SECOND, patience)
    }

    /// The verdicts on a worker that publishes nothing any more, each second for a minute.
    fn silent(state: ProcessState) -> Vec<(u64, Health)> {
        let (mut liveness, last) = (Liveness::default(), snapshot(7));
        liveness.look(Some(&last), ProcessState::Runs, SECOND, &patience());
        let look = |second| Some((second, liveness.look(Some(&last), state, SECOND, &patience())?));
        (1..60).filter_map(look).collect()
    }

    #[test]
    fn slow_is_not_hung() {
        let busy = |snapshot: &mut Snapshot| {
            (snapshot.loop_age, snapshot.gil_age) = (10_000, Some(31_000));
            (snapshot.in_flight, snapshot.busy, snapshot.queue, snapshot.stuck) = (500, 32, 400, 31);
        };
        assert_eq!(verdict(busy, &patience()), None);
    }

    #[test]
    fn each_way_to_be_stuck_is_known() {
        let hung = |hang| Some(Health::Hung(hang));
        assert_eq!(verdict(|snapshot| snapshot.loop_age = 10_250, &patience()), hung(Hang::Loop));
        assert_eq!(verdict(|snapshot| snapshot.gil_age = Some(31_250), &patience()), hung(Hang::Interpreter));
        assert_eq!(verdict(|snapshot| snapshot.stuck = 32, &patience()), Some(Health::Exhausted));
        assert_eq!(silent(ProcessState::Runs), [(32, Health::Hung(Hang::Process))]);
    }

    #[test]
    fn what_is_stopped_is_never_hung_and_may_go_on() {
        assert_eq!(silent(ProcessState::Stopped), [(11, Health::Stopped)]);
        let (mut liveness, last) = (Liveness::default(), snapshot(7));
        for _ in 0..100 {
            liveness.look(Some(&last), ProcessState::Stopped, SECOND, &patience());
        }
        assert_eq!(liveness.health(), Health::Stopped);
        // It was continued, and has not had its turn to publish yet.
        assert_eq!(liveness.look(Some(&last), ProcessState::Runs, SECOND, &patience()), Some(Health::Sound));
        assert_eq!(liveness.look(Some(&snapshot(8)), ProcessState::Runs, SECOND, &patience()), None);
    }

    #[test]
    fn what_hangs_has_hung_for_good() {
        let mut liveness = Liveness::default();
        let mut stuck = snapshot(1);
        stuck.gil_age = Some(31_250);
        assert!(liveness.look(Some(&stuck), ProcessState::Runs, SECOND, &patience()).is_some());
        assert_eq!(liveness.look(Some(&snapshot(2)), ProcessState::Runs, SECOND, &patience()), None);
        assert_eq!(liveness.health(), Health::Hung(Hang::Interpreter));
    }

    #[test]
    fn calls_inside_the_event_loop_may_take_as_long_as_calls_may() {
        let standing_still = |age| move |snapshot: &mut Snapshot| snapshot.loop_age = age;
        assert_eq!(verdict(standing_still(305_000), &Patience::new(30, 1, 300)), None);
        assert!(verdict(standing_still(310_250), &Patience::new(30, 1, 300)).is_some());
        assert_eq!(verdict(standing_still(9_999_999), &Patience::new(30, 1, 0)), None);
        assert!(verdict(standing_still(2_250), &Patience::new(2, 32, 300)).is_some());
    }

    #[test]
    fn a_worker_that_never_says_anything_is_stopped_or_hung() {
        let look = |state, passed| Liveness::default().look(None, state, passed, &patience());
        assert_eq!(look(ProcessState::Runs, 10 * SECOND), None);
        assert_eq!(look(ProcessState::Runs, 32 * SECOND), Some(Health::Hung(Hang::Process)));
        assert_eq!(look(ProcessState::Stopped, 31 * SECOND), Some(Health::Stopped));
    }

    #[test]
    fn a_worker_that_loads_may_take_its_time_and_may_be_stopped() {
        let mut liveness = Liveness::default();
        let mut look = |state, passed| liveness.look_at_start(state, passed, &patience());
        assert_eq!(look(ProcessState::Runs, 100 * SECOND), None);
        assert_eq!(look(ProcessState::Stopped, 10 * SECOND), None);
        assert_eq!(look(ProcessState::Stopped, SECOND), Some(Health::Stopped));
        assert_eq!(look(ProcessState::Runs, SECOND), Some(Health::Sound));
    }

    #[test]
    fn without_a_limit_nothing_is_hung() {
        let hung = |snapshot: &mut Snapshot| (snapshot.loop_age, snapshot.gil_age) = (999_000, Some(999_000));
        assert_eq!(verdict(hung, &Patience::new(0, 32, 300)), None);
    }

    #[test]
    fn this_process_runs() {
        assert_eq!(ProcessState::of(std::process::id()), ProcessState::Runs);
    }
}
