//! Programs to run, requests to send them, and what came of it.

#![allow(dead_code, reason = "each test binary uses what it needs")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    future::poll_fn,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    pin::pin,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bytes::Bytes;
use cgi_adapter::Cgi;
use gateway_spec::{
    App, Connection, Environ, Error, ErrorLog, Host, Input, LogSink, Response, Result, Scheme, StartResponse,
};
use http::{HeaderMap, Request, request};
use http_body::{Body as _, Frame};

/// Longer than anything here takes, on a machine that is busy with other things too.
pub(crate) const BOUND: Duration = Duration::from_secs(120);

/// Longer than a test may take.
pub(crate) const LONG: Duration = Duration::from_secs(600);

/// A time that is to run out, but not before a program has begun to speak.
pub(crate) const SHORT: Duration = Duration::from_secs(2);

/// A folder of programs, mounted at `/cgi-bin`.
pub(crate) struct Site {
    folder: tempfile::TempDir,
    pub(crate) cgi: Cgi,
    pub(crate) log: Log,
    connection: Arc<Connection>,
}

/// What was logged.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl LogSink for Log {
    fn line(&self, line: &str) {
        self.0.lock().unwrap().push(line.into());
    }
}

impl Log {
    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// The lines, without the requests' ids: `program: text`.
    pub(crate) fn plain(&self) -> Vec<String> {
        let plain =
            |line: &String| match line.split_once(" [").and_then(|(name, rest)| Some((name, rest.split_once("]")?))) {
                Some((name, (_, text))) => format!("{name}{text}"),
                None => line.clone(),
            };
        self.0.lock().unwrap().iter().map(plain).collect()
    }
}

impl Site {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("cgi-bin")).unwrap();
        let cgi = Cgi::new(folder.path().join("cgi-bin")).unwrap();
        let log = Log::default();
        let host = Arc::new(Host { error_log: ErrorLog::new(log.clone()), ..Host::default() });
        let (local, remote) = ("127.0.0.1:8080".parse().unwrap(), "127.0.0.1:50000".parse().unwrap());
        let connection = Arc::new(Connection::new(host, Scheme::Http, Some(local), Some(remote)));
        Site { folder, cgi, log, connection }
    }

    /// A site with the shell script `p`.
    pub(crate) fn sh(script: &str) -> Self {
        let site = Site::new();
        site.add_sh("p", script);
        site
    }

    pub(crate) fn timeout(mut self, timeout: Duration) -> Self {
        self.cgi = self.cgi.timeout(timeout);
        self
    }

    /// How long programs may be silent behind their header block, for which they have all the time that they want.
    pub(crate) fn idle_timeout(self, timeout: Duration) -> Self {
        let mut site = self.timeout(timeout);
        site.cgi = site.cgi.head_timeout(LONG);
        site
    }

    pub(crate) fn root(&self) -> PathBuf {
        fs::canonicalize(self.folder.path().join("cgi-bin")).unwrap()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    pub(crate) fn add_sh(&self, name: &str, script: &str) {
        self.add(name, &format!("#!/bin/sh\n{script}"), 0o755);
    }

    pub(crate) fn add_python(&self, name: &str, script: &str) {
        self.add(name, &format!("#!{}\n{script}", python().display()), 0o755);
    }

    /// Another process writes the file: a descriptor of ours that writes it would be inherited for a moment by what
    /// other tests spawn, and nobody can execute a file that is being written.
    pub(crate) fn add(&self, name: &str, text: &str, mode: u32) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut tee = Command::new("tee").arg(&path).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        tee.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        assert!(tee.wait().unwrap().success());
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Compiles a program. False, with a word why, where there is no compiler.
    pub(crate) fn add_c(&self, name: &str, source: &str) -> bool {
        let compiler =
            Command::new("cc").args(["-x", "c", "-", "-o"]).arg(self.path(name)).stdin(Stdio::piped()).spawn();
        let Ok(mut compiler) = compiler else { return missing("cc") };
        compiler.stdin.take().unwrap().write_all(source.as_bytes()).unwrap();
        assert!(compiler.wait().unwrap().success());
        // Whatever the umask: what its group can write to is refused.
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o755)).unwrap();
        true
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path)).await
    }

    pub(crate) async fn send(&self, request: request::Builder) -> Answer {
        self.send_body(request, Input::empty()).await
    }

    pub(crate) async fn send_body(&self, request: request::Builder, input: Input) -> Answer {
        let logged = self.log.lines().len();
        let mut answer = Answer::of(self.response(request, input).await).await;
        answer.log = self.log.lines().split_off(logged);
        answer
    }

    /// The response with its body still running.
    pub(crate) async fn response(&self, request: request::Builder, input: Input) -> Result<Response> {
        let environ = self.environ(request, input);
        tokio::time::timeout(BOUND, self.cgi.call(environ, StartResponse::new())).await.expect("no answer in time")
    }

    /// Waits until none of its programs runs, whose working directory is its folder.
    pub(crate) async fn until_nobody_runs(&self) {
        let root = self.root();
        let runs = |entry: fs::DirEntry| fs::read_link(entry.path().join("cwd")).is_ok_and(|folder| folder == root);
        until("no program runs", || !fs::read_dir("/proc").unwrap().any(|entry| entry.is_ok_and(runs))).await;
    }

    pub(crate) fn environ(&self, request: request::Builder, input: Input) -> Environ {
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let mut environ = Environ::new(parts, input, self.connection.clone());
        environ.mount("/cgi-bin");
        environ
    }
}

/// A response, received.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// What the body ended in, or why there was no response.
    pub(crate) error: Option<Error>,
    /// What was logged meanwhile.
    pub(crate) log: Vec<String>,
}

impl Answer {
    pub(crate) async fn of(response: Result<Response>) -> Self {
        let (status, headers, body) = match response {
            Ok(response) => response.into_parts(),
            Err(error) => {
                let status = error.kind().status().as_u16();
                return Answer {
                    status,
                    headers: HeaderMap::new(),
                    body: Vec::new(),
                    error: Some(error),
                    log: Vec::new(),
                };
            }
        };
        let mut body = pin!(body);
        let mut answer =
            Answer { status: status.code().as_u16(), headers, body: Vec::new(), error: None, log: Vec::new() };
        let frames = async {
            while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
                match frame {
                    Ok(frame) => answer.body.extend_from_slice(&frame.into_data().unwrap()),
                    Err(error) => answer.error = Some(error),
                }
            }
        };
        tokio::time::timeout(BOUND, frames).await.expect("the body does not end");
        answer
    }

    /// The body as text; the request must have succeeded.
    pub(crate) fn text(&self) -> &str {
        assert!(self.error.is_none(), "{:?}", self.error);
        assert_eq!(self.status, 200, "{self:?}");
        std::str::from_utf8(&self.body).unwrap()
    }

    /// Why it failed, as the log has it: what the server would write of an error, or what was written last.
    pub(crate) fn failure(&self) -> String {
        let logged = self.log.last().cloned();
        self.error.as_ref().map(Error::chain).or(logged).expect("it should have failed")
    }

    /// That it is the answer to a failure: a text with the id of the request, which stands in the log.
    pub(crate) fn assert_failed(&self, status: u16) {
        assert_eq!((self.status, self.error.is_none()), (status, true), "{self:?}");
        let text = std::str::from_utf8(&self.body).unwrap();
        let request = text.trim_end().rsplit_once("request ").expect("the client is told an id").1;
        assert!(text.starts_with(&status.to_string()) && text.lines().count() == 2, "{text}");
        assert!(self.failure().contains(&format!(" [{request}]: ")), "{request} is not in {:?}", self.log);
    }
}

/// A body that comes in blocks and does not say how long it is: chunked.
pub(crate) fn chunked(blocks: Vec<Bytes>) -> Input {
    struct Blocks(std::vec::IntoIter<Bytes>);
    impl http_body::Body for Blocks {
        type Data = Bytes;
        type Error = Error;
        fn poll_frame(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<Frame<Bytes>>>> {
            std::task::Poll::Ready(self.0.next().map(|block| Ok(Frame::data(block))))
        }
    }
    Input::new(Blocks(blocks.into_iter()))
}

/// A body that comes when the test says so.
pub(crate) fn channel() -> (BlockSender, Input) {
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    (BlockSender(sender), Input::new(Received(receiver)))
}

pub(crate) struct BlockSender(tokio::sync::mpsc::UnboundedSender<Result<Bytes>>);

struct Received(tokio::sync::mpsc::UnboundedReceiver<Result<Bytes>>);

impl BlockSender {
    pub(crate) fn send(&mut self, block: &'static str) {
        self.0.send(Ok(block.into())).unwrap();
    }

    pub(crate) fn fail(&mut self, kind: gateway_spec::Kind) {
        self.0.send(Err(kind.into())).unwrap();
    }
}

impl http_body::Body for Received {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>>>> {
        self.0.poll_recv(cx).map(|block| block.map(|block| block.map(Frame::data)))
    }
}

/// The interpreter itself rather than a shim that starts one.
fn python() -> PathBuf {
    let found = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().unwrap();
    PathBuf::from(String::from_utf8(found.stdout).unwrap().trim())
}

/// Whether to go on without Python: not on CI.
pub(crate) fn has_python() -> bool {
    Command::new("python3").arg("--version").output().is_ok() || missing("python3")
}

/// Says that a test is skipped, which it may not be on CI.
pub(crate) fn missing(program: &str) -> bool {
    assert!(std::env::var_os("CI").is_none(), "there is no {program}");
    eprintln!("skipped: no {program}");
    false
}

/// Waits until `condition` holds.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < BOUND, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until a process is gone, which a zombie is not.
pub(crate) async fn until_gone(pid: &str) {
    let entry = Path::new("/proc").join(pid);
    until(&format!("process {pid} is gone"), || !entry.exists()).await;
}

/// Waits until a process has stopped. It is not our child, and so not ours to reap.
pub(crate) async fn until_stopped(pid: &str) {
    let status = Path::new("/proc").join(pid).join("status");
    let zombie = |status: String| status.lines().any(|line| line.starts_with("State:\tZ"));
    until(&format!("process {pid} stops"), || fs::read_to_string(&status).map_or(true, zombie)).await;
}

/// The number that a program has written to `file`, as soon as it has.
pub(crate) async fn pid_in(file: &Path) -> String {
    let read = || fs::read_to_string(file).unwrap_or_default();
    until("a program writes its number", || read().ends_with('\n')).await;
    read().trim().into()
}
