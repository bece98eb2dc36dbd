//! What a worker process tells of itself to whoever watches over it: Apache's word for it is the scoreboard.
//!
//! The worker counts in memory of its own, and a thread writes all of it to a file a few times a second: one that only
//! sleeps and writes, and so goes on when the event loop and Python stand still. The file is one without a name
//! (`memfd_create`) that both processes have open, and it outlives the worker. Ages are counted in that thread's own
//! ticks: a process that was stopped, or a machine that was suspended, has not grown older.

mod counters;
mod snapshot;

use std::{
    collections::VecDeque,
    fmt,
    fs::File,
    io, process,
    sync::{
        Arc,
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::{Runtime, runtime::Meter, watch::Registry};

pub(crate) use counters::Counters;
pub use snapshot::{BUCKETS, CLASSES, Request, Snapshot, State, Totals};

/// How often a worker publishes.
pub const TICK: Duration = Duration::from_millis(250);
/// So many requests are published with what they are, the oldest first.
const REQUESTS: usize = 100;
/// Ticks in a second.
const SECOND: usize = 4;

/// What [`Scoreboard::vitals`] knows of the rest of the process.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Vitals {
    /// Changes whenever the interpreter could be had; `None` without Python.
    pub gil_ticks: Option<u64>,
    /// How long that took, all together.
    pub gil_wait: Duration,
    /// Calls that were given up and still have not returned.
    pub stuck: u64,
    /// CGI programs that run.
    pub cgi_processes: u64,
}

/// Publishes the state of a [`Server`](crate::Server): see [`Builder::scoreboard`](crate::Builder::scoreboard).
pub struct Scoreboard {
    file: File,
    mounts: Vec<String>,
    meter: Meter,
    vitals: Box<dyn Fn(&mut Vitals) + Send>,
}

impl Scoreboard {
    /// A scoreboard of a server that runs on `runtime`, written to `file`. `mounts` are the prefixes of its
    /// [`Mounts`](crate::Mounts), in their order.
    pub fn new(file: File, runtime: &Runtime, mounts: Vec<String>) -> Self {
        Scoreboard { file, mounts, meter: runtime.meter(), vitals: Box::new(|_| {}) }
    }

    /// Asks `vitals` each time for what the server does not know.
    #[must_use]
    pub fn vitals(self, vitals: impl Fn(&mut Vitals) + Send + 'static) -> Self {
        Scoreboard { vitals: Box::new(vitals), ..self }
    }

    pub(crate) fn mounts(&self) -> usize {
        self.mounts.len()
    }

    /// Publishes until the result is dropped, and once more then.
    pub(crate) fn publish(self, registry: Arc<Registry>) -> io::Result<Publishing> {
        let (stop, stopped) = channel::<()>();
        let thread = thread::Builder::new().name("gateway-scoreboard".into()).spawn(move || {
            let mut publisher = Publisher { scoreboard: self, registry, ages: Ages::default(), ended: VecDeque::new() };
            publisher.publish();
            while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                publisher.publish();
            }
            publisher.publish();
        })?;
        Ok(Publishing { stop: Some(stop), thread: Some(thread) })
    }
}

/// The thread that publishes.
#[derive(Debug)]
pub(crate) struct Publishing {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Publishing {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Publisher {
    scoreboard: Scoreboard,
    registry: Arc<Registry>,
    ages: Ages,
    /// How many requests had ended at each tick of the last second.
    ended: VecDeque<u64>,
}

impl Publisher {
    fn publish(&mut self) {
        let snapshot = self.snapshot();
        if let Err(error) = snapshot.write(&self.scoreboard.file) {
            tracing::error!("cannot publish the state of this process: {error}");
        }
    }

    fn snapshot(&mut self) -> Snapshot {
        let Publisher { scoreboard, registry, ages, ended } = self;
        let mut vitals = Vitals::default();
        (scoreboard.vitals)(&mut vitals);
        let load = scoreboard.meter.read();
        let mut totals = registry.counters().totals(&scoreboard.mounts);
        totals.queue_waits = load.waits;
        totals.queue_wait_nanos = load.wait_nanos;
        totals.refused = load.refused;
        totals.gil_waits = vitals.gil_ticks.unwrap_or_default();
        totals.gil_wait_nanos = u64::try_from(vitals.gil_wait.as_nanos()).unwrap_or(u64::MAX);
        let (in_flight, requests) = registry.in_flight(REQUESTS, &scoreboard.mounts);
        ages.tick(registry.now(), vitals.gil_ticks);
        let now_ended = totals.durations.iter().sum();
        ended.push_back(now_ended);
        let second_ago = if ended.len() > SECOND { ended.pop_front() } else { ended.front().copied() };
        Snapshot {
            pid: process::id(),
            sequence: ages.ticks,
            loop_age: ages.event_loop.milliseconds(),
            gil_age: vitals.gil_ticks.map(|_| ages.gil.milliseconds()),
            in_flight,
            requests,
            rate: now_ended - second_ago.unwrap_or(now_ended),
            connections: registry.count() as u64,
            threads: load.threads,
            busy: load.busy,
            stuck: vitals.stuck,
            queue: load.queue,
            cgi_processes: vitals.cgi_processes,
            totals,
        }
    }
}

/// For how many of the publisher's ticks things have stood still.
#[derive(Debug, Default)]
struct Ages {
    ticks: u64,
    event_loop: Age,
    gil: Age,
}

#[derive(Debug, Default)]
struct Age {
    last: u64,
    ticks: u32,
}

impl Ages {
    fn tick(&mut self, event_loop: u64, gil: Option<u64>) {
        self.ticks += 1;
        self.event_loop.tick(event_loop);
        self.gil.tick(gil.unwrap_or(self.ticks));
    }
}

impl Age {
    fn tick(&mut self, value: u64) {
        self.ticks = if value == self.last { self.ticks + 1 } else { 0 };
        self.last = value;
    }

    fn milliseconds(&self) -> u64 {
        u64::from(self.ticks) * TICK.as_millis() as u64
    }
}

impl fmt::Debug for Scoreboard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scoreboard").field("file", &self.file).field("mounts", &self.mounts).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_still_grows_old() {
        let mut ages = Ages::default();
        for tick in 1..=4 {
            ages.tick(tick, Some(7));
        }
        assert_eq!((ages.event_loop.milliseconds(), ages.gil.milliseconds()), (0, 750));
        ages.tick(4, Some(8));
        assert_eq!((ages.event_loop.milliseconds(), ages.gil.milliseconds()), (250, 0));
    }

    #[test]
    fn a_process_without_python_does_not_wait_for_it() {
        let mut ages = Ages::default();
        (1..100).for_each(|tick| ages.tick(tick, None));
        assert_eq!(ages.gil.milliseconds(), 0);
    }
}
