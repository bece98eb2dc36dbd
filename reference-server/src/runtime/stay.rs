//! Staying in a lane from job to job, where jobs run inside the event loop.
//!
//! Between two jobs the loop does little: it reads a request, and writes a response. So the lane of the last job is left
//! only when all tasks have had their turn that were ready with it, and not after each job.

use std::{
    cell::RefCell,
    convert::Infallible,
    future::poll_fn,
    sync::Arc,
    task::{Poll, Waker},
};

use gateway_spec::blocking::Lane;

thread_local! {
    static STAY: RefCell<Stay> = const { RefCell::new(Stay { lane: None, leaver: None }) };
}

struct Stay {
    /// Where the thread is.
    lane: Option<Arc<Lane>>,
    /// Wakes the task that leaves it.
    leaver: Option<Waker>,
}

/// Runs a batch in `lane`, on the event loop's thread. It must not panic.
pub(super) fn enter(lane: &Arc<Lane>, batch: impl FnMut()) {
    if !is_inside(lane) {
        leave();
    }
    lane.enter_to_stay(batch);
    // Not before: what the batch has waited for may have taken its time, and the thread out of the lane.
    if !is_inside(lane) {
        STAY.with_borrow_mut(|stay| stay.lane = Some(lane.clone()));
        call_leaver();
    }
}

fn is_inside(lane: &Arc<Lane>) -> bool {
    STAY.with_borrow(|stay| stay.lane.as_ref().is_some_and(|inside| Arc::ptr_eq(inside, lane)))
}

/// Leaves where the thread is, if it is anywhere.
pub(super) fn leave() {
    if let Some(lane) = STAY.with_borrow_mut(|stay| stay.lane.take()) {
        lane.leave();
    }
}

/// The task waits behind all those that are ready now, and comes before those that become ready.
fn call_leaver() {
    let leaver = STAY.with_borrow(|stay| stay.leaver.clone());
    match leaver {
        Some(leaver) => leaver.wake(),
        None => drop(tokio::spawn(async {
            poll_fn(|cx| {
                STAY.with_borrow_mut(|stay| stay.leaver = Some(cx.waker().clone()));
                leave();
                Poll::<Infallible>::Pending
            })
            .await
        })),
    }
}
