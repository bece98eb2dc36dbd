//! A running `gateway`.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs,
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{self, Receiver},
    },
    thread::{self, sleep},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use super::{Client, PATIENCE, Response, apps, python, wait_until};

/// A `gateway serve` that is to be started.
pub(crate) struct Gateway(Command);

/// A `gateway serve` that runs; it ends when this is dropped.
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
    log: Arc<Mutex<String>>,
    /// What it prints behind the line with its address.
    lines: Mutex<Receiver<String>>,
}

impl Gateway {
    /// Serves `targets`; paths and modules are looked up in the folder of the test applications.
    pub(crate) fn new<T: AsRef<OsStr>>(targets: impl IntoIterator<Item = T>) -> Self {
        let mut gateway = Gateway::with_arguments(["serve", "--bind", "127.0.0.1:0", "--chdir"]);
        gateway.0.arg(apps()).args(targets);
        gateway
    }

    /// Serves what a configuration file says, and nothing else: its addresses, too.
    pub(crate) fn configured(file: &Path) -> Self {
        let mut gateway = Gateway::with_arguments(["serve", "--config"]);
        gateway.0.arg(file);
        gateway
    }

    fn with_arguments<const N: usize>(arguments: [&str; N]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
        command.args(arguments);
        // Whoever runs the tests may have set some of the command's options.
        for (name, _) in
            env::vars().filter(|(name, _)| name.starts_with("GATEWAY_") || name == "PORT" || name == "WEB_CONCURRENCY")
        {
            command.env_remove(name);
        }
        // The same tests again, in another way of calling applications: `TEST_THREADS=1 cargo test`.
        if let Some(threads) = env::var_os("TEST_THREADS") {
            command.env("GATEWAY_THREADS", threads);
        }
        command.env_remove("VIRTUAL_ENV").env_remove("PYTHONPATH").env("PYTHONDONTWRITEBYTECODE", "1");
        // cargo sets it for tests; libpython must be found without.
        command.env_remove("LD_LIBRARY_PATH");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Gateway(command)
    }

    /// Serves what a configuration file says.
    pub(crate) fn bare() -> Self {
        Gateway::new([] as [&str; 0])
    }

    pub(crate) fn option(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.0.arg(name).arg(value);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.0.env(name, value);
        self
    }

    /// Runs a copy of the program.
    pub(crate) fn program(self, program: &Path) -> Self {
        let arguments: Vec<_> = self.0.get_args().map(OsStr::to_owned).collect();
        self.rebuilt(Command::new(program), arguments)
    }

    /// Runs inside of another command, which ends with its own arguments.
    pub(crate) fn inside(self, wrapper: &[&str]) -> Self {
        let mut command = Command::new(wrapper[0]);
        command.args(&wrapper[1..]).arg(self.0.get_program());
        let arguments: Vec<_> = self.0.get_args().map(OsStr::to_owned).collect();
        self.rebuilt(command, arguments)
    }

    fn rebuilt(self, mut command: Command, arguments: Vec<OsString>) -> Self {
        for (name, value) in self.0.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Gateway(command)
    }

    /// Imports see the virtual environment with the packages of `requirements.txt`.
    pub(crate) fn with_packages(self) -> Self {
        self.option("--venv", python::packages())
    }

    pub(crate) fn start(mut self) -> Server {
        let mut child = self.0.spawn().unwrap();
        let log = collect(child.stderr.take().unwrap());
        let (sender, lines) = mpsc::channel();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || {
            // Reads on after the port is known: a full pipe must not hold the server up.
            let mut line = String::new();
            while stdout.read_line(&mut line).unwrap_or(0) > 0 {
                let _ = sender.send(std::mem::take(&mut line));
            }
        });
        let address = loop {
            match lines.recv_timeout(PATIENCE) {
                Ok(line) => match line.trim_end().rsplit_once("listening on http://") {
                    Some((_, address)) => break address.parse().unwrap(),
                    None => continue,
                },
                Err(_) => panic!("{:?} did not start: {}", self.0, lock(&log)),
            }
        };
        Server { child, address, log, lines: Mutex::new(lines) }
    }

    /// Runs a command that is to end by itself: its exit code, and what it says.
    pub(crate) fn fail(mut self) -> (Option<i32>, String) {
        let mut child = self.0.spawn().unwrap();
        let (log, stdout) = (collect(child.stderr.take().unwrap()), collect(child.stdout.take().unwrap()));
        let status = wait_for_exit(&mut child);
        // Both pipes are read to their end once nobody else holds them.
        wait_until("the end of the output", || Arc::strong_count(&log) == 1 && Arc::strong_count(&stdout) == 1);
        let text = format!("{}{}", lock(&stdout), lock(&log));
        (status.code(), text)
    }
}

impl Server {
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    /// Waits for what follows `before` in the log's next line that has it, behind the first `skipped` bytes.
    pub(crate) fn logged_after(&self, skipped: usize, before: &str) -> String {
        self.wait_for_log_after(skipped, before);
        let log = self.log();
        let (_, rest) = log[skipped..].split_once(before).unwrap();
        rest.lines().next().unwrap().to_owned()
    }

    /// The next line that the server prints on its standard output, behind the one with its address.
    pub(crate) fn next_line(&self) -> String {
        lock(&self.lines).recv_timeout(PATIENCE).expect("another line")
    }

    pub(crate) fn get(&self, target: &str) -> Response {
        self.request("GET", target, "", b"")
    }

    pub(crate) fn post(&self, target: &str, body: impl AsRef<[u8]>) -> Response {
        self.request("POST", target, "", body.as_ref())
    }

    /// One request on a connection of its own. `headers` are complete lines.
    pub(crate) fn request(&self, method: &str, target: &str, headers: &str, body: &[u8]) -> Response {
        let mut client = self.connect();
        let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        client.send(format!("{method} {target} HTTP/1.1\r\nHost: test\r\n{headers}{length}\r\n"));
        client.try_send(body);
        client.response_to(method)
    }

    /// What the server has logged up to now.
    pub(crate) fn log(&self) -> String {
        lock(&self.log).clone()
    }

    /// Waits until `text` stands in the log.
    pub(crate) fn wait_for_log(&self, text: &str) {
        self.wait_for_log_after(0, text);
    }

    /// Waits until `text` stands in the log behind its first `skipped` bytes.
    pub(crate) fn wait_for_log_after(&self, skipped: usize, text: &str) {
        let begin = Instant::now();
        while !lock(&self.log)[skipped..].contains(text) {
            assert!(begin.elapsed() < PATIENCE, "{text:?} is not in the log:\n{}", self.log());
            sleep(Duration::from_millis(10));
        }
    }

    /// The most memory that the worker has had at once, in bytes.
    pub(crate) fn peak_memory(&self) -> u64 {
        self.memory("VmHWM:")
    }

    /// The memory that the worker has now, in bytes.
    pub(crate) fn resident_memory(&self) -> u64 {
        self.memory("VmRSS:")
    }

    fn memory(&self, which: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.worker())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(which)).unwrap();
        line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap() * 1024
    }

    /// The process of the only worker.
    pub(crate) fn worker(&self) -> u32 {
        let workers = self.workers();
        assert_eq!(workers.len(), 1);
        workers[0]
    }

    /// Waits until exactly so many workers run, and gives them.
    pub(crate) fn wait_for_workers(&self, count: usize) -> Vec<u32> {
        wait_until(&format!("{count} workers"), || self.workers().len() == count);
        self.workers()
    }

    /// The processes that the supervisor has started and that still run.
    pub(crate) fn workers(&self) -> Vec<u32> {
        children(self.child.id())
    }

    /// The process of the supervisor.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for the server's end.
    pub(crate) fn exit(mut self) -> ExitStatus {
        wait_for_exit(&mut self.child)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Politely first: the programs that it runs are to end as well.
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
            let begin = Instant::now();
            while matches!(self.child.try_wait(), Ok(None)) && begin.elapsed() < Duration::from_secs(5) {
                sleep(Duration::from_millis(5));
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- the server's log ---\n{}", self.log());
        }
    }
}

/// The processes that a process has started and that still run.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    children.split_whitespace().filter(|child| is_running(child)).map(|child| child.parse().unwrap()).collect()
}

/// Whether a process is there, and not only what is left of it for a parent that does not care.
pub(crate) fn is_running(pid: &str) -> bool {
    let stat = fs::read_to_string(Path::new("/proc").join(pid.trim()).join("stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with(['Z', 'X']))
}

fn wait_for_exit(child: &mut Child) -> ExitStatus {
    let begin = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if begin.elapsed() > PATIENCE {
            let _ = child.kill();
            panic!("the server does not end");
        }
        sleep(Duration::from_millis(5));
    }
}

fn collect(pipe: impl Read + Send + 'static) -> Arc<Mutex<String>> {
    let text = Arc::new(Mutex::new(String::new()));
    let collected = text.clone();
    thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while pipe.read_until(b'\n', &mut line).unwrap_or(0) > 0 {
            lock(&collected).push_str(&String::from_utf8_lossy(&std::mem::take(&mut line)));
        }
    });
    text
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
