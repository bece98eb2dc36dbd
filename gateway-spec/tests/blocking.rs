//! Blocking work on the pool that hosts without a runtime have.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc::{self, Receiver, Sender, channel},
    },
    task::{Context, Poll, Waker},
    thread::{self, ThreadId},
};

use gateway_spec::{
    Kind,
    blocking::{Admission, Blocking, Lane, Running, Threads, detach, run},
};
use support::block_on::{BOUND, block_on};

fn plain_lane() -> Arc<Lane> {
    Lane::new(|batch| batch())
}

fn threads(limit: usize, backlog: usize) -> Arc<dyn Blocking> {
    Arc::new(Threads::new(limit, backlog))
}

/// Submits a job by polling it once; it must not be done by then.
fn begin<F, T>(job: &mut Running<F, T>)
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let poll = std::pin::Pin::new(job).poll(&mut Context::from_waker(Waker::noop()));
    assert!(poll.is_pending());
}

/// A job that occupies its thread until it is let go.
struct Occupied {
    entered: Receiver<()>,
    let_go: Sender<()>,
}

fn occupy(host: &Arc<dyn Blocking>) -> Occupied {
    let (entering, entered) = channel();
    let (let_go, wait) = channel();
    detach(host.as_ref(), plain_lane(), move || {
        entering.send(()).unwrap();
        // Also ends when the test has failed and the sender is gone.
        let _ = wait.recv();
    });
    Occupied { entered, let_go }
}

impl Occupied {
    fn wait(self) -> Self {
        self.entered.recv_timeout(BOUND).expect("the job begins");
        self
    }

    fn let_go(self) {
        self.let_go.send(()).unwrap();
    }
}

/// Says where it was dropped.
struct Tell(Sender<ThreadId>);

impl Drop for Tell {
    fn drop(&mut self) {
        let _ = self.0.send(thread::current().id());
    }
}

mod run {
    use super::*;

    #[test]
    fn gives_the_result_of_work_done_on_another_thread() {
        let here = thread::current().id();
        let host = threads(1, 1);
        let job = run(&*host, plain_lane(), Admission::Begin, move || (6 * 7, thread::current().id() != here));
        assert_eq!(block_on(job).unwrap(), (42, true));
    }

    #[test]
    fn begins_before_it_is_polled() {
        let (tell, told) = channel();
        let host = threads(1, 1);
        let job = run(&*host, plain_lane(), Admission::Begin, move || tell.send(1).is_ok());
        assert_eq!(told.recv_timeout(BOUND), Ok(1));
        assert!(block_on(job).unwrap());
    }

    #[test]
    fn keeps_the_order_of_arrival_on_one_thread() {
        let host = threads(1, 100);
        let order = Arc::new(Mutex::new(Vec::new()));
        let busy = occupy(&host).wait();
        let mut jobs: Vec<_> = (0..20)
            .map(|n| {
                let order = order.clone();
                run(&*host, plain_lane(), Admission::Begin, move || order.lock().unwrap().push(n))
            })
            .collect();
        jobs.iter_mut().for_each(begin);
        busy.let_go();
        jobs.into_iter().for_each(|job| block_on(job).unwrap());
        assert_eq!(*order.lock().unwrap(), (0..20).collect::<Vec<_>>());
    }

    #[test]
    fn uses_as_many_threads_as_there_may_be() {
        let host = threads(3, 100);
        let busy: Vec<_> = (0..3).map(|_| occupy(&host)).collect();
        // All three are inside at once, or one of these would wait for ever.
        let busy: Vec<_> = busy.into_iter().map(Occupied::wait).collect();
        let fourth = occupy(&host);
        assert_eq!(fourth.entered.try_recv(), Err(mpsc::TryRecvError::Empty), "three threads, and no more");
        busy.into_iter().for_each(Occupied::let_go);
        fourth.wait().let_go();
    }

    #[test]
    fn wakes_whoever_polled_last() {
        let host = threads(1, 1);
        let busy = occupy(&host).wait();
        let mut job = run(&*host, plain_lane(), Admission::Continue, || 1);
        begin(&mut job); // with a waker that does nothing
        let releaser = thread::spawn(move || busy.let_go());
        assert_eq!(block_on(job).unwrap(), 1);
        releaser.join().unwrap();
    }
}

mod panics {
    use super::*;

    #[test]
    fn become_errors_and_cost_no_thread() {
        let host = threads(1, 1);
        for _ in 0..3 {
            let error = block_on(run(&*host, plain_lane(), Admission::Begin, || -> u8 { panic!("on purpose") }));
            assert_eq!(error.unwrap_err().kind(), Kind::App);
        }
        assert_eq!(block_on(run(&*host, plain_lane(), Admission::Begin, || 1)).unwrap(), 1);
    }

    #[test]
    fn of_a_job_nobody_waits_for_cost_no_thread() {
        let host = threads(1, 1);
        detach(host.as_ref(), plain_lane(), || panic!("on purpose"));
        assert_eq!(block_on(run(&*host, plain_lane(), Admission::Continue, || 1)).unwrap(), 1);
    }

    #[test]
    fn of_a_result_that_nobody_wants_cost_no_thread() {
        struct PanicsWhenDropped;
        impl Drop for PanicsWhenDropped {
            fn drop(&mut self) {
                panic!("on purpose");
            }
        }
        let host = threads(1, 1);
        let (entering, entered) = channel();
        let (let_go, wait) = channel::<()>();
        let mut job = run(&*host, plain_lane(), Admission::Begin, move || {
            entering.send(()).unwrap();
            wait.recv_timeout(BOUND).unwrap();
            PanicsWhenDropped
        });
        begin(&mut job);
        entered.recv_timeout(BOUND).unwrap();
        drop(job);
        let_go.send(()).unwrap();
        assert_eq!(block_on(run(&*host, plain_lane(), Admission::Continue, || 1)).unwrap(), 1);
    }
}

mod drop_of_the_future {
    use super::*;

    #[test]
    fn before_the_job_began_drops_the_work_undone() {
        let host = threads(1, 10);
        let busy = occupy(&host).wait();
        let (tell, dropped) = channel();
        let (done, was_done) = channel();
        let captured = Tell(tell);
        let mut job = run(&*host, plain_lane(), Admission::Begin, move || {
            let _captured = captured;
            done.send(()).unwrap();
        });
        begin(&mut job);
        drop(job);
        assert_eq!(dropped.try_recv(), Ok(thread::current().id()), "what the work captured is dropped at once");
        busy.let_go();
        // Jobs run in order: had it been left in the queue, it would be done by now.
        block_on(run(&*host, plain_lane(), Admission::Begin, || ())).unwrap();
        assert!(was_done.try_recv().is_err());
    }

    #[test]
    fn while_the_job_runs_drops_the_result_on_the_jobs_thread() {
        let host = threads(1, 1);
        let (entering, entered) = channel();
        let (let_go, wait) = channel::<()>();
        let (tell, dropped) = channel();
        let mut job = run(&*host, plain_lane(), Admission::Begin, move || {
            entering.send(thread::current().id()).unwrap();
            wait.recv_timeout(BOUND).unwrap();
            Tell(tell)
        });
        begin(&mut job);
        let jobs_thread = entered.recv_timeout(BOUND).unwrap();
        drop(job);
        let_go.send(()).unwrap();
        assert_eq!(dropped.recv_timeout(BOUND), Ok(jobs_thread));
        assert_ne!(jobs_thread, thread::current().id());
    }
}

mod admission {
    use super::*;

    #[test]
    fn of_more_than_the_backlog_is_refused_and_continuing_never_is() {
        let host = threads(1, 2);
        let busy = occupy(&host).wait();
        let mut waiting: Vec<_> = (0..2).map(|n| run(&*host, plain_lane(), Admission::Begin, move || n)).collect();
        waiting.iter_mut().for_each(begin);
        let refused = block_on(run(&*host, plain_lane(), Admission::Begin, || 0));
        assert_eq!(refused.unwrap_err().kind(), Kind::Overloaded);
        let mut going_on = run(&*host, plain_lane(), Admission::Continue, || 3);
        begin(&mut going_on);
        let (tell, told) = channel();
        detach(host.as_ref(), plain_lane(), move || tell.send(()).unwrap());
        busy.let_go();
        waiting.into_iter().enumerate().for_each(|(n, job)| assert_eq!(block_on(job).unwrap(), n));
        assert_eq!(block_on(going_on).unwrap(), 3);
        told.recv_timeout(BOUND).unwrap();
        assert_eq!(block_on(run(&*host, plain_lane(), Admission::Begin, || 4)).unwrap(), 4, "there is room again");
    }

    #[test]
    fn needs_no_backlog_while_threads_are_free() {
        let host = threads(2, 0);
        let mut jobs: Vec<_> = (0..2).map(|n| run(&*host, plain_lane(), Admission::Begin, move || n)).collect();
        for job in &mut jobs {
            // Whether it is done by now does not matter: it must not be refused.
            if let Poll::Ready(result) = std::pin::Pin::new(job).poll(&mut Context::from_waker(Waker::noop())) {
                result.unwrap();
            }
        }
    }

    #[test]
    fn is_refused_without_a_backlog_once_every_thread_is_busy() {
        let host = threads(1, 0);
        let busy = occupy(&host).wait();
        let refused = block_on(run(&*host, plain_lane(), Admission::Begin, || ()));
        assert_eq!(refused.unwrap_err().kind(), Kind::Overloaded);
        busy.let_go();
    }
}

mod lanes {
    use super::*;

    #[test]
    fn wrap_the_work_of_their_jobs_and_of_no_others() {
        thread_local! {
            static INSIDE: AtomicUsize = const { AtomicUsize::new(0) };
        }
        let inside = || INSIDE.with(|count| count.load(Ordering::Relaxed));
        let wrapping = Lane::new(|batch| {
            INSIDE.with(|count| count.fetch_add(1, Ordering::Relaxed));
            batch();
            INSIDE.with(|count| count.fetch_sub(1, Ordering::Relaxed));
        });
        let host = threads(1, 1);
        assert_eq!(block_on(run(&*host, wrapping, Admission::Begin, inside)).unwrap(), 1);
        assert_eq!(block_on(run(&*host, plain_lane(), Admission::Begin, inside)).unwrap(), 0);
    }

    #[test]
    fn run_a_batch_once_each_time_they_are_entered() {
        let mut batches = 0;
        let lane = plain_lane();
        lane.enter(|| batches += 1);
        lane.enter(|| batches += 1);
        assert_eq!(batches, 2);
    }

    #[test]
    fn begin_with_an_empty_memory() {
        let lane = plain_lane();
        assert_eq!(lane.memory().swap(7, Ordering::Relaxed), 0);
        assert_eq!(lane.memory().load(Ordering::Relaxed), 7);
    }
}

#[test]
fn a_pool_that_is_dropped_does_what_was_submitted() {
    let host = threads(1, 10);
    let busy = occupy(&host).wait();
    let (tell, told) = channel();
    detach(host.as_ref(), plain_lane(), move || tell.send(()).unwrap());
    drop(host);
    busy.let_go();
    told.recv_timeout(BOUND).unwrap();
}
