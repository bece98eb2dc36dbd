//! What a program may use of the system, from its first instruction on (setrlimit(2)).

/// Limits of one program's process, and of each that it starts. None is set unless it is said so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Processor time in seconds; then it gets SIGXCPU, and a second later SIGKILL.
    pub cpu: Option<u64>,
    /// Address space in bytes; more cannot be allocated.
    pub memory: Option<u64>,
    /// Processes and threads of the *user* that it runs as, all of them counted. It does not hold for root.
    pub processes: Option<u64>,
    /// The largest file that it can write, in bytes; then it gets SIGXFSZ.
    pub file_size: Option<u64>,
}

/// A resource, and how much of it there is at first and at most.
pub(crate) type Rlimit = (u32, libc::rlimit);

impl Limits {
    /// Those that are set, as the system has them.
    pub(crate) fn rlimits(self) -> impl Iterator<Item = Rlimit> {
        let exact = |value| libc::rlimit { rlim_cur: value, rlim_max: value };
        let cpu = |value: u64| libc::rlimit { rlim_cur: value, rlim_max: value.saturating_add(1) };
        [
            self.cpu.map(|value| (libc::RLIMIT_CPU, cpu(value))),
            self.memory.map(|value| (libc::RLIMIT_AS, exact(value))),
            self.processes.map(|value| (libc::RLIMIT_NPROC, exact(value))),
            self.file_size.map(|value| (libc::RLIMIT_FSIZE, exact(value))),
        ]
        .into_iter()
        .flatten()
    }
}
