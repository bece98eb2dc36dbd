//! How a lane becomes slow, and quick again: what it is like for those who come at that moment.

use std::{
    net::SocketAddr,
    thread::sleep,
    time::{Duration, Instant},
};

use crate::{
    client::{Connection, nap, request},
    gateway::{FILE, Machine, NAPS, RUST_APP},
    rank,
};

const CHANGES: u32 = 80;
/// So many quick calls bring a lane back, whatever it was before, and show that it is.
const CALLS: usize = 300;
const SLEEP: u32 = 20;
/// After such a time without requests the watchdog sleeps.
const REST: Duration = Duration::from_millis(80);
/// Whoever waits longer is delayed.
const DELAYED: Duration = Duration::from_micros(500);

const TARGETS: [&str; 8] = [NAPS, NAPS, NAPS, NAPS, RUST_APP, RUST_APP, FILE, FILE];

pub(crate) fn report(machine: &Machine) {
    let gateway = machine.start(&[]);
    println!(
        "\n3. A call that sleeps {SLEEP} ms among quick ones, with 8 requests right behind it. Bar: 2 ms until they go on"
    );
    let mut scene = Scene::new(gateway.address);
    for (rest, name) in [(Duration::ZERO, "with others before it"), (REST, "after a rest")] {
        let (mut changes, mut cost) = (Vec::new(), 0.0);
        for _ in 0..CHANGES {
            // In turns, because a machine is not as fast at all times.
            let before = machine.used();
            scene.change(rest, &request(NAPS));
            let between = machine.used();
            changes.push(scene.change(rest, &nap(SLEEP)));
            let [usual, used] = [between - before, machine.used() - between].map(|time| time.as_secs_f64());
            cost += (used - usual) * 1e6 / f64::from(CHANGES);
        }
        println!("{name}, {CHANGES} times:");
        for (place, what) in
            ["the first Rust App or file", "the first WSGI call", "the last of the 8"].iter().enumerate()
        {
            let [least, median, most] = extent(changes.iter().map(|change| change.times[place]));
            println!("  {what} is answered after {median:.2?} ({least:.2?} to {most:.2?})");
        }
        let delayed = changes.iter().map(|change| change.delayed).sum::<usize>() as f64 / f64::from(CHANGES);
        println!("  {delayed:.1} of 8 are delayed by more than {DELAYED:?}");
        let [least, median, most] = extent(changes.iter().map(|change| change.calls));
        println!("  back with the event loop's thread after {median} quick calls ({least} to {most})");
        println!("  the CPU time for all that is {cost:.0} µs longer than without the call that sleeps");
    }
}

/// The least, the median and the most.
fn extent<T: Copy + Ord>(values: impl Iterator<Item = T>) -> [T; 3] {
    let mut values: Vec<_> = values.collect();
    values.sort();
    [0.0, 0.5, 1.0].map(|share| rank(&values, share))
}

/// What was seen of one change.
#[derive(Clone, Copy)]
struct Change {
    /// From the slow request to the first answer of another kind, to the first of its own, and to all of them.
    times: [Duration; 3],
    delayed: usize,
    /// Quick calls that ran elsewhere until the event loop's thread had them back.
    calls: usize,
}

struct Scene {
    slow: Connection,
    others: Vec<(Connection, Vec<u8>)>,
}

impl Scene {
    fn new(address: SocketAddr) -> Self {
        let open = |target: &str| (Connection::open(address, &request(target)), request(target));
        Scene { slow: open(NAPS).0, others: TARGETS.map(open).into() }
    }

    fn change(&mut self, rest: Duration, request: &[u8]) -> Change {
        self.quick_calls();
        sleep(rest);
        let begun = Instant::now();
        self.slow.send(request);
        self.others.iter_mut().for_each(|(other, request)| other.send(request));
        let mut answers: Vec<(usize, Duration)> = Vec::new();
        while answers.len() < TARGETS.len() {
            for (place, (connection, _)) in self.others.iter_mut().enumerate() {
                if connection.poll() {
                    answers.push((place, begun.elapsed()));
                }
            }
        }
        let first = |is_wsgi: bool| answers.iter().find(|(place, _)| (TARGETS[*place] == NAPS) == is_wsgi).unwrap().1;
        let times = [first(false), first(true), answers[TARGETS.len() - 1].1];
        let delayed = answers.iter().filter(|(_, time)| *time > DELAYED).count();
        let wsgi = answers.iter().map(|(place, _)| *place).filter(|place| TARGETS[*place] == NAPS);
        let mut threads: Vec<_> = wsgi.map(|place| self.others[place].0.thread()).collect();
        threads.extend(self.quick_calls());
        // In the end it is the event loop's thread.
        let end = threads[threads.len() - 1];
        let calls = threads.iter().rposition(|thread| *thread != end).map_or(0, |place| place + 1);
        self.slow.wait();
        Change { times, delayed, calls }
    }

    /// The threads that have run them.
    fn quick_calls(&mut self) -> Vec<u64> {
        let (connection, request) = &mut self.others[0];
        let call = |_| {
            connection.exchange(request);
            connection.thread()
        };
        (0..CALLS).map(call).collect()
    }
}
