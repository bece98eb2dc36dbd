//! Targets made into Apps.

#[cfg(feature = "cgi")]
mod cgi;
#[cfg_attr(not(feature = "python"), path = "load/without_python.rs")]
mod python;

use std::path::Path;

use gateway_spec::{App, BoxApp, Environ, Response, StartResponse};
use reference_server::{Files, Mounts};

use super::{
    failure::{Failure, Report},
    options::ServeOptions,
    settings::Origin,
    target::{Mount, Target},
};

pub(super) use python::Python;

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

/// Loads every target, even if one cannot be: who has two mistakes sees two messages.
///
/// # Errors
/// [`Failure::Load`] with a report for each target that cannot be loaded.
pub(super) fn load(
    mounts: &[(Mount, Origin)],
    options: &ServeOptions,
    python: &mut Python,
) -> Result<Mounts<Loaded>, Failure> {
    #[cfg(feature = "cgi")]
    let running = cgi_adapter::Capacity::new(options.cgi_concurrency as usize, usize::MAX);
    let (mut loaded, mut reports) = (Mounts::default(), Vec::new());
    for (Mount { prefix, target }, _) in mounts {
        let app = match target {
            Target::Wsgi(callable) => python.load(callable, options),
            #[cfg(feature = "cgi")]
            Target::Cgi { path, options } => cgi::load(path, options, &running).map(Loaded::from),
            #[cfg(not(feature = "cgi"))]
            Target::Cgi { path, .. } => Err(left_out(&format!("cgi:{}", path.display()), "cgi")),
            Target::Static { folder, listing } => files(folder, listing.unwrap_or(options.listing)).map(Loaded::from),
            Target::App(app) => Ok(app.app().into()),
        };
        match app {
            Ok(app) => loaded = loaded.mount_same(prefix, app),
            Err(report) => reports.push(report),
        }
    }
    if reports.is_empty() { Ok(loaded) } else { Err(Failure::Load(reports)) }
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
