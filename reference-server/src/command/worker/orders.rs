//! What a worker is told, by its supervisor and by signals.
//!
//! This happens on a thread of its own, so that it counts even if an application blocks the event loop, or Python.

use std::{
    io,
    os::fd::AsFd as _,
    path::Path,
    process,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak},
    thread,
    time::Duration,
};

use reference_server::AccessLog;
use tokio::{
    io::Interest,
    net::UnixDatagram,
    runtime::Builder,
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
};

use super::{
    super::control::{Control, Message},
    Failure,
};

/// How much longer than its applications' time a worker takes at most to end, whose supervisor is gone.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// The conventional exit code of a process that a signal ended, less the signal's number.
const SIGNALLED: i32 = 128;

/// The worker's side of its orders.
pub(super) struct Orders {
    shared: Arc<Shared>,
    drain: Mutex<Option<oneshot::Receiver<()>>>,
}

struct Shared {
    control: Control,
    /// The same socket in the event loop.
    watched: UnixDatagram,
    /// Whether applications are loaded: before that there is nothing to finish.
    serving: Mutex<bool>,
    access_log: Mutex<Weak<AccessLog>>,
    /// How long running requests may take to finish.
    graceful: OnceLock<Duration>,
}

impl Orders {
    /// Obeys from here on.
    ///
    /// # Errors
    /// What the system reports.
    pub(super) fn begin(control: Control) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_io().build()?;
        let inside = runtime.enter();
        let watched = UnixDatagram::from_std(control.as_fd().try_clone_to_owned()?.into())?;
        let (serving, access_log, graceful) = (Mutex::default(), Mutex::default(), OnceLock::new());
        let shared = Arc::new(Shared { control, watched, serving, access_log, graceful });
        let signals = Signals::watch()?;
        drop(inside);
        let (sender, drain) = oneshot::channel();
        let obeying = obey(shared.clone(), signals, sender);
        thread::Builder::new().name("gateway-orders".into()).spawn(move || runtime.block_on(obeying))?;
        Ok(Orders { shared, drain: Mutex::new(Some(drain)) })
    }

    /// Tells the supervisor that this worker serves. What this returns is ready when it is to drain.
    pub(super) fn serving(
        &self,
        access_log: Weak<AccessLog>,
        graceful: Duration,
    ) -> impl Future<Output = ()> + Send + use<> {
        // Set once: a worker serves once.
        let _ = self.shared.graceful.set(graceful);
        *lock(&self.shared.access_log) = access_log;
        *lock(&self.shared.serving) = true;
        self.shared.control.send(&Message::Ready);
        let drain = lock(&self.drain).take();
        async move {
            if let Some(drain) = drain {
                // Nothing is ever sent: its end is the order.
                let _ = drain.await;
            }
        }
    }

    /// What tells the supervisor that a source file has changed.
    pub(super) fn changed(&self) -> impl Fn(&Path) + Send + 'static {
        let shared = self.shared.clone();
        move |file| shared.control.send(&Message::Changed(file.display().to_string()))
    }

    /// What tells the supervisor that this worker should be replaced.
    pub(super) fn retire(&self, reason: String) -> impl Fn() + Send + Sync + 'static {
        let shared = self.shared.clone();
        move || shared.control.send(&Message::Retire(reason.clone()))
    }

    /// Tells the supervisor why this worker does not serve.
    pub(super) fn failed(&self, failure: &Failure) {
        self.shared.control.send(&Message::Failed(failure.code(), failure.to_string()));
    }
}

/// Signals that are of interest, and those that must not end the process: whoever sends one to all processes of the
/// server means the supervisor.
struct Signals {
    terminate: Signal,
    quit: Signal,
    reopen: Signal,
    _ignored: Vec<Signal>,
}

impl Signals {
    fn watch() -> io::Result<Self> {
        let ignored = [SignalKind::hangup(), SignalKind::interrupt(), SignalKind::user_defined2()];
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            quit: signal(SignalKind::quit())?,
            reopen: signal(SignalKind::user_defined1())?,
            _ignored: ignored.into_iter().map(signal).collect::<io::Result<_>>()?,
        })
    }
}

/// What there is to do.
enum Order {
    Drain,
    /// Drain, for there is nobody who would restart or reload this worker.
    Orphaned,
    /// End now, with this exit code.
    End(i32),
    Reopen,
    /// A person has told this process, and not the server, to end.
    Leave,
    Nothing,
}

async fn obey(shared: Arc<Shared>, mut signals: Signals, drain: oneshot::Sender<()>) {
    let (mut drain, mut left, mut supervised) = (Some(drain), false, true);
    loop {
        let order = tokio::select! {
            order = shared.hear(), if supervised => order,
            _ = signals.terminate.recv() => Order::Leave,
            _ = signals.quit.recv() => Order::End(SIGNALLED + SignalKind::quit().as_raw_value()),
            _ = signals.reopen.recv() => Order::Reopen,
        };
        match order {
            Order::Drain => {
                shared.end_unless_serving(0);
                drop(drain.take());
            }
            Order::Orphaned => {
                shared.end_unless_serving(0);
                tracing::warn!("the supervisor is gone: running requests are finished, and then this worker ends");
                supervised = false;
                shared.end_by_itself();
                drop(drain.take());
            }
            Order::End(code) => {
                #[cfg(feature = "cgi")]
                cgi_adapter::end_programs();
                process::exit(code)
            }
            Order::Leave => {
                let code = SIGNALLED + SignalKind::terminate().as_raw_value();
                shared.end_unless_serving(code);
                // The first one may have been sent to the supervisor as well, which was quicker to say so.
                if left {
                    process::exit(code);
                }
                left = true;
                shared.control.send(&Message::Retire("it was told to end by SIGTERM".into()));
            }
            Order::Reopen => shared.reopen(),
            Order::Nothing => {}
        }
    }
}

impl Shared {
    /// The supervisor's next order.
    async fn hear(&self) -> Order {
        match self.watched.async_io(Interest::READABLE, || self.control.receive()).await {
            Ok(Some(Message::Drain)) => Order::Drain,
            Ok(None) => Order::Orphaned,
            Ok(Some(Message::Quit)) => Order::End(0),
            Ok(Some(Message::Reopen)) => Order::Reopen,
            Ok(Some(_)) | Err(_) => Order::Nothing,
        }
    }

    /// Ends the process if it does not serve yet. It does not begin to while it ends, which may take a while: the lock is
    /// kept.
    fn end_unless_serving(&self, code: i32) {
        let serving = lock(&self.serving);
        if !*serving {
            process::exit(code);
        }
    }

    /// Nobody is left who would kill this process if it cannot finish.
    fn end_by_itself(&self) {
        let graceful = self.graceful.get().copied().unwrap_or_default();
        let end = move || {
            thread::sleep(graceful + LAST_WORDS);
            process::exit(1);
        };
        if let Err(error) = thread::Builder::new().name("gateway-deadline".into()).spawn(end) {
            tracing::error!("cannot start a thread: {error}");
        }
    }

    fn reopen(&self) {
        let log = lock(&self.access_log).upgrade();
        if let Some(Err(error)) = log.map(|log| log.reopen()) {
            tracing::error!("cannot open the access log anew: {error}");
        }
    }
}

/// Nothing that can panic is done under these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
