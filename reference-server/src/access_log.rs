//! The access log, in the common log format.

use std::{
    fmt::Write as _,
    fs::OpenOptions,
    io::{self, Write},
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, Sender, channel},
    },
    thread::{self, JoinHandle},
};

use http::{Method, Uri, Version};
use jiff::{Timestamp, tz::TimeZone};

/// Where access is logged: one line for each request, when its last byte has been handed over.
///
/// Lines are written by a thread of its own, so that a slow disk or terminal holds nobody up. Dropping the log writes
/// what is left.
#[derive(Debug)]
pub struct AccessLog {
    lines: Mutex<Option<Sender<String>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    zone: TimeZone,
}

impl AccessLog {
    /// A log that is appended to the file at `path`; `-` is standard output.
    ///
    /// # Errors
    /// What opening the file, or starting the thread, reports.
    pub fn open(path: &Path) -> io::Result<Arc<Self>> {
        let output: Box<dyn Write + Send> = match path.to_str() {
            Some("-") => Box::new(io::stdout()),
            _ => Box::new(OpenOptions::new().create(true).append(true).open(path)?),
        };
        let (lines, queue) = channel();
        let writer =
            thread::Builder::new().name("gateway-access-log".into()).spawn(move || write_lines(&queue, output))?;
        Ok(Arc::new(AccessLog {
            lines: Mutex::new(Some(lines)),
            writer: Mutex::new(Some(writer)),
            zone: TimeZone::system(),
        }))
    }

    /// The entry of a request that begins now.
    pub(crate) fn entry(
        self: &Arc<Self>,
        remote: Option<&str>,
        method: &Method,
        target: &Uri,
        version: Version,
    ) -> Entry {
        let mut line = String::with_capacity(128);
        line.push_str(remote.unwrap_or("-"));
        // The time is that of the request's arrival, as in every server that writes this format.
        let now = Timestamp::now().to_zoned(self.zone.clone());
        let _ = write!(line, " - - [{}] \"{method} ", now.strftime("%d/%b/%Y:%H:%M:%S %z"));
        push_escaped(&mut line, &target.to_string());
        let _ = write!(line, " {version:?}\"");
        Entry { log: self.clone(), line, status: 499, bytes: 0 }
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

/// The line of one request. It is written when the entry is dropped, however the request ended; one that was never
/// answered, because its client left, has status 499.
#[derive(Debug)]
pub(crate) struct Entry {
    log: Arc<AccessLog>,
    line: String,
    status: u16,
    bytes: u64,
}

impl Entry {
    pub(crate) fn answered(&mut self, status: u16) {
        self.status = status;
    }

    pub(crate) fn count(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut line = std::mem::take(&mut self.line);
        let _ = match self.bytes {
            0 => writeln!(line, " {} -", self.status),
            bytes => writeln!(line, " {} {bytes}", self.status),
        };
        self.log.write(line);
    }
}

/// Nothing that a client sends may end the line, the quotes, or what a terminal shows.
fn push_escaped(line: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '"' | '\\' => line.extend(['\\', character]),
            character if character.is_control() || !character.is_ascii() => {
                character.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| {
                    let _ = write!(line, "\\x{byte:02x}");
                });
            }
            character => line.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_send_cannot_break_a_line() {
        let mut line = String::new();
        push_escaped(&mut line, "/a\"b\\c\u{1b}[2J\u{e9}");
        assert_eq!(line, r#"/a\"b\\c\x1b[2J\xc3\xa9"#);
    }
}
