//! What is to be measured, from the options and from what is there on this machine.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use super::{
    super::{
        failure::{Failure, Report as Complaint},
        version,
    },
    contenders::{Adapter, Contender, Launch},
    cores::Cores,
    cpu::Meter,
    options::{CompareOptions, Sweep},
    programs::{Folder, compiler, python, which},
    report::{LeftOut, Method, Report, shares},
    rounds::{Asked, Budget, Task, WANTED_INTERVAL},
    work::Work,
};

/// What grows, step by step.
const CONNECTIONS: [usize; 5] = [1, 4, 16, 64, 256];
const BODIES: [usize; 5] = [1 << 10, 16 << 10, 128 << 10, 1 << 20, 4 << 20];
const HEADERS: [usize; 4] = [0, 4, 16, 64];
const WORKERS: [u16; 4] = [1, 2, 4, 8];

/// A load average from which on others disturb the measurement.
const BUSY: f64 = 0.7;

#[derive(Debug)]
pub(super) struct Plan {
    pub(super) contenders: Vec<Contender>,
    pub(super) tasks: Vec<Task>,
    pub(super) cores: Cores,
    pub(super) budget: Budget,
    pub(super) versions: BTreeMap<String, String>,
    pub(super) left_out: Vec<LeftOut>,
    pub(super) sweep: Option<String>,
    rate: Option<f64>,
}

impl Plan {
    /// # Errors
    /// [`Failure::Usage`] if the options contradict each other.
    pub(super) fn of(options: &CompareOptions, folder: &Folder, cores: Cores) -> Result<Self, Failure> {
        let tasks = tasks(options)?;
        let mut plan = Plan {
            contenders: Vec::new(),
            cores: if options.sweep == Some(Sweep::Workers) { cores.for_workers() } else { cores },
            budget: Budget {
                warm_up: options.duration / 4,
                measurement: options.duration,
                most_rounds: options.rounds,
                most_time: options.limit / if options.sweep.is_some() { tasks.len() as u32 } else { 1 },
            },
            versions: versions(),
            left_out: Vec::new(),
            sweep: options.sweep.map(|sweep| format!("{sweep:?}").to_lowercase()),
            tasks,
            rate: options.rate,
        };
        plan.add_adapters(options, folder);
        plan.add_own(options)?;
        plan.add_peers(options, folder);
        plan.leave_out_what_does_not_grow(options.sweep);
        Ok(plan)
    }

    fn add_adapters(&mut self, options: &CompareOptions, folder: &Folder) {
        let adapters = match &options.adapters {
            Some(list) => list.0.clone(),
            None if options.targets.is_empty() => Adapter::ALL.to_vec(),
            None => vec![Adapter::Hyper],
        };
        for adapter in adapters {
            match adapter.contender(folder) {
                Ok(contender) => self.contenders.push(contender),
                Err(reason) => self.left_out.push(LeftOut { name: adapter.name().into(), reason }),
            }
        }
    }

    fn add_own(&mut self, options: &CompareOptions) -> Result<(), Failure> {
        for own in &options.targets {
            if self.contenders.iter().any(|contender| contender.name == own.text) {
                return Err(Failure::Usage(Complaint::new(format!("{} is named twice", own.text))));
            }
            self.contenders.push(Contender::own(&own.text, &own.mount));
        }
        Ok(())
    }

    fn add_peers(&mut self, options: &CompareOptions, folder: &Folder) {
        for peer in options.peers.iter().flat_map(|list| &list.0) {
            match peer.installed(folder) {
                Ok(installed) => {
                    self.versions.insert(installed.contender.name.clone(), installed.version);
                    self.contenders.push(installed.contender);
                }
                Err(reason) => self.left_out.push(LeftOut { name: peer.name().into(), reason }),
            }
        }
    }

    /// A curve of what cannot change is none.
    fn leave_out_what_does_not_grow(&mut self, sweep: Option<Sweep>) {
        let Some(sweep) = sweep else { return };
        let grows = |contender: &Contender| match sweep {
            Sweep::Body => true,
            Sweep::Workers => matches!(contender.launch, Launch::Serve { .. }),
            Sweep::Connections | Sweep::Headers => !matches!(contender.launch, Launch::Spawn { .. }),
        };
        let (grow, stay): (Vec<_>, Vec<_>) = self.contenders.drain(..).partition(grows);
        self.contenders = grow;
        let reason = format!("it has no {}", format!("{sweep:?}").to_lowercase());
        let reason = if sweep == Sweep::Workers { "it is measured with one process only".to_owned() } else { reason };
        self.left_out.extend(stay.into_iter().map(|it| LeftOut { name: it.name, reason: reason.clone() }));
    }

    /// How it is measured.
    pub(super) fn method(&self, meter: &Meter) -> Method {
        let seconds = |duration: Duration| duration.as_secs_f64();
        Method {
            text: vec![self.about_running(), self.about_figures(meter)],
            server_cores: self.cores.server.clone(),
            load_core: self.cores.load,
            cpu: meter.name(),
            warm_up_seconds: seconds(self.budget.warm_up),
            measurement_seconds: seconds(self.budget.measurement),
            most_rounds: self.budget.most_rounds,
            most_seconds: seconds(self.budget.most_time),
            wanted_interval: WANTED_INTERVAL,
        }
    }

    fn about_running(&self) -> String {
        let list = |cores: &[usize]| cores.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
        let place = match self.cores.are_shared() {
            true => format!("Servers and load share core {}.", self.cores.load),
            false => format!("Servers run on core {}, the load on core {}.", list(&self.cores.server), self.cores.load),
        };
        let pace = match self.rate {
            Some(rate) => format!(
                "Open loop: {rate} requests are due in each second whatever the server does, and a latency begins when \
                 its request was due, so nothing is omitted while a server is slow."
            ),
            None => {
                "Closed loop: each connection sends its next request when it has the answer to the last.".to_owned()
            }
        };
        format!(
            "Method: {place} One contender runs at a time, started anew for each measurement of {} s after {} s of \
             warm-up (longer where there are fewer answers than connections in that time), and the order rotates from \
             round to round. Every answer is checked: status, headers and body, byte for byte. {pace}",
            self.budget.measurement.as_secs_f64(),
            self.budget.warm_up.as_secs_f64(),
        )
    }

    fn about_figures(&self, meter: &Meter) -> String {
        format!(
            "CPU/request is the CPU time of all of a server's processes, from {}, the geometric mean over the rounds. ratio is CPU/request in relation to \
             the cheapest in the same round, with its confidence interval of 95 %; rounds go on until \
             each interval is narrower than {:.0} % or there were {} of them or {} s are over. Latencies are those of \
             all rounds together. memory is what all processes have under load, with what they share counted once (PSS) where the \
             system tells that.",
            meter.name(),
            WANTED_INTERVAL * 100.0,
            self.budget.most_rounds,
            self.budget.most_time.as_secs_f64(),
        )
    }

    /// What this machine and this run make of the figures.
    pub(super) fn notes(&self, report: &Report) -> Vec<String> {
        let mut notes = Vec::new();
        if report.tables.iter().any(|table| table.rows.iter().any(|row| row.shares.len() > 1)) {
            notes.push(format!("Shares: {}", shares::EXPLANATION));
        }
        if self.cores.are_shared() {
            notes.push(
                "Note: there is only one core. Load and server take time from each other, so requests/s and latencies \
                 say little; CPU/request and the ratios are measured as ever."
                    .to_owned(),
            );
        }
        if report.machine.load_average > BUSY {
            notes.push(format!(
                "Note: the machine was busy when this began (load average {:.2}). Expect wide intervals.",
                report.machine.load_average
            ));
        }
        notes
    }
}

fn tasks(options: &CompareOptions) -> Result<Vec<Task>, Failure> {
    let asked: Vec<_> = match options.targets.is_empty() {
        true => options.work.0.iter().copied().map(Asked::Work).collect(),
        false => vec![Asked::Path(options.path.clone())],
    };
    let mut tasks = Vec::new();
    for asked in asked {
        for connections in &options.connections.0 {
            let connections = connections.0;
            tasks.push(Task { asked: asked.clone(), connections, headers: 0, workers: 1, rate: options.rate });
        }
    }
    let (Some(sweep), Some(first)) = (options.sweep, tasks.first().cloned()) else { return Ok(tasks) };
    if tasks.len() > 1 {
        let tip = "name one piece of work and one number of connections";
        return Err(Failure::Usage(Complaint::new("--sweep lets one thing grow, and nothing else").tip(tip)));
    }
    Ok(match sweep {
        Sweep::Connections => CONNECTIONS.map(|connections| Task { connections, ..first.clone() }).to_vec(),
        Sweep::Headers => HEADERS.map(|headers| Task { headers, ..first.clone() }).to_vec(),
        Sweep::Workers => WORKERS.map(|workers| Task { workers, ..first.clone() }).to_vec(),
        Sweep::Body if options.targets.is_empty() => {
            BODIES.map(|size| Task { asked: Asked::Work(Work::Echo(size)), ..first.clone() }).to_vec()
        }
        Sweep::Body => {
            let complaint = Complaint::new("--sweep body has a body sent back, which not every TARGET does");
            return Err(Failure::Usage(complaint.tip("leave the TARGETs out to see the adapters' own curves")));
        }
    })
}

/// Of what takes part in any case.
fn versions() -> BTreeMap<String, String> {
    let mut versions = BTreeMap::from([("gateway".to_owned(), version())]);
    let mut add = |name: &str, program: Option<PathBuf>, option: &str| {
        let output = program.and_then(|program| Command::new(program).arg(option).output().ok());
        let Some(output) = output.filter(|output| output.status.success()) else { return };
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if let Some(line) = text.lines().next() {
            versions.insert(name.to_owned(), line.trim().to_owned());
        }
    };
    add("cc", compiler(), "--version");
    add("perl", which(Path::new("perl")), "-e print $^V");
    add("python3", python().ok(), "--version");
    versions
}
