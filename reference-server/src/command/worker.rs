//! A worker: one process that loads the applications, accepts from the supervisor's sockets, and serves.

mod changes;
mod orders;

use std::{
    ffi::OsString,
    fs::File,
    hash::{BuildHasher as _, RandomState},
    io::{self, Read as _, Seek as _},
    os::fd::OwnedFd,
    path,
    process::{self, ExitCode},
    sync::{Arc, Weak},
    time::Duration,
};

use reference_server::{
    AccessLog, Balance, Builder, Limits, Listener, Mounts, Runtime, Server,
    scoreboard::{Scoreboard, Vitals},
};
use rustix::process::{Resource, getrlimit, setrlimit};

use super::{
    control::Control,
    failure::{Failure, Report},
    load::{Loaded, Loader, Python, imported_files},
    options::ServeOptions,
    serve::{cannot, change_folder, log_to_stderr},
    settings::Settings,
};
use changes::Sources;
use orders::Orders;

/// The first argument of a worker.
pub(super) const WORKER: &str = "worker";

/// Where a worker sits: its supervisor, and what that gives it to work with.
#[derive(Debug)]
pub(super) struct Seat {
    control: Control,
    offer: Offer,
}

#[derive(Debug)]
struct Offer {
    /// Whether there are other workers beside this one.
    multiprocess: bool,
    /// The place among them.
    balance: Balance,
    /// A file in memory that the supervisor reads, for this worker to say there what it does.
    scoreboard: File,
    listeners: Vec<Listener>,
}

impl Seat {
    /// Takes the seat that the supervisor offers.
    fn take() -> io::Result<(Self, String)> {
        let (control, text, mut descriptors) = Control::from_stdin()?;
        let config = if descriptors.is_empty() { None } else { Some(descriptors.remove(0)) };
        let config = content(config.ok_or_else(wrong)?.into())?;
        Ok((Seat::new(control, &text, descriptors)?, config))
    }

    /// The seat that an offer, the message and its descriptors, describes.
    ///
    /// # Errors
    /// It is none.
    pub(super) fn new(control: Control, text: &str, descriptors: Vec<OwnedFd>) -> io::Result<Self> {
        let (place, multiprocess) = text.split_once(' ').ok_or_else(wrong)?;
        let place = place.parse().map_err(|_| wrong())?;
        let multiprocess = multiprocess.parse().map_err(|_| wrong())?;
        let mut descriptors = descriptors.into_iter();
        let mut file = || descriptors.next().map(File::from).ok_or_else(wrong);
        let (scoreboard, board) = (file()?, file()?);
        let listeners = descriptors.map(Listener::try_from).collect::<io::Result<_>>()?;
        let balance = Balance::new(board, place);
        let offer = Offer { multiprocess, balance, scoreboard, listeners };
        Ok(Seat { control, offer })
    }
}

fn wrong() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "not what a supervisor says")
}

/// What the supervisor has written into a file in memory, whose offset both share.
pub(super) fn content(mut file: File) -> io::Result<String> {
    let mut text = String::new();
    file.rewind()?;
    file.read_to_string(&mut text)?;
    Ok(text)
}

/// Serves in the seat that the supervisor has prepared, with the supervisor's arguments.
pub(super) fn run(args: &[OsString]) -> ExitCode {
    // Who was started by way of /proc/self/exe would be called "exe" by ps and top.
    let _ = rustix::thread::set_name(c"gateway");
    let (seat, config) = match Seat::take() {
        Ok(taken) => taken,
        Err(error) => {
            let report = Report::new("a worker is started by `gateway serve`, and not by hand").because(&error);
            eprint!("{report}");
            return ExitCode::from(2);
        }
    };
    take_orders(seat, |offer, orders| serve(Prepared::new(args, config)?, offer, orders))
}

/// Serves in this seat what was prepared before.
pub(super) fn run_prepared(seat: Seat, prepared: Prepared) -> ExitCode {
    take_orders(seat, |offer, orders| serve(prepared, offer, orders))
}

fn take_orders(seat: Seat, work: impl FnOnce(Offer, &Orders) -> Result<(), Failure>) -> ExitCode {
    let Seat { control, offer } = seat;
    let served = Orders::begin(control).map_err(|error| cannot("watch for signals", &error)).and_then(|orders| {
        let served = work(offer, &orders);
        if let Err(failure) = &served {
            orders.failed(failure);
        }
        served
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        // The supervisor prints it.
        Err(failure) => failure.exit_code(),
    }
}

/// All that is done before a process has threads.
pub(super) struct Prepared {
    settings: Settings,
    sources: Option<Sources>,
    // Applications go before the interpreter that they live in.
    app: Mounts<Loaded>,
    python: Python,
    vitals: Box<dyn Fn(&mut Vitals) + Send>,
}

impl Prepared {
    /// Loads the applications.
    ///
    /// # Errors
    /// One cannot be loaded.
    pub(super) fn new(args: &[OsString], config: String) -> Result<Self, Failure> {
        let settings = Settings::gather(args, Some(config))?;
        let options = &settings.options;
        log_to_stderr(options.log_level);
        let config_file = options.config.as_deref().and_then(|file| path::absolute(file).ok());
        change_folder(options.chdir.as_deref())?;
        #[cfg(feature = "cgi")]
        cgi_adapter::keep_descriptors_private();
        let sources = options.reload.then(|| Sources::look(config_file)).transpose();
        let sources = sources.map_err(|error| cannot("look at sources", &error))?;
        let mut python = Python::default();
        let loader = Loader::new(options);
        let app = loader.load_all(&settings.mounts, &mut python)?;
        let vitals = Box::new(loader.vitals(&python));
        Ok(Prepared { settings, sources, app, python, vitals })
    }
}

fn serve(prepared: Prepared, offer: Offer, orders: &Orders) -> Result<(), Failure> {
    let Prepared { settings, sources, app, python, vitals } = prepared;
    let Offer { multiprocess, balance, scoreboard, listeners } = offer;
    let options = &settings.options;
    let access_log = access_log(options)?;
    let runtime = Runtime::with_queue(options.threads.into(), options.queue as usize)
        .map_err(|error| cannot("start threads", &error))?;
    let mut server = builder(options).multiprocess(multiprocess).blocking(runtime.blocking());
    if multiprocess {
        server = server.balance(balance);
    }
    if let Some(log) = &access_log {
        server = server.access_log(log.clone());
    }
    if let Some(count) = max_requests(options) {
        server = server.after_requests(count, orders.retire(format!("it has answered {count} requests")));
    }
    if let Some(sources) = sources {
        let has_python = python.runs();
        let more = move || if has_python { imported_files() } else { Vec::new() };
        sources.watch(more, orders.changed()).map_err(|error| cannot("watch sources", &error))?;
    }
    let mounts = app.prefixes().map(|prefix| if prefix.is_empty() { "/" } else { prefix }.to_owned()).collect();
    server = server.scoreboard(Scoreboard::new(scoreboard, &runtime, mounts).vitals(vitals));
    let drain = orders.serving(
        access_log.as_ref().map_or_else(Weak::new, Arc::downgrade),
        Duration::from_secs(options.graceful_timeout.into()),
    );
    let served = runtime.block_on(server.listen(listeners).serve_until(app, drain));
    #[cfg(feature = "cgi")]
    cgi_adapter::end_programs();
    served.map_err(|error| cannot("serve", &error))
}

fn access_log(options: &ServeOptions) -> Result<Option<Arc<AccessLog>>, Failure> {
    let Some(path) = &options.access_log else { return Ok(None) };
    AccessLog::open(path, options.access_log_format.clone()).map(Some).map_err(|error| {
        Failure::Usage(Report::new(format!("cannot open the access log {}", path.display())).because(&error))
    })
}

/// After how many requests the worker is to be replaced. Chance keeps workers that began together from ending together.
fn max_requests(options: &ServeOptions) -> Option<u64> {
    let (count, jitter) = (u64::from(options.max_requests), u64::from(options.max_requests_jitter));
    // Each such state has random keys of its own.
    let chance = RandomState::new().hash_one(process::id());
    (count > 0).then(|| count + chance % (jitter + 1))
}

/// Lets the process open as many files as it may, and says how many connections that leaves room for: each takes one
/// descriptor, and applications want some too.
fn connections() -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current < limit.maximum {
        limit.current = limit.maximum;
        // What cannot be raised is what there is.
        let _ = setrlimit(Resource::Nofile, limit);
    }
    let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(descriptors / 5 * 4).unwrap_or(usize::MAX)
}

fn builder(options: &ServeOptions) -> Builder {
    let mut limits = Limits::default();
    limits.connections = limits.connections.min(connections());
    limits.body = options.max_body.0;
    limits.head_time = Duration::from_secs(options.head_timeout.into());
    limits.idle_time = Duration::from_secs(options.keep_alive.into());
    limits.body_time = Duration::from_secs(options.body_timeout.into());
    limits.write_time = Duration::from_secs(options.write_timeout.into());
    // Who develops wants to see what is new with the next click.
    let drain_idle = if options.reload { options.drain_idle.min(1) } else { options.drain_idle };
    limits.drain_idle_time = Duration::from_secs(drain_idle.into());
    limits.graceful_time = Duration::from_secs(options.graceful_timeout.into());
    Server::builder().limits(limits)
}
