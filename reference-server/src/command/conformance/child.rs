//! A server that is started to be judged.

use std::{
    fs::{self, File},
    io,
    net::TcpListener,
    os::unix::process::CommandExt as _,
    path::PathBuf,
    process::{self, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use gateway_spec::conformance::Target;
use rustix::process::{Pid, Signal, kill_process_group};

use super::super::failure::{Failure, Report};

/// How a server is started.
#[derive(Clone, Debug)]
pub(super) struct Start {
    /// Its name and version.
    pub(super) name: String,
    pub(super) is_ours: bool,
    /// Program and arguments; `{port}` stands for the port.
    pub(super) command: Vec<String>,
    /// Where it runs, with the probe in it.
    pub(super) folder: PathBuf,
    /// Where the probe is, below the root.
    pub(super) prefix: &'static str,
}

/// A server that runs, in a process group of its own. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Child {
    process: process::Child,
    pub(super) target: Target,
}

/// How long a server may take to start, and to end.
const PATIENCE: Duration = Duration::from_secs(30);

impl Child {
    /// # Errors
    /// [`Failure::Runtime`] if it cannot be started, with its last words.
    pub(super) fn run(start: &Start) -> Result<Self, Failure> {
        let log = start.folder.join("server.log");
        let failed = |error: &dyn std::error::Error| {
            let said = fs::read_to_string(&log).unwrap_or_default();
            let report = Report::new(format!("cannot start {}", start.name)).because(error);
            Failure::Runtime(if said.is_empty() { report } else { report.tip(format!("it has said:\n{said}")) })
        };
        let port = free_port().map_err(|error| failed(&error))?;
        let mut process = spawn(start, port, &log).map_err(|error| failed(&error))?;
        let url = format!("http://127.0.0.1:{port}{}", start.prefix);
        let end = Instant::now() + PATIENCE;
        loop {
            match Target::find(&url) {
                Ok(target) => return Ok(Child { process, target }),
                Err(error) if Instant::now() > end || !matches!(process.try_wait(), Ok(None)) => {
                    end_group(&mut process);
                    return Err(failed(&error));
                }
                Err(_) => thread::sleep(Duration::from_millis(50)),
            }
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        end_group(&mut self.process);
    }
}

fn spawn(start: &Start, port: u16, log: &PathBuf) -> io::Result<process::Child> {
    let mut arguments = start.command.iter().map(|argument| argument.replace("{port}", &port.to_string()));
    let mut command = Command::new(arguments.next().unwrap_or_default());
    command.args(arguments).current_dir(&start.folder).process_group(0);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("GATEWAY_") || name == "PORT" || name == "LD_LIBRARY_PATH" {
            command.env_remove(name);
        }
    }
    // Nothing of this may be seen by an application.
    command.env("HTTP_X_PROBE_ENVIRONMENT", "1").env("PROBE_SECRET", "1");
    // Not every server looks for modules where it is.
    command.env("PYTHONPATH", &start.folder);
    let log = File::create(log)?;
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Politely first: a server is to end what it has started.
fn end_group(process: &mut process::Child) {
    let group = Pid::from_child(process);
    let _ = kill_process_group(group, Signal::TERM);
    let end = Instant::now() + Duration::from_secs(3);
    while matches!(process.try_wait(), Ok(None)) && Instant::now() < end {
        thread::sleep(Duration::from_millis(10));
    }
    // The group is there for as long as one of it is.
    let _ = kill_process_group(group, Signal::KILL);
    let _ = process.wait();
}
