//! The limits at both ends, as processes of their own: what HTTP costs without any gateway, and what a program costs without
//! any HTTP.

mod hyper;
mod spawn;

use std::path::PathBuf;

use clap::Subcommand;

use super::{
    super::failure::{Failure, Report},
    work::Work,
};

pub(super) use spawn::Runs;

/// What `gateway compare` starts itself as.
#[derive(Debug, Subcommand)]
pub(in super::super) enum Limit {
    /// Does the work on hyper alone
    Hyper { port: u16 },
    /// Runs a program as often as it can, for as many seconds as each line of standard input says
    Spawn { program: PathBuf, work: Work },
}

impl Limit {
    /// # Errors
    /// What the system refuses.
    pub(in super::super) fn run(self) -> Result<(), Failure> {
        let done = match self {
            Limit::Hyper { port } => hyper::serve(port),
            Limit::Spawn { program, work } => spawn::run(&program, work),
        };
        done.map_err(|error| Failure::Runtime(Report::new("cannot run the limit").because(&error)))
    }
}
