//! What the command line asks for, done.
//!
//! ```text
//!   command line ─┐                       ┌▶ worker ─▶ load: each target an App ─▶ serve
//!   environment ──┼─▶ options ─▶ settings ─▶ supervisor
//!   file ─ config ┘   (a table)           └▶ worker …
//! ```
//!
//! Supervisor and workers are the same program with the same arguments; before them a worker has one more, its role.
//! `gateway check`, `gateway conformance` and `gateway compare` have ways of their own: [`check`], [`conformance`],
//! [`compare`].

mod admin;
mod apps;
mod banner;
mod bind;
mod check;
mod compare;
mod config;
mod conformance;
mod control;
mod failure;
mod liveness;
mod load;
mod nearest;
mod options;
mod print_config;
mod roster;
mod serve;
mod settings;
mod supervisor;
mod target;
mod worker;
mod zygote;

use std::{env, process::ExitCode};

use clap::{Parser, Subcommand};

use check::CheckOptions;
use compare::{CompareOptions, Limit};
use conformance::ConformanceOptions;
use options::ServeOptions;
use supervisor::TAKE_OVER;
use worker::WORKER;
use zygote::ZYGOTE;

/// Serves Rust Apps, Python WSGI applications, CGI programs and files under one URL space.
#[derive(Debug, Parser)]
#[command(name = "gateway", bin_name = "gateway", version = version(), subcommand_required = true, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Serve applications over HTTP.
    #[command(long_about = options::ABOUT, after_long_help = options::EXAMPLES)]
    Serve(Box<ServeOptions>),
    /// Check applications against the contract.
    #[command(long_about = check::ABOUT, after_long_help = check::EXAMPLES)]
    Check(Box<CheckOptions>),
    /// Judge a server by the cases of the gateway contract.
    #[command(long_about = conformance::ABOUT, after_long_help = conformance::EXAMPLES)]
    Conformance(Box<ConformanceOptions>),
    /// Measure what each way of running an application costs.
    #[command(long_about = compare::ABOUT, after_long_help = compare::EXAMPLES)]
    Compare(Box<CompareOptions>),
    /// A part of `compare` that is a process of its own.
    #[command(hide = true, subcommand)]
    Limit(Limit),
}

/// Runs the command with the arguments of this process.
pub(crate) fn run() -> ExitCode {
    let mut args: Vec<_> = env::args_os().collect();
    let role = args.get(1).and_then(|role| role.to_str()).filter(|role| [WORKER, ZYGOTE, TAKE_OVER].contains(role));
    let role = role.map(str::to_owned);
    let done = match role.as_deref() {
        Some(role) => {
            args.remove(1);
            match role {
                WORKER => return worker::run(&args),
                ZYGOTE => return zygote::run(&args),
                _ => supervisor::take_over().and_then(|predecessor| serve::run(args, Some(predecessor))),
            }
        }
        None => match Cli::try_parse_from(&args).map(|cli| cli.action) {
            Ok(Action::Check(options)) => check::run(&options),
            Ok(Action::Conformance(options)) => conformance::run(&options),
            Ok(Action::Compare(options)) => compare::run(&options),
            Ok(Action::Limit(limit)) => limit.run().map(|()| ExitCode::SUCCESS),
            // What `serve` is to do, or what is wrong, takes a closer look.
            Ok(Action::Serve(_)) | Err(_) => serve::run(args, None),
        },
    };
    done.unwrap_or_else(|failure| {
        failure.print();
        failure.exit_code()
    })
}

/// The version of the command, and of what is linked into it.
fn version() -> String {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    #[cfg(feature = "python")]
    let version = format!("{version}, Python {}", pyo3_adapter::version());
    version
}
