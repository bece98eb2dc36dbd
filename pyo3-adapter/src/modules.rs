//! What has been imported: for those who develop, and want to see what they have changed.

use std::path::PathBuf;

use pyo3::{
    prelude::*,
    types::{PyDict, PyModule},
};

/// The files of all modules that are imported now. Python must have been [initialized](crate::initialize).
pub fn imported_files() -> Vec<PathBuf> {
    Python::attach(|py| files(py).unwrap_or_default())
}

fn files(py: Python<'_>) -> PyResult<Vec<PathBuf>> {
    let modules = py.import("sys")?.getattr("modules")?.cast_into::<PyDict>()?;
    // A module's dict is looked at, and not its attributes, which may be anything and do anything.
    let file = |module: Bound<'_, PyAny>| {
        let file = module.cast_into::<PyModule>().ok()?.dict().get_item("__file__").ok()??;
        file.extract::<PathBuf>().ok()
    };
    Ok(modules.values().iter().filter_map(file).filter(|file| file.is_absolute()).collect())
}

/// Keeps Python from writing compiled modules: it knows a stale one by the second and the size of its source, and who
/// develops may save twice in a second.
pub fn write_no_bytecode() {
    Python::attach(|py| {
        // A sys that cannot be written to is nothing to fail for.
        let _ = py.import("sys").and_then(|sys| sys.setattr("dont_write_bytecode", true));
    });
}
