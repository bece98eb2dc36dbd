//! The processes of a contender, whatever it has started: this process's descendants, as only one contender runs at once.
//!
//! This process is a subreaper: what a server leaves behind when it ends becomes this process's child, and is found.

use std::{fs, io, thread, time::Duration};

use rustix::{
    io::Errno,
    process::{Pid, Signal, WaitOptions, getpid, kill_process, set_child_subreaper, wait},
};

/// What `/proc/PID/stat` tells of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) parent: i32,
    /// Ticks of CPU time, its own and its dead children's.
    pub(super) own: u64,
    pub(super) children: u64,
}

/// Makes this process the parent of what its children leave behind.
pub(super) fn adopt_orphans() -> io::Result<()> {
    Ok(set_child_subreaper(Some(getpid()))?)
}

pub(super) fn stat(pid: Pid) -> Option<Stat> {
    parse_stat(&fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?)
}

fn parse_stat(text: &str) -> Option<Stat> {
    // The name, in parentheses, may have anything in it, spaces and parentheses too.
    let (_, rest) = text.rsplit_once(") ")?;
    let fields: Vec<_> = rest.split(' ').collect();
    // proc_pid_stat(5) counts from 1, and the state, first here, is its 3.
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    let parent = fields.get(1)?.parse().ok()?;
    Some(Stat { parent, own: number(14)? + number(15)?, children: number(16)? + number(17)? })
}

/// All processes below this one.
pub(super) fn descendants() -> Vec<Pid> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pid = |entry: io::Result<fs::DirEntry>| Pid::from_raw(entry.ok()?.file_name().to_str()?.parse().ok()?);
    let all: Vec<_> = entries.filter_map(pid).filter_map(|pid| Some((pid, stat(pid)?.parent))).collect();
    let mut found = vec![getpid()];
    let mut at = 0;
    while let Some(&parent) = found.get(at) {
        let parent = parent.as_raw_nonzero().get();
        found.extend(all.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        at += 1;
    }
    found.split_off(1)
}

/// Ends all processes below this one, whatever they would rather do.
pub(super) fn end_all() {
    loop {
        for pid in descendants() {
            // One that has ended meanwhile is what is wanted.
            let _ = kill_process(pid, Signal::KILL);
        }
        while matches!(wait(WaitOptions::NOHANG), Ok(Some(_)) | Err(Errno::INTR)) {}
        if descendants().is_empty() {
            return;
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// The memory of all processes below this one, in bytes. What several of them share is counted once.
pub(super) fn memory() -> u64 {
    descendants().into_iter().filter_map(memory_of).sum()
}

fn memory_of(pid: Pid) -> Option<u64> {
    let pid = pid.as_raw_nonzero();
    let kibibytes = |text: &str, name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().trim_end_matches("kB").trim_end().parse::<u64>().ok()
    };
    let proportional = || kibibytes(&fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?, "Pss:");
    // Not every kernel tells shares, nor everybody.
    let resident = || kibibytes(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?, "VmRSS:");
    proportional().or_else(resident).map(|count| count * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_is_read_whatever_the_process_is_called() {
        let text = "42 (a) (b c) S 7 42 42 0 -1 4194304 1 2 3 4 11 22 33 44 20 0 1 0 100 1 1";
        assert_eq!(parse_stat(text), Some(Stat { parent: 7, own: 33, children: 77 }));
        assert_eq!(parse_stat("42 (short) S 7"), None);
        assert_eq!(stat(getpid()).unwrap().parent, rustix::process::getppid().unwrap().as_raw_nonzero().get());
    }

    #[test]
    fn children_and_their_children_are_found() {
        let script = "sleep 60 & read line; kill $!";
        let mut command = std::process::Command::new("sh");
        let mut child = command.args(["-c", script]).stdin(std::process::Stdio::piped()).spawn().unwrap();
        let shell = Pid::from_child(&child);
        let grandchild = |pid: &Pid| stat(*pid).is_some_and(|stat| stat.parent == shell.as_raw_nonzero().get());
        while !descendants().iter().any(grandchild) {
            thread::sleep(Duration::from_millis(1));
        }
        assert!(descendants().contains(&shell));
        assert!(memory_of(shell).unwrap() > 10_000);
        drop(child.stdin.take());
        child.wait().unwrap();
    }
}
