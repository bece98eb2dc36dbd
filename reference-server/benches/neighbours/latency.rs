//! How long neighbours of callables that sleep have to wait.

use std::time::Duration;

use crate::{
    client::{Load, Naps, Neighbour, Pace},
    gateway::{FILE, Machine, NAPS, OTHER_NAPS, RUST_APP},
    rank, turn_for,
};

const SLEEPERS: u32 = 16;
const SLEEP: Duration = Duration::from_secs(1);
const TIME: Duration = Duration::from_secs(2);
const PACE: Duration = Duration::from_millis(1);

const NEIGHBOURS: [(&str, &str); 4] = [
    ("the same WSGI application", NAPS),
    ("another WSGI application", OTHER_NAPS),
    ("a Rust App", RUST_APP),
    ("a file", FILE),
];

pub(crate) fn report(machine: &Machine) {
    let gateway = machine.start(&[]);
    println!(
        "\n1. Neighbours of {SLEEPERS} callables that sleep 1 s, which begin one after the other. Bar: 99 % under 2 ms"
    );
    for sleepers in [0, SLEEPERS] {
        // They stay as far apart as they have begun: each may find its lane quick again.
        let naps = Naps { each: 1, milliseconds: SLEEP.as_millis() as u32 };
        let mut load = Load::new(gateway.address, sleepers, naps, SLEEP, Pace::Eager);
        turn_for(SLEEP, || load.turn());
        for (pace, how) in [(Pace::Eager, "one after the other"), (Pace::Every(PACE), "one a millisecond")] {
            let title = format!("beside {sleepers}, {how}");
            println!("{title:30} {:>9} {:>9} {:>9} {:>9} {:>9}", "requests", "median", "99 %", "99.9 %", "longest");
            for (name, target) in NEIGHBOURS {
                let mut neighbour = Neighbour::new(gateway.address, target, pace);
                turn_for(TIME, || {
                    load.turn();
                    neighbour.turn();
                });
                let times = neighbour.times();
                let [median, most, nearly, longest] = [0.5, 0.99, 0.999, 1.0].map(|share| rank(&times, share));
                println!("  {name:28} {:>9} {median:>9.1?} {most:>9.1?} {nearly:>9.1?} {longest:>9.1?}", times.len());
            }
        }
    }
}
