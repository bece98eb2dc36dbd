//! Why a process has ended, in words.

use std::fs;

use rustix::process::WaitStatus;
use signal_hook::{consts::SIGKILL, low_level::signal_name};

/// How many processes the kernel has killed for want of memory.
#[derive(Debug)]
pub(super) struct OomKills(u64);

impl OomKills {
    pub(super) fn now() -> Self {
        OomKills(count())
    }

    /// What became of a process, as the end of a sentence.
    pub(super) fn cause(&mut self, status: WaitStatus) -> String {
        if let Some(code) = status.exit_status() {
            return format!("ended by itself with exit code {code}");
        }
        let Some(signal) = status.terminating_signal() else { return format!("ended ({status:?})") };
        let name = signal_name(signal).map_or_else(|| format!("signal {signal}"), str::to_owned);
        if signal != SIGKILL {
            let core = if status.as_raw() & CORE_DUMPED == 0 { "" } else { ", with a core dump" };
            return format!("was ended by {name}{core}");
        }
        let before = std::mem::replace(&mut self.0, count());
        match self.0 > before {
            true => format!("was ended by {name}, likely out of memory: the kernel has counted an OOM kill"),
            false => format!("was ended by {name}: somebody has killed it; no OOM kill was counted"),
        }
    }
}

/// The bit of a wait status that says so; all of Linux has the same.
const CORE_DUMPED: i32 = 0x80;

/// The counter of this process's control group, of either version, or else that of the machine.
fn count() -> u64 {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let group = |prefix: &str| own.lines().find_map(|line| line.split_once(':')?.1.strip_prefix(prefix)).unwrap_or("/");
    let counters = [
        format!("/sys/fs/cgroup{}/memory.events", group(":")),
        format!("/sys/fs/cgroup/memory{}/memory.oom_control", group("memory:")),
        "/proc/vmstat".into(),
    ];
    counters.iter().find_map(|path| counted_in(path)).unwrap_or_default()
}

fn counted_in(path: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    text.lines().find_map(|line| line.strip_prefix("oom_kill "))?.trim().parse().ok()
}
