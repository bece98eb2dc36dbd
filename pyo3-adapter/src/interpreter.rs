//! The one Python interpreter of the process: how it starts, how threads enter it, how it ends.
#![allow(unsafe_code, reason = "starting the interpreter and keeping thread states has no safe form")]

use std::{
    cell::Cell,
    env,
    ffi::{CStr, CString},
    fs,
    mem::MaybeUninit,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use gateway_spec::blocking::Lane;
use pyo3::{ffi, prelude::*};

use crate::{LoadError, fork};

/// The interpreter that the crate was built for. It is where an embedded Python looks for its library, unless there is a
/// virtual environment.
const EXECUTABLE: &str = env!("GATEWAY_PYTHON_EXECUTABLE");

/// The version of the Python that is linked, `3.11.7` for one.
pub fn version() -> &'static str {
    // SAFETY: returns a pointer to a static, NUL-terminated text; it may be called before Python is initialised.
    let text = unsafe { CStr::from_ptr(ffi::Py_GetVersion()) };
    text.to_str().ok().and_then(|text| text.split_whitespace().next()).unwrap_or("unknown")
}

/// Starts Python, if it does not run yet. `venv` is the virtual environment that `import` sees; without one, that which
/// `VIRTUAL_ENV` names, if it is set.
///
/// # Errors
/// The folder is no virtual environment, or one of another minor version of Python than the one that is linked; or
/// Python does not start.
pub fn initialize(venv: Option<&Path>) -> Result<(), LoadError> {
    static STARTING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: may be called at any time.
    if unsafe { ffi::Py_IsInitialized() } != 0 {
        return Ok(());
    }
    let named = env::var_os("VIRTUAL_ENV").filter(|venv| !venv.is_empty()).map(PathBuf::from);
    let executable = match venv.map(Path::to_path_buf).or(named) {
        Some(venv) => Some(venv_executable(&venv)?),
        None => Some(PathBuf::from(EXECUTABLE)).filter(|executable| executable.is_file()),
    };
    start(executable.as_deref())?;
    Python::attach(|py| fork::watch(py).map_err(|error| LoadError::raised(py, "cannot watch for forks", &error)))
}

/// Checks a virtual environment, and names its interpreter: Python finds everything else from there.
fn venv_executable(venv: &Path) -> Result<PathBuf, LoadError> {
    let venv = std::path::absolute(venv).unwrap_or_else(|_| venv.to_path_buf());
    let config = fs::read_to_string(venv.join("pyvenv.cfg")).map_err(|error| {
        LoadError::new(format!("{} is not a virtual environment: pyvenv.cfg: {error}", venv.display()))
    })?;
    let theirs = config.lines().find_map(|line| {
        let (key, value) = line.split_once('=')?;
        matches!(key.trim(), "version" | "version_info").then(|| value.trim())
    });
    let minor = |version: &str| version.splitn(3, '.').take(2).collect::<Vec<_>>().join(".");
    let (theirs, ours) = (theirs.unwrap_or("unknown"), version());
    if minor(theirs) != minor(ours) {
        return Err(LoadError::new(format!(
            "the virtual environment {} is for Python {theirs}, and this program is linked to Python {ours}: make one \
             with python{} -m venv, or build this program for that Python (PYO3_PYTHON={})",
            venv.display(),
            minor(ours),
            venv.join("bin/python").display(),
        )));
    }
    Ok(venv.join("bin/python"))
}

fn start(executable: Option<&Path>) -> Result<(), LoadError> {
    let executable = executable.map(|path| CString::new(path.as_os_str().as_bytes()));
    let Ok(executable) = executable.transpose() else {
        return Err(LoadError::new("the path of the Python interpreter has a NUL byte"));
    };
    let mut config = MaybeUninit::<ffi::PyConfig>::uninit();
    let config = config.as_mut_ptr();
    // SAFETY: `PyConfig_InitPythonConfig` initialises the memory it is given; only then fields are written and functions
    // called on it, all from this one thread, before Python runs. The text lives until `PyConfig_SetBytesString` has
    // copied it. `PyConfig_Clear` ends the config's life. After the start this thread holds the GIL, and
    // `PyEval_SaveThread` gives it up, so that any thread may attach.
    let status = unsafe {
        ffi::PyConfig_InitPythonConfig(config);
        // Signals are the server's, arguments too.
        (*config).install_signal_handlers = 0;
        (*config).parse_argv = 0;
        let mut status = ffi::PyStatus_Ok();
        if let Some(executable) = &executable {
            status = ffi::PyConfig_SetBytesString(config, &mut (*config).executable, executable.as_ptr());
        }
        if ffi::PyStatus_Exception(status) == 0 {
            status = ffi::Py_InitializeFromConfig(config);
        }
        ffi::PyConfig_Clear(config);
        if ffi::PyStatus_Exception(status) == 0 {
            ffi::PyEval_SaveThread();
            return Ok(());
        }
        status
    };
    let reason = match status.err_msg.is_null() {
        true => "for no reason that it gives".into(),
        // SAFETY: a message that is not null is a static, NUL-terminated text.
        false => unsafe { CStr::from_ptr(status.err_msg) }.to_string_lossy(),
    };
    Err(LoadError::new(format!("Python {} does not start: {reason}", version())))
}

/// A lane whose batches of jobs run attached to the interpreter.
pub(crate) fn lane() -> Arc<Lane> {
    let attached = |batch: &mut dyn FnMut()| {
        keep_thread_state();
        Python::attach(|_| batch());
    };
    let stay = move |batch: &mut dyn FnMut()| {
        keep_thread_state();
        attach_to_stay();
        attached(batch);
    };
    Lane::with_stay(attached, stay, detach)
}

/// Attaches the thread, which has a state already, until [`detach`].
fn attach_to_stay() {
    // SAFETY: a thread that is not attached attaches with its own state, which is kept for as long as it lives.
    unsafe {
        if ffi::PyGILState_Check() == 0 {
            ffi::PyEval_RestoreThread(ffi::PyGILState_GetThisThreadState());
        }
    }
}

/// Detaches the thread, if it is attached: a job that waits has detached it already.
fn detach() {
    // SAFETY: only a thread that is attached is detached, and what has attached it is `attach_to_stay`, since this is
    // called where no job runs; so nobody counts on its being attached.
    unsafe {
        if ffi::PyGILState_Check() != 0 {
            ffi::PyEval_SaveThread();
        }
    }
}

/// Makes Python keep this thread's state for as long as the thread lives. Otherwise it would be made and thrown away
/// with each batch, and with it everything that is `threading.local()`: an application's database connections, for one.
fn keep_thread_state() {
    thread_local! {
        static KEPT: Cell<bool> = const { Cell::new(false) };
    }
    if !KEPT.replace(true) {
        // SAFETY: Python is initialised, since a lane is only made for a callable that was loaded. The first call
        // attaches this thread, making a state for it if it has none, and counts that; the second detaches the thread
        // without taking the count back. So no later attaching and detaching, which are paired, brings the count to
        // zero, where the state would be deleted.
        unsafe {
            ffi::PyGILState_Ensure();
            ffi::PyEval_SaveThread();
        }
    }
}

/// Does at the end of the process what Python would do: runs the functions registered with `atexit`, and writes out what
/// `print` has left in buffers. Does nothing if Python was never started.
pub fn finish() {
    // SAFETY: may be called at any time.
    if unsafe { ffi::Py_IsInitialized() } == 0 {
        return;
    }
    Python::attach(|py| {
        // Whatever these raise, they have printed, and there is nobody left to tell.
        let _ = py.import("atexit").and_then(|atexit| atexit.call_method0("_run_exitfuncs"));
        flush(py);
    });
}

/// Writes out what `print` has left in buffers.
pub(crate) fn flush(py: Python<'_>) {
    for stream in ["stdout", "stderr"] {
        let _ = py.import("sys").and_then(|sys| sys.getattr(stream)).and_then(|stream| stream.call_method0("flush"));
    }
}
