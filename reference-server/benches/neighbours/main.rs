//! What slow callables of Python cost those beside them, and what it costs that calls go to and fro between the thread of
//! the event loop and others. `cargo bench -p reference-server --bench neighbours`
//!
//! The server runs on the first core, and the load on another: one thread that looks at all its connections again and
//! again, so that hardly any time of its own is in what it measures. It takes two minutes.

#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on has failed")]

use std::{
    fs,
    time::{Duration, Instant},
};

mod capacity;
mod change;
mod client;
mod gateway;
mod latency;
mod mixture;

// How `gateway compare` divides cores, counts CPU time and ends what it has started.
#[expect(dead_code, unused_imports, reason = "it has more to measure, and its tests run there")]
#[path = "../../src/command/compare/cores.rs"]
mod cores;
#[expect(dead_code, reason = "it has more to measure, and its tests run there")]
#[path = "../../src/command/compare/cpu.rs"]
mod cpu;
#[expect(dead_code, unused_imports, reason = "it has more to measure, and its tests run there")]
#[path = "../../src/command/compare/processes.rs"]
mod processes;

fn main() {
    let machine = gateway::Machine::prepare();
    let load = fs::read_to_string("/proc/loadavg").unwrap();
    println!(
        "server on core {:?}, load on core {}; CPU time from {}",
        machine.cores.server,
        machine.cores.load,
        machine.meter.name()
    );
    println!("the machine's load average when it began: {}", load.split(' ').next().unwrap());
    latency::report(&machine);
    capacity::report(&machine);
    change::report(&machine);
    mixture::report(&machine);
}

/// Takes turns until the time is over.
fn turn_for(time: Duration, mut turn: impl FnMut()) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        turn();
    }
}

/// The value that `share` of the sorted values are not above.
fn rank<T: Copy>(sorted: &[T], share: f64) -> T {
    sorted[((sorted.len() as f64 * share) as usize).min(sorted.len() - 1)]
}
