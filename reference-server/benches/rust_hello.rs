//! What the server adds to hyper: an App that says hello over it, against bare hyper that answers the same bytes, in CPU
//! time per request. `cargo bench -p reference-server --bench rust_hello`
//!
//! Each contender is a process of its own with one thread, on the first core. The load comes from the last one: a number
//! of connections that are kept, one request on each at a time. The contenders take turns, round after round, because
//! only what was measured within one run can be compared. CPU time is the scheduler's (`/proc/PID/schedstat`), so what
//! else the machine does hardly shows.

#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on has failed")]

use std::{
    convert::Infallible,
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    thread,
};

use bytes::Bytes;
use gateway_spec::{Environ, Response, Result, StartResponse};
use http_body_util::Full;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use rustix::thread::{CpuSet, sched_setaffinity};
use tokio::{net::TcpListener, runtime};

const ROUNDS: usize = 30;
const REQUESTS: usize = 20_000;
const CONNECTIONS: usize = 32;

const HELLO: &str = "Hello, world!\n";

async fn hello(_: Environ, start_response: StartResponse) -> Result<Response> {
    Ok(start_response.start(200, [("content-type", "text/plain")])?.body(HELLO))
}

/// Our server, as an application would start it.
async fn over_gateway() {
    let server = reference_server::Server::builder().bind("127.0.0.1:0").unwrap();
    println!("{}", server.local_addr().unwrap());
    server.serve(hello).await.unwrap();
}

/// hyper as its own examples have it.
async fn over_hyper() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap());
    loop {
        let (socket, _) = listener.accept().await.unwrap();
        socket.set_nodelay(true).unwrap();
        let answer = service_fn(async |_| {
            let response = http::Response::builder().header("content-type", "text/plain").header("server", "gateway");
            Ok::<_, Infallible>(response.body(Full::new(Bytes::from_static(HELLO.as_bytes()))).unwrap())
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(socket), answer));
    }
}

/// A server in a process of its own, and connections to it.
struct Contender {
    process: Child,
    connections: Vec<TcpStream>,
    /// The first response, which all others are as long as.
    response: Vec<u8>,
}

impl Contender {
    fn start(name: &str) -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        let mut process = command.env(SERVE, name).stdout(Stdio::piped()).spawn().unwrap();
        let mut address = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut address).unwrap();
        let address: SocketAddr = address.trim().parse().unwrap();
        let mut connections: Vec<_> = (0..CONNECTIONS).map(|_| TcpStream::connect(address).unwrap()).collect();
        connections.iter().for_each(|socket| socket.set_nodelay(true).unwrap());
        let response = first_response(&mut connections[0]);
        Contender { process, connections, response }
    }

    /// Nanoseconds of CPU time for each of `requests`.
    fn measure(&mut self, requests: usize) -> f64 {
        let mut response = vec![0; self.response.len()];
        let before = self.cpu_time();
        for _ in 0..requests / CONNECTIONS {
            for socket in &mut self.connections {
                socket.write_all(REQUEST).unwrap();
            }
            for socket in &mut self.connections {
                socket.read_exact(&mut response).unwrap();
            }
        }
        assert!(response.ends_with(HELLO.as_bytes()), "{}", String::from_utf8_lossy(&response));
        (self.cpu_time() - before) as f64 / (requests / CONNECTIONS * CONNECTIONS) as f64
    }

    fn cpu_time(&self) -> u64 {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.process.id())).unwrap();
        let times = tasks.map(|task| fs::read_to_string(task.unwrap().path().join("schedstat")).unwrap_or_default());
        times.filter_map(|times| times.split(' ').next()?.parse::<u64>().ok()).sum()
    }
}

impl Drop for Contender {
    fn drop(&mut self) {
        let _ = self.process.kill().and_then(|()| self.process.wait());
    }
}

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

fn first_response(socket: &mut TcpStream) -> Vec<u8> {
    socket.write_all(REQUEST).unwrap();
    let mut response = vec![];
    while !response.ends_with(HELLO.as_bytes()) {
        let mut byte = [0];
        socket.read_exact(&mut byte).unwrap();
        response.push(byte[0]);
    }
    response
}

/// The lines of a response in order, without the time of day.
fn comparable(response: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(response).to_lowercase();
    let mut lines: Vec<_> = text.lines().filter(|line| !line.starts_with("date:")).map(str::to_owned).collect();
    lines.sort();
    lines
}

/// Names the contender that a child is.
const SERVE: &str = "RUST_HELLO_SERVE";

fn main() {
    let cores = thread::available_parallelism().unwrap().get();
    if let Ok(name) = env::var(SERVE) {
        pin_to(0);
        let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
        return match name.as_str() {
            "hyper" => runtime.block_on(over_hyper()),
            _ => runtime.block_on(over_gateway()),
        };
    }
    let mut contenders = ["hyper", "gateway"].map(Contender::start);
    pin_to(cores - 1);
    let [bare, ours] = &contenders;
    assert_eq!(comparable(&bare.response), comparable(&ours.response), "they answer the same");
    // Caches, pages and branches are warm then.
    for contender in &mut contenders {
        contender.measure(REQUESTS);
    }
    let mut rounds: Vec<_> = (0..ROUNDS).map(|_| contenders.each_mut().map(|each| each.measure(REQUESTS))).collect();
    for (place, name) in ["bare hyper", "App over the server"].iter().enumerate() {
        rounds.sort_by(|one, other| one[place].total_cmp(&other[place]));
        println!("{name}: {:.2} us of CPU a request", rounds[ROUNDS / 2][place] / 1000.0);
    }
    let mut ratios: Vec<_> = rounds.iter().map(|[bare, ours]| ours / bare).collect();
    ratios.sort_by(f64::total_cmp);
    // Between these ranks the true median is, whatever the distribution.
    let reach = (0.98 * (ROUNDS as f64).sqrt()).ceil() as usize;
    let (low, high) = (ratios[ROUNDS / 2 - reach], ratios[ROUNDS / 2 + reach]);
    println!("ratio: {:.3}, with 95 % confidence from {low:.3} to {high:.3}", ratios[ROUNDS / 2]);
    println!("{ROUNDS} rounds of {REQUESTS} requests over {CONNECTIONS} connections, server on core 0 of {cores}");
}

fn pin_to(core: usize) {
    let mut cores = CpuSet::new();
    cores.set(core);
    sched_setaffinity(None, &cores).unwrap();
}
