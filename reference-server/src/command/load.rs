//! Targets made into Apps.

mod broken;
#[cfg(feature = "cgi")]
mod cgi;
#[cfg_attr(not(feature = "python"), path = "load/without_python.rs")]
mod python;

use std::{path::Path, time::Duration};

use gateway_spec::{App, BoxApp, Environ, Lint, Response, StartResponse};
use reference_server::{Files, Mounts, scoreboard::Vitals};

use super::{
    failure::{Failure, Report},
    options::ServeOptions,
    settings::Origin,
    target::{Mount, Target},
};

pub(super) use python::{DUMP_STACKS, Python, fork, imported_files};

/// A target that is loaded. Python callables are called without the allocation that a [`BoxApp`] costs with each request:
/// nowhere else would it be felt.
#[derive(Debug)]
pub(super) enum Loaded {
    #[cfg(feature = "python")]
    Wsgi(pyo3_adapter::Wsgi),
    Other(BoxApp),
}

impl App for Loaded {
    async fn call(&self, environ: Environ, start_response: StartResponse) -> gateway_spec::Result<Response> {
        match self {
            #[cfg(feature = "python")]
            Loaded::Wsgi(app) => app.call(environ, start_response).await,
            Loaded::Other(app) => app.call(environ, start_response).await,
        }
    }
}

impl From<BoxApp> for Loaded {
    fn from(app: BoxApp) -> Self {
        Loaded::Other(app)
    }
}

/// Makes Apps of targets, on the conditions that hold for all of them.
#[derive(Debug)]
pub(super) struct Loader<'a> {
    /// The virtual environment that Python imports from.
    pub(super) venv: Option<&'a Path>,
    /// How long one call of Python may take.
    pub(super) timeout: Option<Duration>,
    /// Whether folders are listed, unless the target says it.
    pub(super) listing: bool,
    /// Whether applications are watched, unless the mount says it.
    pub(super) lint: bool,
    /// Whether somebody works on the applications, and is shown what cannot be loaded.
    pub(super) reload: bool,
    /// CGI programs that run at once.
    #[cfg(feature = "cgi")]
    pub(super) running: cgi_adapter::Capacity,
}

impl<'a> Loader<'a> {
    pub(super) fn new(options: &'a ServeOptions) -> Self {
        Loader {
            venv: options.venv.as_deref(),
            timeout: seconds(options.timeout),
            listing: options.listing,
            lint: options.lint,
            reload: options.reload,
            #[cfg(feature = "cgi")]
            running: cgi_adapter::Capacity::new(options.cgi_concurrency as usize, usize::MAX),
        }
    }

    /// Loads every target, even if one cannot be: who has two mistakes sees two messages.
    ///
    /// # Errors
    /// [`Failure::Load`] with a report for each target that cannot be loaded.
    pub(super) fn load_all(&self, mounts: &[(Mount, Origin)], python: &mut Python) -> Result<Mounts<Loaded>, Failure> {
        let (mut loaded, mut reports) = (Mounts::default(), Vec::new());
        for (Mount { prefix, target, lint }, _) in mounts {
            match self.load(target, python) {
                Ok(app) if lint.unwrap_or(self.lint) => {
                    loaded = loaded.mount_same(prefix, BoxApp::new(Lint::new(app)).into());
                }
                Ok(app) => loaded = loaded.mount_same(prefix, app),
                Err(report) if self.reload => {
                    tracing::error!("{}", report.to_string().trim_end());
                    loaded = loaded.mount_same(prefix, broken::app(&report).into());
                }
                Err(report) => reports.push(report),
            }
        }
        if reports.is_empty() { Ok(loaded) } else { Err(Failure::Load(reports)) }
    }

    /// Tells how applications are, whenever that is asked.
    pub(super) fn vitals(&self, python: &Python) -> impl Fn(&mut Vitals) + Send + use<> {
        let of_python = python.vitals();
        #[cfg(feature = "cgi")]
        let running = self.running.clone();
        move |vitals| {
            of_python(vitals);
            #[cfg(feature = "cgi")]
            (vitals.cgi_processes = running.running() as u64);
        }
    }

    /// Loads one target.
    ///
    /// # Errors
    /// Why it cannot be loaded.
    pub(super) fn load(&self, target: &Target, python: &mut Python) -> Result<Loaded, Report> {
        match target {
            Target::Wsgi { callable, stream } => python.load(callable, *stream, self),
            #[cfg(feature = "cgi")]
            Target::Cgi { path, options } => cgi::load(path, options, &self.running).map(Loaded::from),
            #[cfg(not(feature = "cgi"))]
            Target::Cgi { path, .. } => Err(left_out(&format!("cgi:{}", path.display()), "cgi")),
            Target::Static { folder, listing } => files(folder, listing.unwrap_or(self.listing)).map(Loaded::from),
            Target::App(app) => Ok(app.app().into()),
        }
    }
}

/// A time of 0 is none.
pub(super) fn seconds(count: u32) -> Option<Duration> {
    Some(Duration::from_secs(count.into())).filter(|time| !time.is_zero())
}

fn files(folder: &Path, listing: bool) -> Result<BoxApp, Report> {
    let files = Files::new(folder).map_err(|error| {
        let what = format!("cannot serve the files of static:{}", folder.display());
        Report::new(what).because(&error).tip(tried(folder, "a folder"))
    })?;
    Ok(BoxApp::new(files.listing(listing)))
}

/// What the path was taken for.
fn tried(path: &Path, wanted: &str) -> String {
    // Without a current folder there is nothing to add.
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    format!("{} must be {wanted}", absolute.display())
}

#[cfg(not(all(feature = "cgi", feature = "python")))]
fn left_out(target: &str, feature: &str) -> Report {
    let what = format!("cannot load {target}: this gateway was built without the feature {feature:?}");
    Report::new(what).tip(format!("build it with --features {feature}"))
}
