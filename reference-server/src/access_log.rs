//! The access log: one line for each request.

mod entry;
mod format;
mod writer;

use std::{
    io,
    path::{self, Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Sender, channel},
    },
    thread::{self, JoinHandle},
};

use http::request::Parts;
use jiff::tz::TimeZone;

pub(crate) use entry::Entry;
use writer::{Order, Writer, append_to};

pub use format::{ATOMS, Format, FormatError, NAMES};

/// Where access is logged: one line for each request, when the last byte of its response is written.
///
/// Lines are written by a thread of its own, so that a slow disk or terminal holds nobody up. Dropping the log writes
/// what is left.
#[derive(Debug)]
pub struct AccessLog {
    format: Format,
    /// Where the file is; none for standard output.
    path: Option<PathBuf>,
    lines: Mutex<Option<Sender<Order>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    zone: TimeZone,
}

impl AccessLog {
    /// A log that is appended to the file at `path`; `-` is standard output.
    ///
    /// # Errors
    /// What opening the file, or starting the thread, reports.
    pub fn open(path: &Path, format: Format) -> io::Result<Arc<Self>> {
        let path = Some(path).filter(|path| path.as_os_str() != "-");
        let writer = match path {
            Some(path) => Writer::to_file(append_to(path)?),
            None => Writer::to_stdout()?,
        };
        let (lines, queue) = channel();
        let writer = thread::Builder::new().name("gateway-access-log".into()).spawn(move || writer.run(&queue))?;
        Ok(Arc::new(AccessLog {
            format,
            path: path.map(path::absolute).transpose()?,
            lines: Mutex::new(Some(lines)),
            writer: Mutex::new(Some(writer)),
            zone: TimeZone::system(),
        }))
    }

    /// Opens the file anew: somebody has moved the old one away. What was logged before goes to the old one.
    ///
    /// # Errors
    /// What opening the file reports; then the old one stays in use.
    pub fn reopen(&self) -> io::Result<()> {
        if let Some(path) = &self.path {
            self.order(Order::GoOnIn(append_to(path)?));
        }
        Ok(())
    }

    /// The entry of a request that begins now.
    pub(crate) fn entry(self: &Arc<Self>, remote: Option<&str>, parts: &Parts) -> Box<Entry> {
        Box::new(Entry::new(self, remote, parts))
    }

    fn order(&self, order: Order) {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lines) = &*lines {
            // The writer goes away only when the log does.
            let _ = lines.send(order);
        }
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        self.lines.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = self.writer.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = writer.join();
        }
    }
}
