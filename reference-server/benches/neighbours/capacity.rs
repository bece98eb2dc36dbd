//! How much of what threads can do is done.

use std::time::{Duration, Instant};

use crate::{
    client::{Load, Naps, Pace},
    gateway::Machine,
    turn_for,
};

const CLIENTS: u32 = 64;
const SLEEP: u32 = 10;
const WARM_UP: Duration = Duration::from_millis(500);
const TIME: Duration = Duration::from_secs(4);

pub(crate) fn report(machine: &Machine) {
    println!("\n2. {CLIENTS} clients of a callable that sleeps {SLEEP} ms. Bar: 95 % of what so many threads can do");
    // The default is 32.
    for (threads, options) in [(32, &[][..]), (8, &["--threads", "8"])] {
        let gateway = machine.start(options);
        let naps = Naps { each: 1, milliseconds: SLEEP };
        let mut load = Load::new(gateway.address, CLIENTS, naps, Duration::ZERO, Pace::Eager);
        turn_for(WARM_UP, || load.turn());
        let (before, begun) = (load.answered, Instant::now());
        turn_for(TIME, || load.turn());
        let rate = (load.answered - before) as f64 / begun.elapsed().as_secs_f64();
        let possible = f64::from(threads) * 1000.0 / f64::from(SLEEP);
        println!("{threads:>3} threads: {rate:.0} requests/s, {:.1} % of {possible:.0}", rate / possible * 100.0);
    }
}
