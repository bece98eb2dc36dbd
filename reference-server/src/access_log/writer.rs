//! The thread that writes the access log's lines.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    os::fd::AsFd as _,
    path::Path,
    sync::mpsc::Receiver,
};

/// What the writer is to do next.
pub(super) enum Order {
    Write(String),
    /// Go on in another file.
    GoOnIn(File),
}

/// So much is written at once to a file: several processes append to it, each write in one piece.
const FILE_BLOCK: usize = 64 * 1024;
/// The same of a pipe, which breaks up what is longer (PIPE_BUF).
const PIPE_BLOCK: usize = 4096;

pub(super) struct Writer {
    file: File,
    /// The longest block that is written in one piece.
    limit: usize,
    block: String,
}

impl Writer {
    pub(super) fn to_file(file: File) -> Self {
        Writer { file, limit: FILE_BLOCK, block: String::new() }
    }

    /// # Errors
    /// Standard output is closed.
    pub(super) fn to_stdout() -> io::Result<Self> {
        let file = io::stdout().as_fd().try_clone_to_owned()?.into();
        Ok(Writer { file, limit: PIPE_BLOCK, block: String::new() })
    }

    /// Writes until nobody can order anything any more.
    pub(super) fn run(mut self, queue: &Receiver<Order>) {
        while let Ok(order) = queue.recv() {
            self.obey(order);
            queue.try_iter().for_each(|order| self.obey(order));
            self.flush();
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Write(line) => {
                if self.block.len() + line.len() > self.limit {
                    self.flush();
                }
                self.block.push_str(&line);
            }
            Order::GoOnIn(file) => {
                self.flush();
                self.file = file;
            }
        }
    }

    fn flush(&mut self) {
        if let Err(error) = self.file.write_all(self.block.as_bytes()) {
            tracing::error!("cannot write the access log: {error}");
        }
        self.block.clear();
    }
}

pub(super) fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}
