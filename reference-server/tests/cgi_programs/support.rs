//! A server from a configuration file, and a client that says little.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

/// Longer than anything here takes.
const BOUND: Duration = Duration::from_secs(120);

/// A running `gateway`, in whose folder is what it serves. It ends when this is dropped.
pub(crate) struct Site {
    child: Child,
    address: String,
    log: Arc<Mutex<String>>,
    folder: tempfile::TempDir,
}

/// A response, received whole.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Site {
    /// Serves what `mounts` says, the lines of the table in the configuration file. `FOLDER` in there is the site's.
    pub(crate) fn new(folder: tempfile::TempDir, mounts: &str) -> Self {
        let config = folder.path().join("gateway.toml");
        let mounts = mounts.replace("FOLDER", folder.path().to_str().unwrap());
        fs::write(&config, format!("bind = '127.0.0.1:0'\n[mount]\n{mounts}\n")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
        command.args(["serve", "--config"]).arg(&config).stdin(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (mut stderr, lines) = (BufReader::new(child.stderr.take().unwrap()), log.clone());
        thread::spawn(move || {
            let mut line = String::new();
            while stderr.read_line(&mut line).unwrap_or(0) > 0 {
                lines.lock().unwrap().push_str(&std::mem::take(&mut line));
            }
        });
        let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let address = stdout.find_map(|line| Some(line.split_once("listening on http://")?.1.to_owned()));
        let address = address.unwrap_or_else(|| panic!("it did not start: {}", log.lock().unwrap()));
        thread::spawn(move || stdout.for_each(drop));
        Site { child, address, log, folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.request("GET", path, "", b"")
    }

    /// One request on a connection of its own; `headers` are complete lines.
    pub(crate) fn request(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(BOUND)).unwrap();
        let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        // HTTP/1.0, so that the body is not chunked and the end of the connection is its end.
        write!(stream, "{method} {path} HTTP/1.0\r\nHost: test\r\n{headers}{length}\r\n").unwrap();
        stream.write_all(body).unwrap();
        let mut response = Vec::new();
        stream.read_to_end(&mut response).unwrap();
        let end = response.windows(4).position(|window| window == b"\r\n\r\n").expect("a head");
        let head = String::from_utf8(response[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head, body: response.split_off(end + 4) }
    }

    /// The log, as soon as `text` stands in it.
    pub(crate) fn log_with(&self, text: &str) -> String {
        let begin = Instant::now();
        loop {
            let log = self.log.lock().unwrap().clone();
            if log.contains(text) {
                return log;
            }
            assert!(begin.elapsed() < BOUND, "{text:?} is not in the log:\n{log}");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Answer {
    /// The body of an answer that has to be a good one.
    pub(crate) fn text(&self) -> &str {
        assert_eq!(self.status, 200, "{}\n{}", self.head, String::from_utf8_lossy(&self.body));
        std::str::from_utf8(&self.body).unwrap()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- the server's log ---\n{}", self.log.lock().unwrap());
        }
    }
}

/// A new folder with an empty `cgi-bin`.
pub(crate) fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("cgi-bin")).unwrap();
    folder
}

/// Adds a program. Another process writes it: a descriptor of ours would be inherited for a moment by what other tests
/// start, and nobody can execute a file that is being written.
pub(crate) fn add(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    let mut tee = Command::new("tee").arg(&path).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    tee.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(tee.wait().unwrap().success());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Runs a command that has to succeed.
pub(crate) fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// Whether a command succeeds, which means that a program is there. On CI it has to be.
pub(crate) fn has(program: &str, arguments: &[&str]) -> bool {
    let there = Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success());
    there || missing(&format!("{program} {}", arguments.join(" ")))
}

/// Whether a file is there. On CI it has to be.
pub(crate) fn has_file(path: &Path) -> bool {
    path.is_file() || missing(&path.display().to_string())
}

fn missing(what: &str) -> bool {
    assert!(std::env::var_os("CI").is_none(), "there is no {what}");
    eprintln!("skipped: no {what}");
    false
}
