//! The CPU time that a contender's processes have used, its dead children's included.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{self, Command, Stdio},
    time::Duration,
};

use rustix::{param::clock_ticks_per_second, process::getpid};

use super::processes;

/// Where CPU time is read.
#[derive(Debug)]
pub(super) enum Meter {
    /// A control group of our own, in which contenders are started. It is exact, and misses nobody.
    Group { folder: PathBuf, version: u8 },
    /// `/proc`: in ticks, and without processes that nobody has waited for.
    Proc,
}

impl Meter {
    /// The best that this process may use.
    pub(super) fn choose() -> Self {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let membership = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let group = |(parent, version): (PathBuf, u8)| {
            let folder = parent.join(format!("gateway-compare-{}", process::id()));
            fs::create_dir(&folder).ok()?;
            let meter = Meter::Group { folder, version };
            // Who may make a group may still not be allowed to move processes into it.
            meter.works().then_some(meter)
        };
        places(&mounts, &membership).into_iter().find_map(group).unwrap_or(Meter::Proc)
    }

    /// What it is, for the report.
    pub(super) fn name(&self) -> String {
        match self {
            Meter::Group { version, .. } => format!("a control group (version {version}), children included"),
            Meter::Proc => "/proc, children that were waited for included, in ticks of 10 ms".to_owned(),
        }
    }

    /// The group's folder, if it is one.
    pub(super) fn folder(&self) -> Option<&Path> {
        match self {
            Meter::Group { folder, .. } => Some(folder),
            Meter::Proc => None,
        }
    }

    /// A command that starts `program` in the group.
    pub(super) fn command(&self, program: &Path) -> Command {
        match self {
            Meter::Group { folder, .. } => {
                let mut command = Command::new("/bin/sh");
                // The shell joins the group and then becomes the program: no time passes outside.
                let script = "echo $$ > \"$0\" && exec \"$@\"";
                command.args(["-c", script]).arg(folder.join("cgroup.procs")).arg(program);
                command
            }
            Meter::Proc => Command::new(program),
        }
    }

    /// The CPU time that was used up to now.
    ///
    /// # Errors
    /// What the system reports.
    pub(super) fn used(&self) -> io::Result<Duration> {
        match self {
            Meter::Group { folder, version: 1 } => {
                let text = fs::read_to_string(folder.join("cpuacct.usage"))?;
                Ok(Duration::from_nanos(text.trim().parse().map_err(io::Error::other)?))
            }
            Meter::Group { folder, .. } => {
                let text = fs::read_to_string(folder.join("cpu.stat"))?;
                let usage = text.lines().find_map(|line| line.strip_prefix("usage_usec ")).unwrap_or_default();
                Ok(Duration::from_micros(usage.trim().parse().map_err(io::Error::other)?))
            }
            Meter::Proc => {
                // Orphans are this process's children, so that the time of those that ended is in its own account.
                let ours = processes::stat(getpid()).map_or(0, |stat| stat.children);
                let below = processes::descendants().into_iter().filter_map(processes::stat);
                let ticks = ours + below.map(|stat| stat.own + stat.children).sum::<u64>();
                Ok(Duration::from_secs_f64(ticks as f64 / clock_ticks_per_second() as f64))
            }
        }
    }

    fn works(&self) -> bool {
        let status = self.command(Path::new("true")).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success()) && self.used().is_ok()
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        if let Meter::Group { folder, .. } = self {
            // An empty group costs nobody anything, should it stay.
            let _ = fs::remove_dir(folder);
        }
    }
}

/// The folders below which a group could be made, with the version of their kind: first the one whose only purpose is
/// accounting, and each time first below the group that this process is in.
fn places(mounts: &str, membership: &str) -> Vec<(PathBuf, u8)> {
    let mut places = Vec::new();
    for (version, wanted) in [(1, "cgroup"), (2, "cgroup2")] {
        for line in mounts.lines() {
            let fields: Vec<_> = line.split(' ').collect();
            let [_, point, kind, options, ..] = fields[..] else { continue };
            if kind != wanted || (version == 1 && !options.split(',').any(|option| option == "cpuacct")) {
                continue;
            }
            let own = membership.lines().find_map(|line| {
                let mut parts = line.splitn(3, ':').skip(1);
                let (controllers, path) = (parts.next()?, parts.next()?);
                let is_it = if version == 1 {
                    controllers.split(',').any(|it| it == "cpuacct")
                } else {
                    controllers.is_empty()
                };
                is_it.then_some(path.trim_start_matches('/'))
            });
            let point = Path::new(point);
            places.extend(own.filter(|own| !own.is_empty()).map(|own| (point.join(own), version)));
            places.push((point.to_owned(), version));
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A shell whose child burns a fifth of a second.
    fn burn(meter: &Meter) {
        let loops = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done";
        let script = format!("sh -c '{loops}'; true");
        let status = meter.command(Path::new("sh")).args(["-c", &script]).status().unwrap();
        assert!(status.success());
    }

    #[test]
    fn the_time_of_children_counts() {
        for meter in [Meter::choose(), Meter::Proc] {
            let before = meter.used().unwrap();
            burn(&meter);
            let used = meter.used().unwrap() - before;
            assert!(used > Duration::from_millis(10) && used < Duration::from_secs(20), "{meter:?}: {used:?}");
        }
    }

    #[test]
    fn groups_are_looked_for_where_they_are_mounted() {
        let mounts = "tmpfs /sys/fs/cgroup tmpfs rw 0 0\n\
            cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\n\
            cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0\n\
            cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n";
        let membership = "3:memory:/m\n2:cpu,cpuacct:/user/7\n0::/\n";
        let expected = ["/sys/fs/cgroup/cpu,cpuacct/user/7", "/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/unified"];
        let found = places(mounts, membership);
        assert_eq!(found.iter().map(|(path, _)| path.to_str().unwrap()).collect::<Vec<_>>(), expected);
        assert_eq!(found.iter().map(|(_, version)| *version).collect::<Vec<_>>(), [1, 1, 2]);
    }
}
