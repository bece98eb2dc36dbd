//! What quick calls cost when some are slow: few enough for the lane to go to and fro, or so many that it stays slow.

use std::time::{Duration, Instant};

use crate::{
    client::{Load, Naps, Neighbour, Pace},
    gateway::{Machine, RUST_APP},
    rank, turn_for,
};

const CLIENTS: u32 = 16;
const SLEEP: u32 = 5;
const WARM_UP: Duration = Duration::from_millis(300);
const TIME: Duration = Duration::from_secs(3);
const NEIGHBOUR: Duration = Duration::from_millis(1);
const PERIOD: Duration = Duration::from_millis(8);

const PACES: [(Pace, Duration, &str); 2] =
    [(Pace::Eager, Duration::ZERO, "as many requests as they can"), (Pace::Every(PERIOD), PERIOD, "2000 requests/s")];

/// Each so many calls one is slow; 0 if none is. In the end it is as in the beginning.
const MIXTURES: [(usize, &str); 7] = [
    (0, "all quick: on the event loop's thread"),
    (1000, "1 of 1000 is slow"),
    (100, "1 of 100"),
    (32, "1 of 32: never 64 quick ones in a row"),
    (10, "1 of 10"),
    (1, "all slow"),
    (0, "all quick again"),
];

pub(crate) fn report(machine: &Machine) {
    let gateway = machine.start(&[]);
    println!("\n4. {CLIENTS} clients whose slow calls sleep {SLEEP} ms, and a Rust App that is asked each millisecond");
    for (pace, begin, how) in PACES {
        println!("{how:40} {:>10} {:>11}   {:>21}", "requests/s", "CPU/request", "Rust App: median, 99 %");
        for (each, name) in MIXTURES {
            let naps = Naps { each, milliseconds: SLEEP };
            let mut load = Load::new(gateway.address, CLIENTS, naps, begin, pace);
            turn_for(WARM_UP, || load.turn());
            let mut neighbour = Neighbour::new(gateway.address, RUST_APP, Pace::Every(NEIGHBOUR));
            let (before, begun, used) = (load.answered, Instant::now(), machine.used());
            turn_for(TIME, || {
                load.turn();
                neighbour.turn();
            });
            let (used, time) = (machine.used() - used, begun.elapsed());
            let times = neighbour.times();
            let answered = load.answered - before;
            let rate = answered as f64 / time.as_secs_f64();
            let cost = used / (answered + times.len()) as u32;
            let [median, most] = [0.5, 0.99].map(|share| rank(&times, share));
            println!("  {name:38} {rate:>10.0} {cost:>11.2?}   {median:>10.1?} {most:>10.1?}");
        }
    }
}
