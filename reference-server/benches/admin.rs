//! How long the admin listener takes to answer while every worker is stuck in Python, on a machine that they keep busy.
//!
//! `cargo bench -p reference-server --bench admin`

#![allow(clippy::unwrap_used)]

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

const PATHS: [&str; 5] = ["/healthz", "/readyz", "/metrics", "/status", "/status.json"];
const REQUESTS: usize = 500;

fn main() {
    let workers = std::thread::available_parallelism().unwrap().to_string();
    let apps = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/apps");
    let mut gateway = Command::new(env!("CARGO_BIN_EXE_gateway"))
        .args([
            "serve",
            "wsgi:overtime:application",
            "--chdir",
            apps,
            "--bind",
            "127.0.0.1:0",
            "--admin",
            "127.0.0.1:0",
        ])
        .args(["--workers", &workers, "--worker-timeout", "0", "--graceful-timeout", "0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (address, admin) = addresses(&mut gateway);
    let clients = hold_all(&address, &admin);
    println!("{} requests are stuck in {workers} workers", clients.len());
    println!("{:14} {:>9} {:>9} {:>9}", "", "median", "99 %", "longest");
    for path in PATHS {
        let mut times: Vec<_> = (0..REQUESTS).map(|_| time(&admin, path)).collect();
        times.sort();
        let [median, most, longest] = [REQUESTS / 2, REQUESTS * 99 / 100, REQUESTS - 1].map(|at| times[at]);
        println!("{path:14} {median:>9.2?} {most:>9.2?} {longest:>9.2?}");
    }
    gateway.kill().unwrap();
    gateway.wait().unwrap();
}

/// Of the server and of its admin listener.
fn addresses(gateway: &mut Child) -> (String, String) {
    let (mut address, mut admin) = (None, None);
    for line in BufReader::new(gateway.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        address = line.strip_prefix("listening on http://").map(str::to_owned).or(address);
        admin = line.strip_prefix("admin at http://").map(|it| it.trim_end_matches("/status").to_owned());
        if admin.is_some() {
            break;
        }
    }
    (address.unwrap(), admin.unwrap())
}

/// Sends requests until no worker can enter Python any more.
fn hold_all(address: &str, admin: &str) -> Vec<TcpStream> {
    let mut clients = Vec::new();
    loop {
        let mut client = TcpStream::connect(address).unwrap();
        client.write_all(b"GET /holds-the-interpreter HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        clients.push(client);
        sleep(Duration::from_millis(300));
        let status = get(admin, "/status.json");
        let status: serde_json::Value = serde_json::from_str(status.split_once("\r\n\r\n").unwrap().1).unwrap();
        let is_stuck = |worker: &serde_json::Value| worker["published"]["gil_age"].as_u64() >= Some(2000);
        if status["workers"].as_array().unwrap().iter().all(is_stuck) {
            return clients;
        }
    }
}

fn time(admin: &str, path: &str) -> Duration {
    let begun = Instant::now();
    let answer = get(admin, path);
    assert!(answer.starts_with("HTTP/1.0 200 "), "{answer}");
    begun.elapsed()
}

fn get(admin: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(admin).unwrap();
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
