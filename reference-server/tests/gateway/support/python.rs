//! Python, and the packages that the frameworks' tests need.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    thread::sleep,
    time::Duration,
};

use super::{apps, prepared, run};

/// The interpreter that the binary is linked to.
pub(crate) fn interpreter() -> String {
    env::var("PYO3_PYTHON").unwrap_or_else(|_| "python3".to_owned())
}

/// The interpreter's own path, whatever stands between it and `PATH`.
pub(crate) fn executable() -> String {
    let path = run(Command::new(interpreter()).args(["-c", "import sys; print(sys.executable)"]));
    String::from_utf8(path).unwrap().trim_end().to_owned()
}

/// The interpreter's version, such as `3.11`.
pub(crate) fn version() -> String {
    let version = run(Command::new(interpreter()).args(["-c", "import sys; print('%d.%d' % sys.version_info[:2])"]));
    String::from_utf8(version).unwrap().trim_end().to_owned()
}

/// The virtual environment with what `requirements.txt` names.
pub(crate) fn packages() -> PathBuf {
    let requirements = apps().join("requirements.txt");
    let version = run(Command::new(interpreter()).args(["-c", "import sys; print(sys.prefix, sys.version)"]));
    prepared("venv", &[fs::read(&requirements).unwrap(), version].concat(), |venv, lock| {
        run(Command::new(interpreter()).args(["-m", "venv"]).arg(venv).stdin(lock.try_clone().unwrap()));
        install(venv, &requirements, lock);
    })
}

/// Installs packages. The index, or the way to it, may be away for a moment, for longer than pip itself tries.
fn install(venv: &Path, requirements: &Path, lock: &fs::File) {
    let install = || {
        let mut pip = Command::new(venv.join("bin/python"));
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]).arg(requirements);
        pip.stdin(lock.try_clone().unwrap());
        pip
    };
    for pause in [1, 5, 20] {
        let output = install().output().unwrap();
        if output.status.success() {
            return;
        }
        eprintln!("pip fails, and is tried again: {}", String::from_utf8_lossy(&output.stderr));
        sleep(Duration::from_secs(pause));
    }
    run(&mut install());
}
