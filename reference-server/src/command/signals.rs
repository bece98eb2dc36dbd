//! SIGTERM and SIGINT: the first ends the server gracefully, the second at once.

use std::{io, process, thread};

use tokio::{
    runtime::Builder,
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
};

/// The conventional exit code of a process that a signal ended, less the signal's number.
const SIGNALLED: i32 = 128;

/// Watches for the signals from here on; the receiver is told about the first.
///
/// This happens on a thread of its own, so that the second signal counts even if an application blocks the event loop.
///
/// # Errors
/// What the system reports.
pub(super) fn watch() -> io::Result<oneshot::Receiver<()>> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let (mut terminate, mut interrupt) = {
        let _inside = runtime.enter();
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?)
    };
    let (first, receiver) = oneshot::channel();
    let watching = async move {
        next(&mut terminate, &mut interrupt).await;
        tracing::info!("ending: running requests may finish; a second signal ends them at once");
        // Where nobody listens any more, the server has ended already.
        let _ = first.send(());
        let kind = next(&mut terminate, &mut interrupt).await;
        process::exit(SIGNALLED + kind.as_raw_value());
    };
    thread::Builder::new().name("gateway-signals".into()).spawn(move || runtime.block_on(watching))?;
    Ok(receiver)
}

async fn next(terminate: &mut Signal, interrupt: &mut Signal) -> SignalKind {
    tokio::select! {
        _ = terminate.recv() => SignalKind::terminate(),
        _ = interrupt.recv() => SignalKind::interrupt(),
    }
}
