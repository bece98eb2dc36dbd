//! What a server tells at its admin listener.

use std::net::SocketAddr;

use serde_json::Value;

use super::{Client, Gateway, Response, Server, wait_until};

/// A server with an admin listener.
pub(crate) struct Watched {
    pub(crate) server: Server,
    admin: SocketAddr,
}

/// A worker process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Worker {
    pub(crate) seat: u64,
    pub(crate) pid: i32,
    pub(crate) state: String,
}

impl Watched {
    pub(crate) fn start(gateway: Gateway) -> Self {
        let server = gateway.option("--admin", "127.0.0.1:0").start();
        let admin = loop {
            if let Some((_, address)) = server.next_line().trim_end().split_once("admin at http://") {
                break address.trim_end_matches("/status").parse().unwrap();
            }
        };
        let watched = Watched { server, admin };
        wait_until("READY", || watched.get("/readyz").status == 200);
        watched
    }

    pub(crate) fn ask(&self, method: &str, target: &str) -> Response {
        let mut client = Client::connect(self.admin);
        client.send(format!("{method} {target} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n"));
        client.response_to(method)
    }

    pub(crate) fn get(&self, target: &str) -> Response {
        self.ask("GET", target)
    }

    pub(crate) fn status(&self) -> Value {
        serde_json::from_slice(&self.get("/status.json").body).unwrap()
    }

    pub(crate) fn workers(&self) -> Vec<Worker> {
        let status = self.status();
        let worker = |worker: &Value| Worker {
            seat: worker["worker"].as_u64().unwrap(),
            pid: worker["pid"].as_i64().unwrap().try_into().unwrap(),
            state: worker["state"].as_str().unwrap().to_owned(),
        };
        status["workers"].as_array().unwrap().iter().map(worker).collect()
    }

    /// The worker that answers a request with this path, once there is one.
    pub(crate) fn worker_of(&self, path: &str) -> Worker {
        let mut found = None;
        wait_until(path, || {
            let status = self.status();
            let has = |worker: &Value| {
                let requests = worker["published"]["requests"].as_array();
                requests.is_some_and(|all| all.iter().any(|request| request["path"] == path))
            };
            let pid =
                status["workers"].as_array().unwrap().iter().find(|worker| has(worker)).map(|it| it["pid"].clone());
            found = pid.and_then(|pid| self.workers().into_iter().find(|worker| pid == worker.pid));
            found.is_some()
        });
        found.unwrap()
    }

    /// Waits until these workers, and no others, are READY in the seats from 1 to `count`. None of `without` is one.
    pub(crate) fn wait_for_workers(&self, count: usize, without: &[i32]) -> Vec<Worker> {
        let mut workers = Vec::new();
        wait_until("workers that are READY", || {
            workers = self.workers();
            workers.retain(|worker| worker.state == "ready" && !without.contains(&worker.pid));
            workers.len() == count
        });
        workers
    }

    /// A line of `/metrics`: the value of what it begins with.
    pub(crate) fn metric(&self, sample: &str) -> Option<f64> {
        let text = self.get("/metrics").text();
        text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' ')?.parse().ok())
    }
}
