//! A contender that runs: started on the server's core and in the meter's group, found where it listens, and ended with all
//! that it has started.

use std::{
    env,
    ffi::OsString,
    fs::{self, File},
    io::{self, BufReader},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::{
    contenders::{Contender, Launch},
    cores::Cores,
    cpu::Meter,
    interrupt, processes,
    work::Work,
};

/// How long a server may take to listen.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked whether it does.
const GLANCE: Duration = Duration::from_millis(2);
/// How much is quoted of what a contender says when it does not start.
const QUOTED_LINES: usize = 20;

/// What all contenders are started with.
#[derive(Debug)]
pub(super) struct Launcher {
    pub(super) cores: Cores,
    pub(super) meter: Meter,
    /// Where logs and sockets are.
    pub(super) folder: PathBuf,
    /// The port of each in its turn, or free ones.
    pub(super) port: Option<u16>,
}

/// A contender that runs. It ends, with everything that it has started, when this is dropped.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    pub(super) place: Place,
}

/// How it is given work.
#[derive(Debug)]
pub(super) enum Place {
    Address(SocketAddr),
    Pipes { commands: ChildStdin, answers: BufReader<ChildStdout> },
}

impl Launcher {
    /// Starts a contender and waits until it is ready.
    ///
    /// # Errors
    /// Why it is not, for people; with what it says itself if it says something.
    pub(super) fn start(&self, contender: &Contender, work: Option<Work>, workers: u16) -> Result<Running, String> {
        let spawns = matches!(contender.launch, Launch::Spawn { .. });
        let port = if spawns { 0 } else { self.free_port()? };
        let (stdout, stderr) = (self.folder.join("stdout"), self.folder.join("stderr"));
        let cannot = |error: io::Error| format!("cannot be started: {error}");
        let mut command = self.command(&contender.launch, port, work, workers)?;
        command.stderr(File::create(&stderr).map_err(cannot)?);
        match spawns {
            true => command.stdin(Stdio::piped()).stdout(Stdio::piped()),
            false => command.stdin(Stdio::null()).stdout(File::create(&stdout).map_err(cannot)?),
        };
        let undisturbed = interrupt::undisturbed();
        let mut child = self.cores.in_server(|| command.spawn()).map_err(cannot)?;
        drop(undisturbed);
        let place = match (child.stdin.take(), child.stdout.take(), &contender.launch) {
            (Some(commands), Some(answers), _) => Place::Pipes { commands, answers: BufReader::new(answers) },
            (.., Launch::Peer { .. }) => {
                let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
                let listens = || TcpStream::connect_timeout(&address, PATIENCE).ok().map(|_| address);
                Place::Address(wait_for(&mut child, listens).ok_or_else(|| complaint(&stderr, &stdout))?)
            }
            _ => {
                let listens = || announced(&fs::read_to_string(&stdout).unwrap_or_default());
                Place::Address(wait_for(&mut child, listens).ok_or_else(|| complaint(&stderr, &stdout))?)
            }
        };
        Ok(Running { child, place })
    }

    /// A port that nobody listens on, which is looked at even if it was asked for: whoever has it would be measured.
    fn free_port(&self) -> Result<u16, String> {
        let wanted = self.port.unwrap_or(0);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, wanted)).and_then(|listener| listener.local_addr());
        listener.map(|address| address.port()).map_err(|error| match error.kind() {
            io::ErrorKind::AddrInUse => {
                format!(
                "port {wanted} is in use: another program listens on 127.0.0.1:{wanted}; end it, or name another --port"
            )
            }
            _ => format!("cannot listen on 127.0.0.1:{wanted}: {error}"),
        })
    }

    fn command(&self, launch: &Launch, port: u16, work: Option<Work>, workers: u16) -> Result<Command, String> {
        let gateway = || env::current_exe().map_err(|error| format!("cannot find the command itself: {error}"));
        let mut command = match launch {
            Launch::Serve { target, threads } => {
                let mut command = self.meter.command(&gateway()?);
                command.args(["serve", "--log-level", "warn", "--bind", &format!("127.0.0.1:{port}")]);
                command.args(["--workers", &workers.to_string()]);
                if let Some(threads) = threads {
                    command.args(["--threads", &threads.to_string()]);
                }
                command.arg(target);
                command
            }
            Launch::Hyper => {
                let mut command = self.meter.command(&gateway()?);
                command.args(["limit", "hyper", &port.to_string()]);
                command
            }
            Launch::Spawn { program } => {
                let mut command = self.meter.command(&gateway()?);
                command.args(["limit", "spawn"]).arg(program).arg(work.unwrap_or(Work::Hello).to_string());
                command
            }
            Launch::Peer { command, environment } => self.peer(command, environment, port)?,
        };
        // The options of a server that the user has set elsewhere are not those of this comparison.
        for (name, _) in
            env::vars_os().filter(|(name, _)| name == "PORT" || name.as_encoded_bytes().starts_with(b"GATEWAY_"))
        {
            command.env_remove(name);
        }
        Ok(command)
    }

    fn peer(&self, words: &[OsString], environment: &[(&str, OsString)], port: u16) -> Result<Command, String> {
        let with_port = |word: &OsString| match word.to_str() {
            Some(text) => text.replace("{port}", &port.to_string()).into(),
            None => word.clone(),
        };
        let words: Vec<OsString> = words.iter().map(with_port).collect();
        let (program, arguments) = words.split_first().ok_or("there is no command")?;
        let mut command = self.meter.command(Path::new(program));
        command.args(arguments).envs(environment.iter().map(|(name, value)| (name, value)));
        Ok(command)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Waits until `ready` has something to give; nothing comes any more if the process ends, or takes too long.
fn wait_for<T>(child: &mut Child, ready: impl Fn() -> Option<T>) -> Option<T> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if let Some(it) = ready() {
            return Some(it);
        }
        if !matches!(child.try_wait(), Ok(None)) {
            break;
        }
        thread::sleep(GLANCE);
    }
    end(child);
    None
}

/// First the process itself, so that it starts nobody any more, then all that it leaves.
fn end(child: &mut Child) {
    // One that has ended meanwhile is what is wanted.
    let _ = child.kill();
    let _ = child.wait();
    processes::end_all();
}

/// The address in the line that `gateway serve` prints when it listens.
fn announced(stdout: &str) -> Option<SocketAddr> {
    let (line, _) = stdout.split_once("listening on http://")?.1.split_once('\n')?;
    line.trim_end().parse().ok()
}

/// The last of what a contender said before it ended.
fn complaint(stderr: &Path, stdout: &Path) -> String {
    let read = |path| fs::read(path).map(|text| String::from_utf8_lossy(&text).trim().to_owned()).unwrap_or_default();
    let text = Some(read(stderr)).filter(|text| !text.is_empty()).unwrap_or_else(|| read(stdout));
    if text.is_empty() {
        return format!("does not listen within {} s, and says nothing", PATIENCE.as_secs());
    }
    let lines: Vec<_> = text.lines().collect();
    let last = &lines[lines.len().saturating_sub(QUOTED_LINES)..];
    format!("does not start:\n{}", last.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_stands_in_a_whole_line() {
        assert_eq!(announced("gateway 1\nlistening on http://127.0.0.1:80"), None);
        let address = announced("gateway 1\nlistening on http://127.0.0.1:8000\n  / …\n").unwrap();
        assert_eq!(address.to_string(), "127.0.0.1:8000");
        assert_eq!(announced(""), None);
    }
}
