//! What stands in for Python in a build without it.

use super::{Loaded, Loader, Report};

/// No Python.
#[derive(Debug, Default)]
pub(in super::super) struct Python {}

impl Python {
    pub(super) fn load(&mut self, target: &str, _: bool, _: &Loader<'_>) -> Result<Loaded, Report> {
        Err(super::left_out(&format!("wsgi:{target}"), "python"))
    }
}
