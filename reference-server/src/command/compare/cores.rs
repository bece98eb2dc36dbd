//! Which core the server has to itself, and which the load.

use std::{fs, io};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The cores of a run.
#[derive(Clone, Debug)]
pub(super) struct Cores {
    /// Where servers run: one core, but for the curve over workers.
    pub(super) server: Vec<usize>,
    /// Where the load is made. It is the server's if there is no other.
    pub(super) load: usize,
    /// All that this process may use.
    pub(super) all: Vec<usize>,
}

impl Cores {
    /// Divides the cores that this process may use.
    ///
    /// # Errors
    /// What the system reports.
    pub(super) fn divide() -> io::Result<Self> {
        let allowed = sched_getaffinity(None)?;
        let all: Vec<_> = (0..CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core)).collect();
        let server = all.first().copied().unwrap_or(0);
        Ok(Cores { server: vec![server], load: load_core(&all, &siblings(server)), all })
    }

    /// The server has every core but the load's, as workers need them.
    pub(super) fn for_workers(&self) -> Self {
        let mut server: Vec<_> = self.all.iter().copied().filter(|&core| core != self.load).collect();
        if server.is_empty() {
            server.clone_from(&self.server);
        }
        Cores { server, ..self.clone() }
    }

    /// Whether server and load have to share.
    pub(super) fn are_shared(&self) -> bool {
        self.server.contains(&self.load)
    }

    /// Runs this thread, and the threads that it starts from here on, on the load's core.
    pub(super) fn enter_load(&self) -> io::Result<()> {
        pin(&[self.load])
    }

    /// Does something, such as starting a process, on the server's cores, which the process then inherits.
    pub(super) fn in_server<T>(&self, start: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        pin(&self.server)?;
        let started = start();
        self.enter_load()?;
        started
    }
}

fn pin(cores: &[usize]) -> io::Result<()> {
    let mut set = CpuSet::new();
    cores.iter().for_each(|&core| set.set(core));
    Ok(sched_setaffinity(None, &set)?)
}

/// A core of its own if there is one; else the server's second hardware thread; else the same.
fn load_core(all: &[usize], siblings: &[usize]) -> usize {
    let server = all.first().copied().unwrap_or(0);
    let others = || all.iter().copied().filter(|&core| core != server);
    others().find(|core| !siblings.contains(core)).or_else(|| others().next()).unwrap_or(server)
}

/// The hardware threads of the core that `core` is one of.
fn siblings(core: usize) -> Vec<usize> {
    let path = format!("/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list");
    parse_list(fs::read_to_string(path).unwrap_or_default().trim())
}

/// `0,4-6` as the kernel writes lists.
fn parse_list(text: &str) -> Vec<usize> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse().ok()?..=last.parse().ok()?)
    };
    text.split(',').filter_map(range).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_the_kernel() {
        assert_eq!(parse_list("0"), [0]);
        assert_eq!(parse_list("0,4-6"), [0, 4, 5, 6]);
        assert_eq!(parse_list(""), [0usize; 0]);
    }

    #[test]
    fn the_load_has_a_core_of_its_own_if_there_is_one() {
        assert_eq!(load_core(&[0, 1, 2, 3], &[0, 1]), 2);
        assert_eq!(load_core(&[0, 1, 2, 3], &[0, 2]), 1);
        assert_eq!(load_core(&[0, 1], &[0, 1]), 1);
        assert_eq!(load_core(&[3], &[3]), 3);
    }

    #[test]
    fn what_is_started_on_the_servers_cores_comes_back_to_the_loads() {
        std::thread::spawn(|| {
            let cores = Cores::divide().unwrap();
            let of_child = cores.in_server(|| fs::read_to_string("/proc/thread-self/status")).unwrap();
            let of_thread = fs::read_to_string("/proc/thread-self/status").unwrap();
            let list = |text: &str| {
                let line = text.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap();
                parse_list(line.trim())
            };
            assert_eq!(list(&of_child), cores.server);
            assert_eq!(list(&of_thread), [cores.load]);
        })
        .join()
        .unwrap();
    }
}
