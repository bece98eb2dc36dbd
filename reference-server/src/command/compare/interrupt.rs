//! SIGINT and SIGTERM end the run, with everything that it has started and left on the disk.

use std::{
    fs, io,
    path::PathBuf,
    process,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
};

use tokio::{
    runtime::Builder,
    signal::unix::{SignalKind, signal},
};

use super::{cpu::Meter, processes, programs::Folder};

/// The conventional exit code of a process that a signal ended, less the signal's number.
const SIGNALLED: i32 = 128;

/// Who holds it is not interrupted. The end holds it too, and never gives it back.
static UNDISTURBED: Mutex<()> = Mutex::new(());

/// Waits for the moment in which nothing is about to end: to start a process, which would otherwise outlive this one, or
/// to show what was measured.
pub(super) fn undisturbed() -> MutexGuard<'static, ()> {
    UNDISTURBED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Watches from here on.
///
/// # Errors
/// What the system reports.
pub(super) fn watch(folder: &Folder, meter: &Meter) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let (mut terminate, mut interrupt) = {
        let _inside = runtime.enter();
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?)
    };
    let (folder, group) = (folder.path().to_owned(), meter.folder().map(PathBuf::from));
    let watching = async move {
        let kind = tokio::select! {
            _ = terminate.recv() => SignalKind::terminate(),
            _ = interrupt.recv() => SignalKind::interrupt(),
        };
        let _forever = undisturbed();
        processes::end_all();
        // What stays is a folder for temporary files and an empty group.
        let _ = fs::remove_dir_all(folder);
        let _ = group.map(fs::remove_dir);
        process::exit(SIGNALLED + kind.as_raw_value());
    };
    thread::Builder::new().name("gateway-signals".into()).spawn(move || runtime.block_on(watching))?;
    Ok(())
}
