//! What a worker publishes of itself, and how it is written and read.

use std::{collections::BTreeMap, fs::File, io, ops::AddAssign, os::unix::fs::FileExt};

use serde::{Deserialize, Serialize};

/// The classes of statuses, as they are called in metrics.
pub const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];
/// Upper bounds of the buckets that requests are counted in by their duration, in milliseconds; behind them is one more
/// for longer ones. The clock that requests are timed with is no finer than the first.
pub const BUCKETS: [u64; 14] = [5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000];

/// The state of a worker at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Snapshot {
    /// The worker's process.
    pub pid: u32,
    /// Counts the snapshots of a worker: one that does not change is one of a worker that does not run.
    pub sequence: u64,
    /// How long the event loop has not come round, in milliseconds. Time in which the process did not run, because it
    /// was stopped or the machine was suspended, does not count, here and in `gil_age`.
    pub loop_age: u64,
    /// How long the interpreter could not be had, in milliseconds; `None` without Python.
    pub gil_age: Option<u64>,
    /// Requests that are being answered.
    pub in_flight: u64,
    /// Those that have been for longest, with what they are.
    pub requests: Vec<Request>,
    /// Requests that ended in the last second.
    pub rate: u64,
    /// Open connections.
    pub connections: u64,
    /// Calls of blocking applications that may run at once.
    pub threads: u64,
    /// Those that do.
    pub busy: u64,
    /// Calls that took too long, were given up, and still have not returned.
    pub stuck: u64,
    /// Those that wait for a thread.
    pub queue: u64,
    /// CGI programs that run.
    pub cgi_processes: u64,
    /// What only grows.
    pub totals: Totals,
}

/// A request that is being answered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Request {
    /// How long it has been, in milliseconds.
    pub age: u64,
    /// Its method; empty if the event loop stands still and cannot tell.
    pub method: String,
    /// Its path, escaped and of bounded length.
    pub path: String,
    /// The prefix that its application is mounted at.
    pub mount: String,
    /// What it is about.
    pub state: State,
}

/// What a request that is being answered waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum State {
    /// The client, which has not sent its body.
    Receiving,
    /// A thread.
    Queued,
    /// The application.
    #[default]
    Running,
    /// The end of the response's body.
    Sending,
}

/// What only grows while a worker lives; of several workers it can be added up.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Totals {
    /// Requests by mount and [class](CLASSES); the empty mount is of those that came to none.
    pub requests: BTreeMap<String, [u64; CLASSES.len()]>,
    /// Requests by their duration: one number for each of [`BUCKETS`], and one for longer ones.
    pub durations: [u64; BUCKETS.len() + 1],
    /// All durations together.
    pub duration_nanos: u64,
    /// Requests whose response did not reach its end.
    pub aborted: u64,
    /// Accepted connections.
    pub connections: u64,
    /// Bytes read from clients.
    pub received_bytes: u64,
    /// Bytes written to clients.
    pub sent_bytes: u64,
    /// Requests that had to wait for a thread.
    pub queue_waits: u64,
    /// How long, all together.
    pub queue_wait_nanos: u64,
    /// Requests that were refused because the queue was full.
    pub refused: u64,
    /// How often it was tried how long the interpreter takes to be had.
    pub gil_waits: u64,
    /// How long that took, all together.
    pub gil_wait_nanos: u64,
}

impl AddAssign<&Totals> for Totals {
    fn add_assign(&mut self, other: &Totals) {
        for (mount, classes) in &other.requests {
            let sum = self.requests.entry(mount.clone()).or_default();
            sum.iter_mut().zip(classes).for_each(|(sum, number)| *sum += number);
        }
        self.durations.iter_mut().zip(other.durations).for_each(|(sum, number)| *sum += number);
        self.duration_nanos += other.duration_nanos;
        self.aborted += other.aborted;
        self.connections += other.connections;
        self.received_bytes += other.received_bytes;
        self.sent_bytes += other.sent_bytes;
        self.queue_waits += other.queue_waits;
        self.queue_wait_nanos += other.queue_wait_nanos;
        self.refused += other.refused;
        self.gil_waits += other.gil_waits;
        self.gil_wait_nanos += other.gil_wait_nanos;
    }
}

impl Snapshot {
    /// Writes the snapshot over the one before, in one call.
    pub(super) fn write(&self, file: &File) -> io::Result<()> {
        let body = serde_json::to_vec(self)?;
        let block = [&checksum(&body).to_le_bytes(), &(body.len() as u64).to_le_bytes(), body.as_slice()].concat();
        file.write_all_at(&block, 0)
    }

    /// Reads the last snapshot that was written to `file`; `None` if none has been yet.
    ///
    /// # Errors
    /// What reading the file reports; [`io::ErrorKind::InvalidData`] if there is something else in it.
    pub fn read(file: &File) -> io::Result<Option<Self>> {
        // A snapshot that is being written just now is seen in parts, and its checksum is wrong: the next try sees it all.
        for _ in 0..TRIES {
            let mut block = vec![0; usize::try_from(file.metadata()?.len()).unwrap_or(0)];
            let length = read_at(file, &mut block)?;
            if length == 0 {
                return Ok(None);
            }
            if let Some(body) = intact(&block[..length]) {
                return Ok(Some(serde_json::from_slice(body)?));
            }
            std::thread::yield_now();
        }
        Err(io::Error::new(io::ErrorKind::InvalidData, "there is no snapshot of a worker"))
    }
}

const TRIES: usize = 16;

fn read_at(file: &File, block: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < block.len() {
        match file.read_at(&mut block[length..], length as u64)? {
            0 => break,
            count => length += count,
        }
    }
    Ok(length)
}

/// What stands behind checksum and length, if it is whole. A shorter snapshot leaves the end of a longer one behind it.
fn intact(block: &[u8]) -> Option<&[u8]> {
    let (sum, rest) = block.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let body = rest.get(..usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
    (checksum(body) == u64::from_le_bytes(*sum)).then_some(body)
}

/// FNV-1a: it need not withstand anybody, only notice halves of two snapshots.
fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, &byte| (sum ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    fn snapshot(sequence: u64) -> Snapshot {
        let request = Request { path: "/x".repeat(sequence as usize % 50), ..Request::default() };
        let requests = vec![request; sequence as usize % 90];
        Snapshot { sequence, rate: sequence, loop_age: sequence, requests, ..Snapshot::default() }
    }

    #[test]
    fn nothing_is_read_of_a_worker_that_has_published_nothing() {
        assert_eq!(Snapshot::read(&tempfile::tempfile().unwrap()).unwrap(), None);
    }

    #[test]
    fn what_is_no_snapshot_is_an_error() {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(&[7; 100], 0).unwrap();
        assert_eq!(Snapshot::read(&file).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn a_snapshot_is_read_whole_or_not_at_all() {
        let file = tempfile::tempfile().unwrap();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                (1..20_000).for_each(|sequence| snapshot(sequence).write(&file).unwrap());
                done.store(true, Ordering::Relaxed);
            });
            let mut last = 0;
            while !done.load(Ordering::Relaxed) {
                // One that is overwritten at each try is none, and that is no error of the file's.
                if let Ok(Some(read)) = Snapshot::read(&file) {
                    assert_eq!(read, snapshot(read.sequence));
                    assert!(read.sequence >= last);
                    last = read.sequence;
                }
            }
        });
        assert_eq!(Snapshot::read(&file).unwrap(), Some(snapshot(19_999)));
    }

    #[test]
    fn totals_of_workers_add_up() {
        let totals = |mount: &str, number| Totals {
            requests: [(mount.to_owned(), [0, number, 0, 0, 1])].into(),
            sent_bytes: number,
            ..Totals::default()
        };
        let mut sum = totals("/a", 2);
        sum += &totals("/a", 3);
        sum += &totals("/b", 4);
        assert_eq!(sum.requests, [("/a".to_owned(), [0, 5, 0, 0, 2]), ("/b".to_owned(), [0, 4, 0, 0, 1])].into());
        assert_eq!(sum.sent_bytes, 9);
    }
}
