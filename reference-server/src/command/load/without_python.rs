//! What stands in for Python in a build without it.

use std::path::Path;

use gateway_spec::BoxApp;

use super::Report;

/// No Python.
#[derive(Debug, Default)]
pub(in super::super) struct Python {}

impl Python {
    pub(super) fn load(&mut self, target: &str, _: Option<&Path>) -> Result<BoxApp, Report> {
        Err(super::left_out(&format!("wsgi:{target}"), "python"))
    }
}
