//! What stands in for Python in a build without it.

use super::{Loaded, Report, ServeOptions};

/// No Python.
#[derive(Debug, Default)]
pub(in super::super) struct Python {}

impl Python {
    pub(super) fn load(&mut self, target: &str, _: &ServeOptions) -> Result<Loaded, Report> {
        Err(super::left_out(&format!("wsgi:{target}"), "python"))
    }
}
