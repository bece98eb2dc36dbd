//! When requests are due.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    io,
    time::{Duration, Instant},
};

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::{io::unix::AsyncFd, sync::Semaphore};

/// The due times of requests, shared by all connections.
#[derive(Debug)]
pub(in super::super) struct Pace {
    /// The time between two requests of an open loop.
    interval: Option<Duration>,
    /// Requests that are due and that no connection has taken yet.
    due: RefCell<VecDeque<Instant>>,
    /// A permit for each of them.
    permits: Semaphore,
    /// Since when each connection has been waiting for an answer.
    waiting: Vec<Cell<Option<Instant>>>,
}

impl Pace {
    pub(super) fn new(rate: Option<f64>, connections: usize) -> Self {
        Pace {
            interval: rate.map(|rate| Duration::from_secs_f64(1.0 / rate)),
            due: RefCell::default(),
            permits: Semaphore::new(0),
            waiting: (0..connections).map(|_| Cell::default()).collect(),
        }
    }

    /// Waits until the connection `number` is to send a request, and tells since when that was due.
    pub(super) async fn next(&self, number: usize) -> Instant {
        let due = match self.interval {
            None => Instant::now(),
            Some(_) => {
                // Nobody closes the semaphore.
                if let Ok(permit) = self.permits.acquire().await {
                    permit.forget();
                }
                self.due.borrow_mut().pop_front().unwrap_or_else(Instant::now)
            }
        };
        self.waiting[number].set(Some(due));
        due
    }

    /// The connection `number` has its answer, or will never have it.
    pub(super) fn done(&self, number: usize) {
        self.waiting[number].set(None);
    }

    /// Announces requests when they are due, for ever. Tokio's timers are too coarse for it: they tick in milliseconds.
    pub(super) async fn tick(&self) -> io::Result<()> {
        let Some(interval) = self.interval else { return std::future::pending().await };
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        #[expect(
            deprecated,
            reason = "unsound for descriptors that others may close, which nobody can do with this one"
        )]
        let timer = AsyncFd::new(timer)?;
        let mut next = Instant::now();
        loop {
            let now = Instant::now();
            while next <= now {
                self.due.borrow_mut().push_back(next);
                self.permits.add_permits(1);
                next += interval;
            }
            let rest = next.saturating_duration_since(Instant::now()).max(Duration::from_nanos(1));
            timerfd_settime(timer.get_ref(), TimerfdTimerFlags::empty(), &once_in(rest))?;
            timer.readable().await?.clear_ready();
        }
    }

    /// How long each request that the server owes an answer has been waiting for it: of an open loop all that are due, of a
    /// closed loop those that have waited since `begin` or longer. The others are merely the last.
    pub(super) fn unanswered(&self, begin: Instant, now: Instant) -> Vec<Duration> {
        let waiting = self.waiting.iter().filter_map(Cell::get);
        let due = self.due.borrow();
        let owed = waiting.filter(|since| self.interval.is_some() || *since <= begin).chain(due.iter().copied());
        owed.map(|since| now.saturating_duration_since(since)).collect()
    }
}

fn once_in(time: Duration) -> Itimerspec {
    let none = Timespec { tv_sec: 0, tv_nsec: 0 };
    let value = Timespec {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(time.subsec_nanos()) as _,
    };
    Itimerspec { it_interval: none, it_value: value }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use tokio::task::{LocalSet, spawn_local};

    use super::*;

    fn run(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        LocalSet::new().block_on(&runtime, test);
    }

    #[test]
    fn an_open_loop_is_due_at_its_rate_even_if_nobody_takes_the_requests_in_time() {
        run(async {
            let pace = Rc::new(Pace::new(Some(1000.0), 1));
            let ticking = pace.clone();
            let ticker = spawn_local(async move { ticking.tick().await });
            let begun = pace.next(0).await;
            // The only connection is busy for a while: what it takes then was due before.
            tokio::time::sleep(Duration::from_millis(20)).await;
            let mut last = begun;
            for _ in 0..20 {
                let due = pace.next(0).await;
                assert_eq!(due - last, Duration::from_millis(1));
                last = due;
            }
            ticker.abort();
        });
    }

    #[test]
    fn requests_without_answer_have_waited_since_they_were_due() {
        run(async {
            let pace = Rc::new(Pace::new(Some(1000.0), 1));
            let ticking = pace.clone();
            let ticker = spawn_local(async move { ticking.tick().await });
            let begun = pace.next(0).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
            let waited = pace.unanswered(begun, begun + Duration::from_secs(1));
            assert!(waited.len() >= 20, "{waited:?}");
            assert!(waited.contains(&Duration::from_secs(1)), "the one that was sent: {waited:?}");
            pace.done(0);
            assert_eq!(pace.unanswered(begun, begun).len(), waited.len() - 1);
            ticker.abort();
        });
    }

    #[test]
    fn a_closed_loop_is_due_at_once_and_owes_only_what_waits_for_all_of_the_time() {
        run(async {
            let pace = Pace::new(None, 2);
            let before = Instant::now();
            assert!(pace.next(1).await >= before);
            assert!(pace.unanswered(before, Instant::now()).is_empty());
            assert_eq!(pace.unanswered(Instant::now(), Instant::now()).len(), 1);
        });
    }
}
