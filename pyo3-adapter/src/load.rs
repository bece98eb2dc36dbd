//! From `module:callable` to the callable.

use std::path::Path;

use pyo3::{prelude::*, types::PyList};

use crate::LoadError;

/// Loads the callable that `target` names: `module:name`, `module:name.attribute`, `module:factory()`, with a dotted
/// module or the path of a `.py` file. Without a name it is `application` or `app`.
pub(crate) fn load(py: Python<'_>, target: &str) -> Result<Py<PyAny>, LoadError> {
    let (module_name, name) = match target.rsplit_once(':') {
        Some((module, name)) => (module, Some(name)),
        None => (target, None),
    };
    if module_name.is_empty() || name == Some("") {
        return Err(LoadError::new(format!("{target:?} is not of the form module:callable")));
    }
    let module = import(py, module_name)
        .map_err(|error| LoadError::raised(py, &format!("cannot import {module_name:?} for {target:?}"), &error))?;
    let callable = match name {
        Some(name) => resolve(py, &module, module_name, name)?,
        None => ["application", "app"].iter().find_map(|name| module.getattr(*name).ok()).ok_or_else(|| {
            LoadError::new(format!(
                "{module_name:?} has neither \"application\" nor \"app\": name the callable, {module_name}:NAME"
            ))
        })?,
    };
    if !callable.is_callable() {
        let kind = callable.get_type().to_string();
        return Err(LoadError::new(format!("{target:?} is {kind} and cannot be called: a WSGI application must be")));
    }
    freeze(py);
    Ok(callable.unbind())
}

fn import<'py>(py: Python<'py>, module: &str) -> PyResult<Bound<'py, PyAny>> {
    if module.ends_with(".py") {
        return import_file(py, Path::new(module));
    }
    put_on_path(py, &std::env::current_dir()?)?;
    Ok(py.import(module)?.into_any())
}

/// Runs a file as the module that its name says, unless there is another of that name already.
fn import_file<'py>(py: Python<'py>, file: &Path) -> PyResult<Bound<'py, PyAny>> {
    let file = file.canonicalize()?;
    if let Some(folder) = file.parent() {
        put_on_path(py, folder)?;
    }
    let name = file.file_stem().unwrap_or_default();
    let util = py.import("importlib.util")?;
    let spec = util.call_method1("spec_from_file_location", (name, &file))?;
    let module = util.call_method1("module_from_spec", (&spec,))?;
    let modules = py.import("sys")?.getattr("modules")?;
    let is_new = !modules.contains(name)?;
    if is_new {
        modules.set_item(name, &module)?;
    }
    let result = spec.getattr("loader")?.call_method1("exec_module", (&module,));
    if result.is_err() && is_new {
        modules.del_item(name)?;
    }
    result.map(|_| module)
}

fn put_on_path(py: Python<'_>, folder: &Path) -> PyResult<()> {
    let path = py.import("sys")?.getattr("path")?.cast_into::<PyList>()?;
    if !path.contains(folder.as_os_str())? {
        path.insert(0, folder.as_os_str())?;
    }
    Ok(())
}

fn resolve<'py>(
    py: Python<'py>,
    module: &Bound<'py, PyAny>,
    module_name: &str,
    name: &str,
) -> Result<Bound<'py, PyAny>, LoadError> {
    let (path, is_factory) = match name.strip_suffix("()") {
        Some(path) => (path, true),
        None => (name, false),
    };
    let mut object = module.clone();
    for attribute in path.split('.') {
        object = object
            .getattr(attribute)
            .map_err(|error| LoadError::raised(py, &format!("{module_name:?} has no {path:?}"), &error))?;
    }
    if is_factory {
        object = object
            .call0()
            .map_err(|error| LoadError::raised(py, &format!("calling {path}() of {module_name:?} failed"), &error))?;
    }
    Ok(object)
}

/// Takes what was loaded out of the garbage collector's rounds: it lives as long as the process.
fn freeze(py: Python<'_>) {
    if let Ok(gc) = py.import("gc") {
        // Collecting can run any destructor; what that raises is no reason not to serve.
        let _ = gc.call_method0("collect").and_then(|_| gc.call_method0("freeze"));
    }
}
