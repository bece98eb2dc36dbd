//! CGI programs, with what the configuration file says of them.

use std::{env, path::Path, time::Duration};

use cgi_adapter::{Capacity, Cgi, Limits, LoadError};
use gateway_spec::BoxApp;

use super::{
    super::{failure::Report, target::CgiOptions},
    tried,
};

/// How many programs of one mount run at once, and how many requests wait for that.
const CONCURRENCY: u64 = 64;
const QUEUE: u64 = 1024;

/// Offers the programs at `path`; `running` is what all mounts share.
pub(super) fn load(path: &Path, options: &CgiOptions, running: &Capacity) -> Result<BoxApp, Report> {
    let what = || Report::new(format!("cannot offer the programs of cgi:{}", path.display()));
    let programs = Cgi::new(path).map_err(|error| {
        what().because(&error).tip(tried(path, "a program that can be executed, or a folder of them"))
    })?;
    let programs = configure(programs, options).map_err(|error| what().because(&error))?;
    Ok(BoxApp::new(programs.shared_capacity(running.clone())))
}

fn configure(programs: Cgi, options: &CgiOptions) -> Result<Cgi, LoadError> {
    let count = |name: &str, usual: u64| usize::try_from(options.number(name).unwrap_or(usual)).unwrap_or(usize::MAX);
    let mut programs = programs
        .stream(options.boolean("stream"))
        .nph(options.boolean("nph"))
        .indexed(options.boolean("indexed"))
        .pass_authorization(options.boolean("pass-authorization"))
        .allow_writable(options.boolean("allow-writable"))
        .capacity(Capacity::new(count("concurrency", CONCURRENCY), count("queue", QUEUE)))
        .limits(limits(options));
    let seconds = |name| options.number(name).map(Duration::from_secs);
    if let Some(timeout) = seconds("timeout") {
        programs = programs.timeout(timeout);
    }
    if let Some(timeout) = seconds("head-timeout") {
        programs = programs.head_timeout(timeout);
    }
    if let Some(timeout) = seconds("total-timeout") {
        programs = programs.total_timeout(timeout);
    }
    if let Some(folder) = options.text("document-root") {
        programs = programs.document_root(folder);
    }
    for (suffix, interpreter) in options.pairs("interpreters") {
        programs = programs.interpreter(suffix, interpreter)?;
    }
    for folder in options.texts("sendfile") {
        programs = programs.sendfile(folder)?;
    }
    // What is written in the file goes before what happens to be in the server's environment.
    for name in options.texts("pass-environ") {
        if let Some(value) = env::var_os(name) {
            programs = programs.variable(name, value)?;
        }
    }
    for (name, value) in options.pairs("environ") {
        programs = programs.variable(name, value)?;
    }
    Ok(programs)
}

fn limits(options: &CgiOptions) -> Limits {
    let mut limits = Limits::default();
    limits.cpu = options.limit("cpu");
    limits.memory = options.limit("memory");
    limits.processes = options.limit("processes");
    limits.file_size = options.limit("file-size");
    limits
}
