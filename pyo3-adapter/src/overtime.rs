//! Calls of Python that take too long.
//!
//! Each thread that runs Python has a desk, on which the call that it is in lies. A guard looks at all desks a few times
//! a second. A call that has lain there for too long is answered with 504, whatever it does; then its stack goes to the
//! log, an exception is raised in it, and its place is given to another call in case that does not end it. An exception
//! reaches a thread only when it executes Python again: a thread that is stuck in C stays so, and costs no place.
#![allow(unsafe_code, reason = "raising an exception in another thread has no safe form")]

use std::{
    ffi::c_ulong,
    sync::{
        Arc, Mutex, MutexGuard, Once, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread::{self, ThreadId},
    time::Duration,
};

use pyo3::{create_exception, exceptions::PyBaseException, ffi, prelude::*, types::PyDict};

use crate::exchange::Exchange;

create_exception!(gateway, RequestTimeout, PyBaseException, "Raised in a call that takes longer than it may.");

/// How often the guard looks.
const TICK: Duration = Duration::from_millis(250);

static TICKS: AtomicU64 = AtomicU64::new(0);
static DESKS: Mutex<Vec<Arc<Desk>>> = Mutex::new(Vec::new());

struct Desk {
    thread: ThreadId,
    /// The same thread, as Python calls it.
    ident: c_ulong,
    call: Mutex<Option<Call>>,
}

struct Call {
    exchange: Arc<Exchange>,
    limit: Duration,
    begun: u64,
    stage: Stage,
}

#[derive(PartialEq)]
enum Stage {
    InTime,
    /// The client has its answer; the stack is being looked at.
    Overdue,
    /// An exception was raised in the thread; its place is free if it could be left.
    Interrupted {
        left_place: bool,
    },
}

/// Makes a call of Python with an eye on the time that it takes.
pub(crate) fn limited<T>(
    py: Python<'_>,
    limit: Option<Duration>,
    exchange: &Arc<Exchange>,
    call: impl FnOnce() -> T,
) -> T {
    let Some(limit) = limit else { return call() };
    thread_local! {
        static DESK: Arc<Desk> = Desk::new();
    }
    DESK.with(|desk| {
        let begun = TICKS.load(Relaxed);
        *desk.lock() = Some(Call { exchange: exchange.clone(), limit, begun, stage: Stage::InTime });
        let result = call();
        let ended = desk.lock().take();
        if let Some(Call { stage: Stage::Interrupted { left_place }, .. }) = ended {
            // The exception may not have been raised yet. It must not be, in what this thread does next.
            set_exception(desk.ident, None);
            if left_place {
                py.detach(|| exchange.host().return_to_place());
            }
        }
        result
    })
}

/// How many calls were given up and have not returned: their threads cannot be interrupted.
pub fn stuck() -> usize {
    let desks = DESKS.lock().unwrap_or_else(PoisonError::into_inner);
    desks.iter().filter(|desk| desk.lock().as_ref().is_some_and(|call| call.stage != Stage::InTime)).count()
}

impl Desk {
    fn new() -> Arc<Self> {
        static GUARD: Once = Once::new();
        GUARD.call_once(|| {
            // Without a guard calls take as long as they do.
            let _ = thread::Builder::new().name("gateway-overtime".into()).spawn(watch);
        });
        // SAFETY: the calling thread is attached to the interpreter.
        let ident = unsafe { ffi::PyThread_get_thread_ident() };
        let desk = Arc::new(Desk { thread: thread::current().id(), ident, call: Mutex::new(None) });
        DESKS.lock().unwrap_or_else(PoisonError::into_inner).push(desk.clone());
        desk
    }

    /// Held shortly, and never while waiting for the interpreter.
    fn lock(&self) -> MutexGuard<'_, Option<Call>> {
        self.call.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers a call that is overdue. The interpreter is not needed for that, and may not be to be had.
    fn check(self: &Arc<Self>, now: u64) {
        let mut call = self.lock();
        let Some(call) = call.as_mut().filter(|call| call.stage == Stage::InTime) else { return };
        // The first tick may have come right after the call began.
        let ticks = now.saturating_sub(call.begun + 1);
        if TICK * u32::try_from(ticks).unwrap_or(u32::MAX) < call.limit {
            return;
        }
        call.stage = Stage::Overdue;
        call.exchange.time_out();
        let (desk, begun) = (self.clone(), call.begun);
        let interrupt = move || Python::attach(|py| desk.interrupt(py, begun));
        let _ = thread::Builder::new().name("gateway-interrupt".into()).spawn(interrupt);
    }

    fn interrupt(&self, py: Python<'_>, begun: u64) {
        // This thread has the interpreter, so that the call cannot end meanwhile.
        let is_overdue = |call: &Call| call.begun == begun && call.stage == Stage::Overdue;
        let Some(exchange) = self.lock().as_ref().filter(|call| is_overdue(call)).map(|call| call.exchange.clone())
        else {
            return;
        };
        let stack = stack(py, self.ident).unwrap_or_else(|error| format!("unknown: {error}"));
        exchange.log().write(&format!("{} takes too long and was given up; it is here:\n{stack}", exchange.request()));
        let mut call = self.lock();
        let Some(call) = call.as_mut().filter(|call| is_overdue(call)) else { return };
        set_exception(self.ident, Some(py.get_type::<RequestTimeout>().as_any()));
        call.stage = Stage::Interrupted { left_place: exchange.host().leave_place(self.thread) };
    }
}

fn watch() {
    loop {
        thread::sleep(TICK);
        let now = TICKS.fetch_add(1, Relaxed) + 1;
        let desks = DESKS.lock().unwrap_or_else(PoisonError::into_inner);
        desks.iter().for_each(|desk| desk.check(now));
    }
}

/// What the thread is doing, as a traceback would show it.
fn stack(py: Python<'_>, thread: c_ulong) -> PyResult<String> {
    let frames = py.import("sys")?.call_method0("_current_frames")?.cast_into::<PyDict>()?;
    let Some(frame) = frames.get_item(thread)? else { return Ok("outside of Python".into()) };
    let lines = py.import("traceback")?.call_method1("format_stack", (frame,))?;
    lines.try_iter()?.map(|line| line?.extract::<String>()).collect()
}

/// Sets or clears the exception that a thread raises when it executes Python next.
fn set_exception(thread: c_ulong, exception: Option<&Bound<'_, PyAny>>) {
    let exception = exception.map_or(std::ptr::null_mut(), Bound::as_ptr);
    // SAFETY: the calling thread is attached; the thread is named by its identity, and it is no error if it has ended;
    // Python takes a reference of its own to the exception's type, which null clears.
    unsafe { ffi::PyThreadState_SetAsyncExc(thread as _, exception) };
}
