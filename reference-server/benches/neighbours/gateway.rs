//! A gateway that serves Python, a Rust App and files, on a core of its own.

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Stdio},
    time::Duration,
};

use crate::{cores::Cores, cpu::Meter, processes};

/// `?SECONDS` after it sleeps.
pub(crate) const NAPS: &str = "/naps";
/// The same application once more: its calls are judged by themselves.
pub(crate) const OTHER_NAPS: &str = "/other";
pub(crate) const RUST_APP: &str = "/hello";
pub(crate) const FILE: &str = "/files/naps.py";

/// What all gateways are started with.
pub(crate) struct Machine {
    pub(crate) cores: Cores,
    pub(crate) meter: Meter,
}

impl Machine {
    /// Has this thread run on the load's core from here on.
    pub(crate) fn prepare() -> Self {
        processes::adopt_orphans().unwrap();
        let cores = Cores::divide().unwrap();
        cores.enter_load().unwrap();
        Machine { cores, meter: Meter::choose() }
    }

    /// The CPU time of all servers up to now.
    pub(crate) fn used(&self) -> Duration {
        self.meter.used().unwrap()
    }

    pub(crate) fn start(&self, options: &[&str]) -> Gateway {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/neighbours");
        let mut command = self.meter.command(Path::new(env!("CARGO_BIN_EXE_gateway")));
        command.args(["serve", "--chdir", folder, "--bind", "127.0.0.1:0", "--log-level", "error"]).args(options);
        command.args([
            "/naps=wsgi:naps:application",
            "/other=wsgi:naps:application",
            "/hello=app:hello",
            "/files=static:.",
        ]);
        let mut child = self.cores.in_server(|| command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()).unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let address = lines.filter_map(|line| line.strip_prefix("listening on http://")?.parse().ok()).next();
        Gateway { child, address: address.unwrap() }
    }
}

/// One that runs. It ends, with its workers, when this is dropped.
pub(crate) struct Gateway {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // One that has ended meanwhile is what is wanted.
        let _ = self.child.kill().and_then(|()| self.child.wait());
        processes::end_all();
    }
}
