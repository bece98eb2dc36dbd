//! Calls of Python that take too long.
//!
//! Each thread that runs Python has a desk, on which the call that it is in lies. A guard looks at all desks a few times
//! a second. A call that has lain there for too long is answered with 504, whatever it does; then an exception is raised
//! in it, its stack goes to the log, and its place is given to another call in case that does not end it. An exception
//! reaches a thread only when it executes Python again: a thread that is stuck in C stays so, and costs no place.
#![allow(unsafe_code, reason = "raising an exception in another thread has no safe form")]

use std::{
    ffi::c_ulong,
    sync::{
        Arc, Mutex, MutexGuard, Once, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::{self, Receiver},
    },
    thread::{self, ThreadId},
    time::Duration,
};

use pyo3::{create_exception, exceptions::PyBaseException, ffi, prelude::*, types::PyDict};

use crate::exchange::Exchange;

create_exception!(gateway, RequestTimeout, PyBaseException, "Raised in a call that takes longer than it may.");

/// How often the guard looks.
const TICK: Duration = Duration::from_millis(250);

/// A call that was interrupted may take so long to end, where many threads compute.
const A_WHILE: Duration = Duration::from_secs(3);

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
    /// The client has its answer; the interpreter is waited for.
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
        // Where calls run inside the event loop, one may be a part of another: closing what that has dropped.
        let outer = desk.lock().replace(Call { exchange: exchange.clone(), limit, begun, stage: Stage::InTime });
        let result = call();
        let ended = std::mem::replace(&mut *desk.lock(), outer);
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

/// How many calls were given up and have not returned, a while later: their threads cannot be interrupted.
pub fn stuck() -> usize {
    let (now, desks) = (TICKS.load(Relaxed), DESKS.lock().unwrap_or_else(PoisonError::into_inner));
    let is_stuck = |call: &Call| call.stage != Stage::InTime && call.has_taken(now, call.limit + A_WHILE);
    desks.iter().filter(|desk| desk.lock().as_ref().is_some_and(is_stuck)).count()
}

impl Call {
    fn has_taken(&self, now: u64, time: Duration) -> bool {
        // The first tick may have come right after the call began.
        let ticks = now.saturating_sub(self.begun + 1);
        TICK * u32::try_from(ticks).unwrap_or(u32::MAX) >= time
    }
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

    /// Answers a call that has become overdue. The interpreter is not needed for that, and may not be to be had.
    fn check(self: &Arc<Self>, now: u64) -> Option<Overdue> {
        let mut call = self.lock();
        let call = call.as_mut().filter(|call| call.stage == Stage::InTime && call.has_taken(now, call.limit))?;
        call.stage = Stage::Overdue;
        call.exchange.time_out();
        Some(Overdue { desk: self.clone(), begun: call.begun })
    }
}

/// A call that was given up.
struct Overdue {
    desk: Arc<Desk>,
    begun: u64,
}

impl Overdue {
    /// Raises the exception, and returns what the log is to be told, unless the call has ended by itself.
    ///
    /// From the look at the stack on this thread keeps the interpreter, so that it is where the exception is raised. And
    /// where many threads compute, who gives the interpreter up may wait long for it.
    fn interrupt(&self, py: Python<'_>) -> Option<(Arc<Exchange>, PyResult<Vec<Place>>)> {
        let stack = stack(py, self.desk.ident);
        let mut call = self.desk.lock();
        let call = call.as_mut().filter(|call| call.begun == self.begun && call.stage == Stage::Overdue)?;
        set_exception(self.desk.ident, Some(py.get_type::<RequestTimeout>().as_any()));
        call.stage = Stage::Interrupted { left_place: call.exchange.host().leave_place(self.desk.thread) };
        Some((call.exchange.clone(), stack))
    }
}

/// Looks at all desks, again and again.
fn watch() {
    let (overdue, given_up) = mpsc::channel();
    // Another thread interrupts them, since it may have to wait long for the interpreter; one for all.
    let _ = thread::Builder::new().name("gateway-interrupt".into()).spawn(move || interrupt(&given_up));
    loop {
        thread::sleep(TICK);
        let now = TICKS.fetch_add(1, Relaxed) + 1;
        let desks = DESKS.lock().unwrap_or_else(PoisonError::into_inner);
        for call in desks.iter().filter_map(|desk| desk.check(now)) {
            let _ = overdue.send(call);
        }
    }
}

fn interrupt(given_up: &Receiver<Overdue>) {
    while let Ok(first) = given_up.recv() {
        Python::attach(|py| {
            let calls = std::iter::once(first).chain(given_up.try_iter());
            let interrupted: Vec<_> = calls.filter_map(|call| call.interrupt(py)).collect();
            for (exchange, stack) in interrupted {
                let stack =
                    stack.and_then(|stack| format(py, stack)).unwrap_or_else(|error| format!("unknown: {error}"));
                let (request, limit) = (exchange.request(), exchange.limit().unwrap_or_default());
                exchange
                    .log()
                    .write(&format!("{request} takes too long and was given up after {limit:?}; it is here:\n{stack}"));
            }
        });
    }
}

/// A frame of a stack as `traceback.format_list` takes it: file, line, function, and the line's text, which it looks up.
type Place = (String, Option<u32>, String, Option<String>);

/// So much of a stack is shown: what recursed without end may have millions of calls.
const CALLS: usize = 200;

/// What the thread is doing, the last call last; empty if that is not Python.
fn stack(py: Python<'_>, thread: c_ulong) -> PyResult<Vec<Place>> {
    let frames = py.import("sys")?.call_method0("_current_frames")?.cast_into::<PyDict>()?;
    let (mut places, mut next) = (Vec::new(), frames.get_item(thread)?);
    while let Some(frame) = next.filter(|frame| !frame.is_none() && places.len() < CALLS) {
        let code = frame.getattr("f_code")?;
        let (file, name) = (code.getattr("co_filename")?.extract()?, code.getattr("co_name")?.extract()?);
        places.push((file, frame.getattr("f_lineno")?.extract()?, name, None));
        next = Some(frame.getattr("f_back")?);
    }
    places.reverse();
    Ok(places)
}

/// The stack as a traceback would show it.
fn format(py: Python<'_>, stack: Vec<Place>) -> PyResult<String> {
    if stack.is_empty() {
        return Ok("outside of Python".into());
    }
    let omission = (stack.len() == CALLS).then(|| Ok(format!("  the last {CALLS} calls:\n")));
    let lines = py.import("traceback")?.call_method1("format_list", (stack,))?;
    omission.into_iter().chain(lines.try_iter()?.map(|line| line?.extract())).collect()
}

/// Sets or clears the exception that a thread raises when it executes Python next.
fn set_exception(thread: c_ulong, exception: Option<&Bound<'_, PyAny>>) {
    let exception = exception.map_or(std::ptr::null_mut(), Bound::as_ptr);
    // SAFETY: the calling thread is attached; the thread is named by its identity, and it is no error if it has ended;
    // Python takes a reference of its own to the exception's type, which null clears.
    unsafe { ffi::PyThreadState_SetAsyncExc(thread as _, exception) };
}
