//! Workers that are replaced although nothing is wrong with them: they are old, or have grown. Those that have answered
//! as many requests as they should say so themselves.

use std::{fs, time::Duration};

use rustix::{param::page_size, process::Pid};

use super::{super::options::ServeOptions, worker::Worker};

/// Why a worker is due, if it is.
pub(super) fn due(worker: &Worker, options: &ServeOptions) -> Option<String> {
    let lifetime = Duration::from_secs(options.max_worker_lifetime.into());
    if !lifetime.is_zero() && worker.started.elapsed() >= lifetime {
        return Some(format!("it has lived for {lifetime:?}"));
    }
    let limit = options.max_worker_rss.0;
    let resident = if limit == 0 { 0 } else { resident(worker.pid) };
    (resident > limit).then(|| format!("it has {} MiB of memory, and {} are allowed", resident >> 20, limit >> 20))
}

/// The memory of a process, in bytes; 0 if it has none any more.
fn resident(pid: Pid) -> u64 {
    let statm = fs::read_to_string(format!("/proc/{pid}/statm")).unwrap_or_default();
    let pages: u64 = statm.split_whitespace().nth(1).and_then(|pages| pages.parse().ok()).unwrap_or_default();
    pages * page_size() as u64
}
