//! The machine, as far as a reader of figures has to know it.

use std::{fs, thread};

use rustix::system::uname;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(in super::super) struct Machine {
    pub(in super::super) processor: String,
    pub(in super::super) cores: usize,
    pub(in super::super) memory_bytes: u64,
    pub(in super::super) kernel: String,
    pub(in super::super) architecture: String,
    /// Of the last minute, when the run began.
    pub(in super::super) load_average: f64,
}

impl Machine {
    /// Looks at this one. What it does not tell is empty or 0.
    pub(in super::super) fn this() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let value = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let (processors, memory, system) = (read("/proc/cpuinfo"), read("/proc/meminfo"), uname());
        let total = value(&memory, "MemTotal").and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
        Machine {
            processor: value(&processors, "model name").unwrap_or_else(|| "unknown".into()),
            cores: thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: total.unwrap_or(0) * 1024,
            kernel: format!("{} {}", system.sysname().to_string_lossy(), system.release().to_string_lossy()),
            architecture: system.machine().to_string_lossy().into_owned(),
            load_average: read("/proc/loadavg").split(' ').next().and_then(|text| text.parse().ok()).unwrap_or(0.0),
        }
    }

    /// In one line.
    pub(in super::super) fn line(&self) -> String {
        let gibibytes = self.memory_bytes as f64 / f64::from(1 << 30);
        format!("{}, {} cores, {gibibytes:.0} GiB, {} {}", self.processor, self.cores, self.kernel, self.architecture)
    }
}
