//! Behind nginx and HAProxy: instances that are killed, stopped and restarted cost no request that may be repeated.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    thread::sleep,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::support::{
    Client, Gateway, Load, Server, installed,
    load::{Connections::Kept, Failure},
    wait_until, which,
};

const APP: &str = "
import os, time

def application(environ, start_response):
    time.sleep(0.005)
    body = str(os.getpid()).encode()
    number = environ.get('HTTP_X_NUMBER', '')
    start_response('200 OK', [('Content-Length', str(len(body))), ('X-Number', number)])
    return [body]
";

/// How long an instance is stopped: longer than any of the proxies' timeouts, which in turn are longer than an instance
/// takes on a busy machine.
const STOPPED: Duration = Duration::from_secs(4);

/// So many answers show that the proxy and its instances are at work.
const ENOUGH: usize = 50;

/// How many clients there are: so many requests run at once.
const CLIENTS: usize = 8;

/// nginx notices by requests that fail, and repeats GET elsewhere unless it is told otherwise.
const NGINX: &str = "
daemon off;
master_process off;
pid FOLDER/nginx.pid;
error_log FOLDER/error.log;
events {}
http {
    access_log off;
    client_body_temp_path FOLDER/body;
    proxy_temp_path FOLDER/proxy;
    fastcgi_temp_path FOLDER/fastcgi;
    uwsgi_temp_path FOLDER/uwsgi;
    scgi_temp_path FOLDER/scgi;
    upstream instances {
        keepalive_timeout 2s;
        server FIRST fail_timeout=1s;
        server SECOND fail_timeout=1s;
        server THIRD fail_timeout=1s;
        keepalive 16;
    }
    server {
        listen LISTEN;
        location / {
            proxy_pass http://instances;
            proxy_http_version 1.1;
            proxy_set_header Connection '';
            proxy_connect_timeout 3s;
            proxy_read_timeout 3s;
            proxy_next_upstream error timeout;
        }
    }
}
";

/// HAProxy asks the instances how they are, and repeats only what RETRY names. What idles for longer than a moment it does
/// not use again, as a proxy should not whose server closes idle connections.
const HAPROXY: &str = "
defaults
    mode http
    timeout connect 3s
    timeout client 60s
    timeout server 3s
    timeout check 2s
    retries 3
    option redispatch 1
    retry-on RETRY
frontend clients
    bind LISTEN
    http-request disable-l7-retry unless METH_GET
    default_backend instances
backend instances
    balance roundrobin
    option httpchk GET /
    default-server check inter 200ms fall 1 rise 1 pool-purge-delay 500ms
    server first FIRST
    server second SECOND
    server third THIRD
";

/// A proxy that runs in front of three instances.
struct Proxy {
    child: Child,
    address: SocketAddr,
    _folder: TempDir,
}

impl Proxy {
    fn start(program: &str, arguments: &[&str], configuration: &str, instances: &[Instance; 3]) -> Self {
        let folder = TempDir::new().unwrap();
        let (file, address) = (folder.path().join("configuration"), free_address());
        let mut text = configuration.replace("FOLDER", folder.path().to_str().unwrap());
        text = text.replace("LISTEN", &address.to_string());
        for (name, instance) in ["FIRST", "SECOND", "THIRD"].into_iter().zip(instances) {
            text = text.replace(name, &instance.server.address().to_string());
        }
        fs::write(&file, text).unwrap();
        let mut command = Command::new(which(program).unwrap());
        command.args(arguments).arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let proxy = Proxy { child: command.spawn().unwrap(), address, _folder: folder };
        wait_until(&format!("{program} to listen"), || TcpStream::connect(address).is_ok());
        for instance in instances {
            proxy.wait_for(instance.server.worker());
        }
        proxy
    }

    /// What fails under load from shortly before `event` begins until shortly after it has ended. What it gives is
    /// kept until then.
    fn failures_while<T>(&self, event: impl FnOnce() -> T) -> Vec<Failure> {
        let load = Load::start(self.address, &[("/", Kept, CLIENTS)]);
        load.wait_for(ENOUGH);
        let _kept = event();
        load.stop_after(2 * ENOUGH).failed
    }

    /// Waits until this worker is asked who it is.
    fn wait_for(&self, worker: u32) {
        wait_until("the instance to be asked", || {
            let mut client = Client::connect(self.address);
            client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
            client.response().text() == worker.to_string()
        });
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A supervisor with a worker, which comes back at the same address when it is started again.
struct Instance {
    server: Server,
    folder: TempDir,
}

impl Instance {
    fn start() -> Self {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("numbers.py"), APP).unwrap();
        let server = serve(folder.path(), &format!("{}:0", own_address()));
        Instance { server, folder }
    }

    fn kill(&self) {
        let worker = self.server.worker();
        self.server.signal(Signal::KILL);
        // It may have noticed already.
        let _ = send(worker, Signal::KILL);
    }

    fn restart(self) -> Self {
        let Instance { server, folder } = self;
        let address = server.address().to_string();
        server.signal(Signal::TERM);
        assert_eq!(server.exit().code(), Some(0));
        Instance { server: serve(folder.path(), &address), folder }
    }
}

/// A worker that does not run. It goes on when this is dropped, or else nobody could end it in time.
struct Stopped(u32);

impl Stopped {
    fn new(worker: u32) -> Self {
        send(worker, Signal::STOP).unwrap();
        Stopped(worker)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = send(self.0, Signal::CONT);
    }
}

fn serve(folder: &Path, bind: &str) -> Server {
    let file = folder.join("gateway.toml");
    let text = format!("chdir = '.'\nbind = '{bind}'\ndrain-idle = 5\n[mount]\n'/' = 'numbers:application'\n");
    fs::write(&file, text).unwrap();
    Gateway::configured(&file).start()
}

fn send(process: u32, signal: Signal) -> rustix::io::Result<()> {
    kill_process(Pid::from_raw(process.cast_signed()).unwrap(), signal)
}

/// Proxies cannot choose a port. Nobody else listens or connects at this address, whose ports stay free therefore.
fn free_address() -> SocketAddr {
    TcpListener::bind((own_address(), 0)).unwrap().local_addr().unwrap()
}

/// An address of the loopback that is given out once, by no other process of these tests.
fn own_address() -> Ipv4Addr {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    // There are 12 of them in a run. 127.0.0.0 to 127.127.255.255 are for others.
    let [.., a, b, c] = (std::process::id() * 16 + COUNT.fetch_add(1, Relaxed)).to_be_bytes();
    Ipv4Addr::new(127, a | 0x80, b, c)
}

/// What fails under load when one instance is killed, when one is stopped for a while, and when one is restarted.
fn failures(program: &str, arguments: &[&str], configuration: &str) -> [Vec<Failure>; 3] {
    let instances = [Instance::start(), Instance::start(), Instance::start()];
    let proxy = Proxy::start(program, arguments, configuration, &instances);
    let [first, second, third] = instances;
    let worker = second.server.worker();

    let killed = proxy.failures_while(|| first.kill());
    let stopped = proxy.failures_while(|| {
        let _stopped = Stopped::new(worker);
        sleep(STOPPED);
    });
    proxy.wait_for(worker);
    let restarted = proxy.failures_while(|| {
        let third = third.restart();
        proxy.wait_for(third.server.worker());
        third
    });
    [killed, stopped, restarted]
}

#[test]
fn nginx_repeats_what_fails_and_nothing_is_lost() {
    if installed(&["nginx"]) {
        assert_eq!(failures("nginx", &["-e", "stderr", "-c"], NGINX), [[], [], []]);
    }
}

#[test]
fn haproxy_repeats_what_fails_and_nothing_is_lost() {
    if installed(&["haproxy"]) {
        let repeating = HAPROXY.replace("RETRY", "conn-failure empty-response response-timeout");
        assert_eq!(failures("haproxy", &["-db", "-f"], &repeating), [[], [], []]);
    }
}

#[test]
fn without_repetition_only_what_was_in_flight_fails() {
    if installed(&["haproxy"]) {
        let once = HAPROXY.replace("RETRY", "conn-failure");
        let [killed, stopped, restarted] = failures("haproxy", &["-db", "-f"], &once);
        // HAProxy learns that an instance is stopped before its clients have given it up: none runs into it twice.
        assert!(killed.len() <= CLIENTS && stopped.len() <= CLIENTS, "{killed:?}, {stopped:?}");
        assert_eq!(restarted, []);
    }
}
