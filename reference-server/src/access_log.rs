//! The access log: one line for each request.

mod entry;
mod format;

use std::{
    fs::OpenOptions,
    io::{self, Write},
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, Sender, channel},
    },
    thread::{self, JoinHandle},
};

use http::request::Parts;
use jiff::tz::TimeZone;

pub(crate) use entry::Entry;
pub use format::{ATOMS, Format, FormatError, NAMES};

/// Where access is logged: one line for each request, when the last byte of its response is written.
///
/// Lines are written by a thread of its own, so that a slow disk or terminal holds nobody up. Dropping the log writes
/// what is left.
#[derive(Debug)]
pub struct AccessLog {
    format: Format,
    lines: Mutex<Option<Sender<String>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    zone: TimeZone,
}

impl AccessLog {
    /// A log that is appended to the file at `path`; `-` is standard output.
    ///
    /// # Errors
    /// What opening the file, or starting the thread, reports.
    pub fn open(path: &Path, format: Format) -> io::Result<Arc<Self>> {
        let output: Box<dyn Write + Send> = match path.to_str() {
            Some("-") => Box::new(io::stdout()),
            _ => Box::new(OpenOptions::new().create(true).append(true).open(path)?),
        };
        let (lines, queue) = channel();
        let writer =
            thread::Builder::new().name("gateway-access-log".into()).spawn(move || write_lines(&queue, output))?;
        Ok(Arc::new(AccessLog {
            format,
            lines: Mutex::new(Some(lines)),
            writer: Mutex::new(Some(writer)),
            zone: TimeZone::system(),
        }))
    }

    /// The entry of a request that begins now.
    pub(crate) fn entry(self: &Arc<Self>, remote: Option<&str>, parts: &Parts) -> Box<Entry> {
        Box::new(Entry::new(self, remote, parts))
    }

    fn write(&self, line: String) {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lines) = &*lines {
            // The writer goes away only when the log does.
            let _ = lines.send(line);
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

fn write_lines(queue: &Receiver<String>, mut output: Box<dyn Write + Send>) {
    let mut block = String::new();
    while let Ok(line) = queue.recv() {
        block.push_str(&line);
        while block.len() < 64 * 1024
            && let Ok(line) = queue.try_recv()
        {
            block.push_str(&line);
        }
        if let Err(error) = output.write_all(block.as_bytes()).and_then(|()| output.flush()) {
            tracing::error!("cannot write the access log: {error}");
        }
        block.clear();
    }
}
