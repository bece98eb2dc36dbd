//! What the supervisor knows of its workers, for those who ask at the admin listener.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use reference_server::scoreboard::{Snapshot, Totals};
use serde::Serialize;

/// The supervisor's list, which it keeps up to date and others read.
#[derive(Debug)]
pub(super) struct Roster(Mutex<Standing>);

/// How things stand.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    /// When the supervisor last looked after its workers.
    pub(super) turned: Instant,
    pub(super) started: Instant,
    pub(super) members: Vec<Member>,
    pub(super) wanted: u16,
    pub(super) is_ending: bool,
    /// How many workers have ended, by cause.
    pub(super) ends: BTreeMap<&'static str, u64>,
    /// What workers that are gone have counted.
    pub(super) past: Totals,
}

/// A worker.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) seat: u16,
    pub(super) pid: u32,
    pub(super) duty: Duty,
    pub(super) started: Instant,
    pub(super) scoreboard: Arc<File>,
}

/// What a worker is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Duty {
    Starting,
    Ready,
    Draining,
    Stopped,
    Hung,
}

impl Duty {
    pub(super) const ALL: [Duty; 5] = [Duty::Starting, Duty::Ready, Duty::Draining, Duty::Stopped, Duty::Hung];

    pub(super) fn name(self) -> &'static str {
        match self {
            Duty::Starting => "starting",
            Duty::Ready => "ready",
            Duty::Draining => "draining",
            Duty::Stopped => "stopped",
            Duty::Hung => "hung",
        }
    }
}

/// A supervisor that has not turned for so long is stuck itself: it turns once a second at least.
const STALE: Duration = Duration::from_secs(10);

impl Roster {
    pub(super) fn new() -> Arc<Self> {
        let now = Instant::now();
        Arc::new(Roster(Mutex::new(Standing {
            turned: now,
            started: now,
            members: Vec::new(),
            wanted: 0,
            is_ending: false,
            ends: BTreeMap::new(),
            past: Totals::default(),
        })))
    }

    /// Notes what is so at this turn.
    pub(super) fn turn(&self, members: Vec<Member>, wanted: u16, is_ending: bool) {
        let mut standing = self.lock();
        (standing.turned, standing.members, standing.wanted) = (Instant::now(), members, wanted);
        standing.is_ending |= is_ending;
    }

    /// A worker has ended. What it has counted goes on to count.
    pub(super) fn ended(&self, cause: &'static str, scoreboard: &File) {
        let last = Snapshot::read(scoreboard).ok().flatten();
        let mut standing = self.lock();
        *standing.ends.entry(cause).or_default() += 1;
        if let Some(last) = last {
            standing.past += &last.totals;
        }
    }

    pub(super) fn standing(&self) -> Standing {
        self.lock().clone()
    }

    /// Nothing that can panic is done under this lock.
    fn lock(&self) -> MutexGuard<'_, Standing> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Standing {
    /// Why the process as a whole should be ended by whoever keeps it running, if it should.
    pub(super) fn unhealthy(&self) -> Option<&'static str> {
        let alive = |member: &Member| matches!(member.duty, Duty::Starting | Duty::Ready | Duty::Draining);
        match () {
            () if self.turned.elapsed() > STALE => Some("the supervisor stands still"),
            () if self.is_ending || self.wanted == 0 || self.members.iter().any(alive) => None,
            () => Some("no worker runs"),
        }
    }

    /// Why nobody should send requests here, if nobody should.
    pub(super) fn unready(&self) -> Option<&'static str> {
        match () {
            () if self.is_ending => Some("ending"),
            () if self.members.iter().any(|member| member.duty == Duty::Ready) => None,
            () => Some("no worker is READY"),
        }
    }
}

impl Member {
    pub(super) fn snapshot(&self) -> Option<Snapshot> {
        Snapshot::read(&self.scoreboard).ok().flatten()
    }
}

/// The resident memory of a process in bytes.
pub(super) fn resident(pid: u32) -> u64 {
    field(pid, "status", "VmRSS:")
}

/// The same with what it shares divided by those who share it.
pub(super) fn proportional(pid: u32) -> u64 {
    field(pid, "smaps_rollup", "Pss:")
}

/// 0 if the process is gone.
fn field(pid: u32, file: &str, name: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix("kB")?.trim().parse().ok());
    value.unwrap_or(0) * 1024
}
