//! Whether the interpreter can be had, and how long that takes.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use pyo3::Python;

/// How often it is tried.
const TICK: Duration = Duration::from_secs(1);

/// A thread that enters the interpreter once a second. Code that runs Python hands the interpreter over every few
/// milliseconds, however busy it is; where the pulse stands still, code in another language has it and keeps it.
#[derive(Debug, Default)]
pub struct Pulse {
    beats: AtomicU64,
    waited: AtomicU64,
}

impl Pulse {
    /// Starts the thread, which lives as long as the process. Python must run already.
    ///
    /// # Errors
    /// What starting a thread reports.
    pub fn start() -> io::Result<Arc<Self>> {
        let pulse = Arc::new(Pulse::default());
        let beating = pulse.clone();
        thread::Builder::new().name("gateway-pulse".into()).spawn(move || beating.beat())?;
        Ok(pulse)
    }

    fn beat(&self) {
        loop {
            let begun = Instant::now();
            Python::attach(|_| ());
            let waited = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
            self.waited.fetch_add(waited, Relaxed);
            self.beats.fetch_add(1, Relaxed);
            thread::sleep(TICK);
        }
    }

    /// How often the interpreter was entered.
    pub fn beats(&self) -> u64 {
        self.beats.load(Relaxed)
    }

    /// How long that took, all together.
    pub fn waited(&self) -> Duration {
        Duration::from_nanos(self.waited.load(Relaxed))
    }
}
