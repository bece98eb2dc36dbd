//! The supervisor: it listens, keeps workers running that accept what arrives, and obeys signals.
//!
//! It loads no Python, runs no event loop and has one thread, and one more for the admin listener if there is one; nothing
//! that an application does can stop it.
//!
//! ```text
//!  signals ──────────┐                    ┌─▶ start, drain, kill
//!  workers' messages ┼─▶ what is so ─▶ settle: what should be so
//!  workers' ends ────┤                    └─▶ wait for the next
//!  the clock ────────┘
//! ```
//!
//! The table of workers is [`Supervisor::workers`]. There are as many *seats* as workers are wanted, numbered from 1;
//! in a seat sits one worker, and for a short time its successor too, which takes over when it is READY. Each turn
//! compares the table with what is wanted ([`seats`]), so that a crash, a reload, a recycled worker and one more worker
//! are all the same work. Each worker has a file in memory of its own, [`worker::Worker::scoreboard`], which it alone
//! writes (`scoreboard` of `command/worker.rs`'s offer) and which the supervisor reads.
//!
//! | file | what it does |
//! |---|---|
//! | `sockets` | listens |
//! | `child` | starts processes: workers, and the supervisor that takes over |
//! | `worker` | one worker, as it is seen from here |
//! | `seats` | starts, replaces and ends workers until there are those that are wanted |
//! | `ends` | learns of workers' ends |
//! | `cause` | why a process ended |
//! | `vitals` | workers that hang, or are stopped |
//! | `admin` | listens for whoever asks how things are |
//! | `orders` | signals |
//! | `reload` | HUP |
//! | `upgrade` | USR2 |
//! | `recycle` | workers that are to be replaced: old, big, or tired of requests |
//! | `zygote` | the process that workers are forked from, with `--preload` |
//! | `systemd` | tells systemd |

mod admin;
mod cause;
mod child;
mod ends;
mod orders;
mod plan;
mod recycle;
mod reload;
mod seats;
mod sockets;
mod systemd;
mod upgrade;
mod vitals;
mod worker;
mod zygote;

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::File,
    os::unix::net::UnixStream,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use reference_server::Balance;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use signal_hook::iterator::{backend::SignalDelivery, exfiltrator::SignalOnly};

use super::{
    banner::banner,
    control::Control,
    failure::Failure,
    roster::Roster,
    serve::{cannot, print},
    settings::Settings,
};
use admin::Admin;
use cause::OomKills;
use orders::Ending;
use plan::Plan;
use seats::Backoff;
use systemd::Systemd;
use upgrade::Upgrade;
use worker::Worker;
use zygote::Zygote;

/// How long the supervisor sleeps at most. What it looks at by the clock is at least so coarse.
const TURN: Duration = Duration::from_secs(1);

pub(super) use upgrade::{TAKE_OVER, take_over};

/// The one who keeps the others running.
pub(super) struct Supervisor {
    /// The arguments of this process, for it to read its configuration again and to start workers with.
    args: Vec<OsString>,
    signals: SignalDelivery<UnixStream, SignalOnly>,
    /// What workers are started with.
    plan: Plan,
    /// While a reload is on trial: what to go back to.
    before: Option<Plan>,
    /// How many seats there are.
    wanted: u16,
    workers: Vec<Worker>,
    /// Where workers note how many connections they have, for them to share equally.
    board: File,
    seats: BTreeMap<u16, Backoff>,
    zygote_pause: Backoff,
    /// Whether any worker has ever been READY.
    has_served: bool,
    /// How the first worker failed.
    failure: Option<Failure>,
    ending: Option<Ending>,
    upgrade: Upgrade,
    systemd: Systemd,
    oom_kills: OomKills,
    /// When workers were last looked at.
    looked: Instant,
    /// What the admin listener tells.
    roster: Arc<Roster>,
    admin: Option<Admin>,
}

impl Supervisor {
    /// Listens. Workers are started by [`run`](Self::run).
    ///
    /// # Errors
    /// An address cannot be listened on, or the system refuses something.
    pub(super) fn new(
        args: Vec<OsString>,
        settings: Settings,
        predecessor: Option<Predecessor>,
    ) -> Result<Self, Failure> {
        // From here on signals are kept until they are looked at.
        let signals = orders::watch().map_err(|error| cannot("watch for signals", &error))?;
        let (predecessor, sockets, admin) = match predecessor {
            Some(Predecessor { control, sockets, admin }) => (Some(control), Some(sockets), admin),
            None => (None, None, None),
        };
        let plan = Plan::first(settings, sockets)?;
        let roster = Roster::new();
        let mut admin = Admin::listen(&plan.settings.options, admin)?;
        // As long as another supervisor serves, it answers.
        if let (Some(admin), None) = (&mut admin, &predecessor) {
            admin.start(&roster).map_err(|error| cannot("start the admin listener", &error))?;
        }
        Ok(Supervisor {
            args,
            signals,
            wanted: plan.settings.options.workers,
            plan,
            before: None,
            workers: Vec::new(),
            board: Balance::board().map_err(|error| cannot("make a file in memory", &error))?,
            seats: BTreeMap::new(),
            zygote_pause: Backoff::default(),
            has_served: false,
            failure: None,
            ending: None,
            upgrade: Upgrade::new(predecessor),
            systemd: Systemd::new(),
            oom_kills: OomKills::now(),
            looked: Instant::now(),
            roster,
            admin,
        })
    }

    /// Keeps workers running until a signal ends them.
    ///
    /// # Errors
    /// No worker has ever come up.
    pub(super) fn run(mut self) -> Result<ExitCode, Failure> {
        loop {
            self.settle();
            self.relieve_predecessor();
            if self.workers.is_empty() {
                if let Some(ending) = &self.ending {
                    self.stop_admin();
                    return Ok(ending.code());
                }
                if let Some(failure) = self.failure.take().filter(|_| !self.has_served) {
                    self.plan.stop_listening(self.upgrade.shares_sockets());
                    self.stop_admin();
                    return Err(failure);
                }
            }
            self.wait();
            // First of all what is so already: what a signal asks for depends on who serves.
            self.hear_zygote();
            self.hear_workers();
            self.obey_signals();
            self.bury_the_dead();
            self.look_after_workers();
            self.hear_upgrade();
            self.tell_systemd();
            self.call_the_roll();
        }
    }

    /// Waits until something happens, or until something is to be done by the clock.
    fn wait(&self) {
        let mut sources = vec![PollFd::new(self.signals.get_read(), PollFlags::IN)];
        let zygote = self.plan.zygote.as_ref().and_then(Zygote::control);
        let controls = self.workers.iter().filter_map(|worker| worker.control.as_ref());
        sources.extend(
            controls.chain(zygote).chain(self.upgrade.control()).map(|control| PollFd::new(control, PollFlags::IN)),
        );
        let now = Instant::now();
        let sleep = self.next_time().map_or(TURN, |time| time.saturating_duration_since(now)).min(TURN);
        // A signal ends the waiting early, which does no harm.
        let _ = poll(&mut sources, Timespec::try_from(sleep).ok().as_ref());
    }

    /// When something is to be done though nothing happens.
    fn next_time(&self) -> Option<Instant> {
        let deadlines = self.workers.iter().filter_map(Worker::deadline);
        let pauses = self.seats.values().chain([&self.zygote_pause]);
        let seats = pauses.filter_map(Backoff::not_before).filter(|time| *time > Instant::now());
        deadlines.chain(seats).chain(self.systemd.next_ping()).min()
    }

    /// The first worker serves: this is the moment that everybody has waited for.
    fn announce(&mut self) {
        self.has_served = true;
        if !self.upgrade.is_successor() {
            // Its predecessor has printed this, and says that it goes.
            print(&banner(&self.plan.settings, self.plan.listeners()));
            if let Some(admin) = &self.admin {
                print(&format!("admin at {}\n", admin.place()));
            }
        }
        self.systemd.ready();
    }
}

/// The supervisor whose place this one takes, and what it has handed over.
pub(super) struct Predecessor {
    pub(super) control: Control,
    pub(super) sockets: Vec<sockets::Socket>,
    /// That of the admin listener.
    pub(super) admin: Option<sockets::Socket>,
}
