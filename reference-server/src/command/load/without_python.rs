//! What stands in for Python in a build without it.

use std::path::PathBuf;

use reference_server::scoreboard::Vitals;
use rustix::process::Signal;

use super::{Loaded, Loader, Report};

/// A signal that workers ignore: there are no stacks.
pub(in super::super) const DUMP_STACKS: Signal = Signal::USR2;

/// No Python.
#[derive(Debug, Default)]
pub(in super::super) struct Python {}

/// No Python, no zygote.
pub(in super::super) fn fork() -> Result<bool, Report> {
    Err(super::left_out("--preload", "python"))
}

/// No Python, no files.
pub(in super::super) fn imported_files() -> Vec<PathBuf> {
    Vec::new()
}

impl Python {
    pub(in super::super) fn runs(&self) -> bool {
        false
    }

    pub(super) fn load(&mut self, target: &str, _: bool, _: &Loader<'_>) -> Result<Loaded, Report> {
        Err(super::left_out(&format!("wsgi:{target}"), "python"))
    }

    pub(in super::super) fn vitals(&self) -> impl Fn(&mut Vitals) + Send + use<> {
        |_| {}
    }
}
