//! How the command is run.

use std::{
    env, fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// Longer than anything here takes, however busy the machine is.
pub(crate) const BOUND: Duration = Duration::from_secs(120);

/// Variables that are not the command's own.
const CUSTOMARY: [&str; 3] = ["PORT", "VIRTUAL_ENV", "WEB_CONCURRENCY"];

/// The command, in an environment that says nothing about it.
pub(crate) fn gateway(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("GATEWAY_") || CUSTOMARY.iter().any(|customary| name == *customary) {
            command.env_remove(name);
        }
    }
    command.args(args).stdin(Stdio::null());
    command
}

/// Runs a command that ends by itself.
pub(crate) fn output(command: &mut Command) -> Output {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let ended = wait(&mut child);
    if ended.is_none() {
        child.kill().unwrap();
    }
    let output = child.wait_with_output().unwrap();
    assert!(ended.is_some(), "still runs: {command:?}\n{}", String::from_utf8_lossy(&output.stderr));
    output
}

fn wait(child: &mut Child) -> Option<ExitStatus> {
    let begun = Instant::now();
    while begun.elapsed() < BOUND {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        thread::sleep(Duration::from_millis(5));
    }
    None
}

#[track_caller]
pub(crate) fn assert_fails(command: &mut Command, code: i32, hints: &[&str]) {
    let output = output(command);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{command:?}\n{stderr}");
    for hint in hints {
        assert!(stderr.contains(hint), "{command:?}: no {hint:?} in\n{stderr}");
    }
}

#[track_caller]
pub(crate) fn printed_config(command: &mut Command) -> String {
    let output = output(command.arg("--print-config"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A running server. It is killed when it is dropped.
pub(crate) struct Gateway {
    pub(crate) child: Child,
    /// `127.0.0.1:PORT`.
    pub(crate) address: String,
    pub(crate) banner: String,
    pub(crate) stdout: Receiver<String>,
}

impl Gateway {
    pub(crate) fn start(command: &mut Command) -> Self {
        let command = command.env("GATEWAY_BIND", "127.0.0.1:0").env("GATEWAY_LOG_LEVEL", "warn");
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (sender, stdout) = channel();
        thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let mut gateway = Gateway { child, address: String::new(), banner: String::new(), stdout };
        while gateway.address.is_empty() {
            let line = gateway.stdout.recv_timeout(BOUND).expect("it prints where it listens");
            if let Some(address) = line.strip_prefix("listening on http://") {
                gateway.address = address.to_owned();
            }
            gateway.banner.push_str(&line);
            gateway.banner.push('\n');
        }
        gateway
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(BOUND)).unwrap();
        stream
    }

    /// Sends one request, whose head lacks only its end, and returns the whole answer.
    pub(crate) fn exchange(&self, head: &[u8], body: &[u8]) -> String {
        let mut stream = self.connect();
        stream.write_all(&[head, b"\r\nHost: localhost\r\nConnection: close\r\n\r\n", body].concat()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    pub(crate) fn get(&self, path: &str) -> String {
        self.exchange(format!("GET {path} HTTP/1.1").as_bytes(), b"")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    #[track_caller]
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        wait(&mut self.child).expect("it ends").code()
    }

    /// What it printed behind the line with its address, once it has ended.
    pub(crate) fn rest_of_stdout(&self) -> String {
        self.stdout.iter().map(|line| line + "\n").collect()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

pub(crate) fn write(folder: &TempDir, name: &str, text: &str) -> String {
    let path = folder.path().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}
