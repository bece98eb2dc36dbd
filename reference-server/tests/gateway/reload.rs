//! HUP: new code and new configuration without a lost request, and nothing new if they are wrong.

use std::{fs, path::Path, thread::sleep, time::Duration};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::{
    Gateway, Load, Server,
    load::Connections::{Kept, New},
    wait_until,
};

const APP: &str = "
def application(environ, start_response):
    start_response('200 OK', [('Content-Length', '3')])
    return [b'VER']
";

/// A folder with an application of a version, and a configuration that serves it.
struct Site(TempDir);

impl Site {
    fn new(version: &str) -> Self {
        let site = Site(tempfile::tempdir().unwrap());
        site.set_version(version);
        site.configure("");
        site
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.0.path().join(name), text).unwrap();
    }

    fn set_version(&self, version: &str) {
        self.write("versioned.py", APP.replace("VER", version));
    }

    fn configure(&self, more: &str) {
        let bind = if more.contains("bind") { "" } else { "bind = '127.0.0.1:0'" };
        let text = format!("chdir = '.'\ndrain-idle = 1\n{bind}\n{more}\n[mount]\n'/' = 'versioned:application'\n");
        self.write("gateway.toml", text);
    }

    fn start(&self) -> Server {
        Gateway::configured(&self.path().join("gateway.toml")).start()
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

/// Tells the server to reload, and waits until it says that it has not.
fn reload_in_vain(server: &Server, reason: &str) {
    let before = server.log().len();
    server.signal(Signal::HUP);
    server.wait_for_log_after(before, "the reload has failed, and nothing has changed");
    server.wait_for_log_after(before, reason);
}

fn reload(server: &Server, version: &str) {
    server.signal(Signal::HUP);
    wait_until(&format!("version {version}"), || server.get("/").text() == version);
}

#[test]
fn new_code_that_cannot_be_loaded_changes_nothing() {
    let site = Site::new("one");
    let server = site.start();
    site.write("versioned.py", "def application(environ, start_response:\n");
    reload_in_vain(&server, "SyntaxError");
    server.get("/").expect(200, "one");
    site.write("versioned.py", "import os\nos._exit(5)\n");
    reload_in_vain(&server, "exit code 5");
    server.get("/").expect(200, "one");
    site.set_version("two");
    reload(&server, "two");
}

/// Starts when there is no file "shut", and answers `/waits` when there is a file "answer".
const GATED: &str = "
import os, time

def wait(condition):
    while not condition():
        time.sleep(0.005)

wait(lambda: not os.path.exists('shut'))

def application(environ, start_response):
    if environ['PATH_INFO'] == '/waits':
        open('called', 'w').close()
        wait(lambda: os.path.exists('answer'))
    body = str(os.getpid()).encode()
    start_response('200 OK', [('Content-Length', str(len(body)))])
    return [body]
";

#[test]
fn a_worker_that_serves_before_the_supervisor_has_heard_of_it_finishes_its_requests() {
    let site = Site::new("one");
    site.write("versioned.py", GATED);
    let server = site.start();
    let first = server.worker();
    site.write("shut", "");
    server.signal(Signal::TTIN);
    wait_until("another worker", || server.workers().len() == 2);
    server.signal(Signal::STOP);
    fs::remove_file(site.path().join("shut")).unwrap();
    let other = server.workers().into_iter().find(|pid| *pid != first).unwrap();
    let mut client = server.connect();
    let request = |path| format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
    wait_until("a connection to the other worker", || {
        client = server.connect();
        client.send(request("/")).response().text() != first.to_string()
    });
    client.send(request("/waits"));
    wait_until("the application to be called", || site.path().join("called").exists());
    site.configure("workers = 2");
    server.signal(Signal::HUP);
    server.signal(Signal::CONT);
    server.wait_for_log("reloading");
    let is_new = |pid: &u32| ![first, other].contains(pid);
    wait_until("two new workers", || server.workers().iter().filter(|pid| is_new(pid)).count() == 2);
    site.write("answer", "");
    client.response().expect(200, &other.to_string());
}

/// Takes half a second to end, and makes a folder "ending" when it begins to, if it was imported while there was a file
/// "shut".
const ENDS_SLOWLY: &str = "
import ctypes, os, time

if os.path.exists('shut'):
    libc, ending = ctypes.CDLL(None), ctypes.create_string_buffer(b'ending')
    # The last is called first.
    for function, argument in (libc.usleep, ctypes.c_void_p(500_000)), (libc.mkdir, ending):
        getattr(libc, '__cxa_atexit')(ctypes.cast(function, ctypes.c_void_p), argument, None)
    open('imported', 'w').close()
    while os.path.exists('shut'):
        time.sleep(0.005)

def application(environ, start_response):
    body = str(os.getpid()).encode()
    start_response('200 OK', [('Content-Length', str(len(body)))])
    return [body]
";

#[test]
fn a_worker_that_serves_before_the_supervisor_has_heard_of_it_is_one_to_go_back_to() {
    let site = Site::new("one");
    let server = site.start();
    server.signal(Signal::WINCH);
    server.wait_for_workers(0);
    site.write("versioned.py", GATED);
    site.write("shut", "");
    server.signal(Signal::TTIN);
    let worker = server.wait_for_workers(1)[0];
    server.signal(Signal::STOP);
    fs::remove_file(site.path().join("shut")).unwrap();
    server.get("/").expect(200, &worker.to_string());
    site.write("versioned.py", "def application(environ, start_response:\n");
    server.signal(Signal::HUP);
    server.signal(Signal::CONT);
    server.wait_for_log("the reload has failed, and nothing has changed");
    server.get("/").expect(200, &worker.to_string());
}

#[test]
fn a_worker_that_ends_before_it_serves_does_not_begin_to_meanwhile() {
    let site = Site::new("one");
    site.configure("workers = 2\nlog-level = 'debug'");
    site.write("versioned.py", ENDS_SLOWLY);
    let server = site.start();
    let serving = crate::workers::serving(&server, 2);
    site.write("shut", "");
    server.signal(Signal::TTIN);
    wait_until("a third worker", || site.path().join("imported").exists());
    server.signal(Signal::TTOU);
    wait_until("its end to begin", || site.path().join("ending").exists());
    fs::remove_file(site.path().join("shut")).unwrap();
    let mut clients = vec![];
    while server.workers().len() > 2 {
        let mut client = server.connect();
        let response = client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").response();
        assert!(serving.contains(&response.text().parse().unwrap()), "{serving:?}: {}", response.text());
        clients.push(client);
        sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_configuration_with_a_mistake_changes_nothing() {
    let site = Site::new("one");
    let server = site.start();
    site.set_version("two");
    site.configure("thraeds = 3");
    reload_in_vain(&server, "did you mean \"threads\"?");
    server.get("/").expect(200, "one");
    // Not even for a worker that is restarted meanwhile.
    let worker = server.worker();
    crate::workers::kill(worker, Signal::KILL);
    wait_until("another worker", || server.workers().iter().any(|other| *other != worker));
    assert_eq!(server.get("/").status, 200);
    site.configure("threads = 3");
    reload(&server, "two");
}

#[test]
fn code_that_takes_long_to_load_keeps_nobody_waiting() {
    let site = Site::new("one");
    let server = site.start();
    site.write("versioned.py", format!("import time\ntime.sleep(600)\n{}", APP.replace("VER", "two")));
    server.signal(Signal::HUP);
    wait_until("the new worker to be started", || server.workers().len() == 2);
    for _ in 0..10 {
        server.get("/").expect(200, "one");
    }
    // Who asks again does not wait for it.
    site.set_version("six");
    reload(&server, "six");
    server.wait_for_workers(1);
}

#[test]
fn the_number_of_workers_and_the_mounts_are_those_of_the_new_configuration() {
    let site = Site::new("one");
    let server = site.start();
    site.configure("workers = 3");
    server.signal(Signal::HUP);
    wait_until("three workers", || server.workers().len() == 3);
    site.write("gateway.toml", "bind = '127.0.0.1:0'\n[mount]\n'/' = 'app:hello'\n");
    reload(&server, "Hello from \n");
    server.wait_for_workers(1);
}

#[test]
fn addresses_come_and_go() {
    let site = Site::new("one");
    let (first, second) = (site.path().join("first.sock"), site.path().join("second.sock"));
    let binds = |paths: &[&Path]| {
        let paths: Vec<_> = paths.iter().map(|path| format!("'unix:{}'", path.display())).collect();
        format!("bind = ['127.0.0.1:0', {}]", paths.join(", "))
    };
    site.configure(&binds(&[&first]));
    let server = site.start();
    assert!(first.exists() && !second.exists());
    site.configure(&binds(&[&second]));
    server.signal(Signal::HUP);
    wait_until("the other socket", || second.exists() && !first.exists());
    // Port 0 is still the same.
    server.get("/").expect(200, "one");
    site.configure(&binds(&[Path::new("/no/such/folder/socket")]));
    reload_in_vain(&server, "/no/such/folder/socket");
    assert!(second.exists());
    server.signal(Signal::TERM);
    assert_eq!(server.exit().code(), Some(0));
    assert!(!second.exists());
}

#[test]
fn reloading_again_and_again_loses_no_request() {
    let gateway = Gateway::new(["processes:application"]).option("--workers", "2");
    let server = gateway.option("--drain-idle", "2").start();
    let load = Load::start(
        server.address(),
        &[("/sleep?0.01", Kept, 4), ("/sleep?0.01", New, 4), ("/sleep?2", Kept, 3), ("/sleep?2", New, 3)],
    );
    let first = server.wait_for_workers(2);
    // `RELOADS=15 cargo test` is the long form.
    let reloads = std::env::var("RELOADS").map_or(3, |reloads| reloads.parse().unwrap());
    for _ in 0..reloads {
        sleep(Duration::from_secs(2));
        server.signal(Signal::HUP);
    }
    wait_until("the first workers to be gone", || first.iter().all(|pid| !server.workers().contains(pid)));
    load.stop_after(500).assert_none_failed();
}
