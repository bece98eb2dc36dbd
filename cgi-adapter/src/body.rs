//! A program's standard output: first where its header block is read from, then the response's body.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use gateway_spec::{Error, Result};
use http_body::Frame;
use tokio::{
    net::unix::pipe,
    time::{Sleep, sleep},
};

use crate::{
    error::{Cause, Failure},
    spawn::{Process, Spawned},
};

/// What is read at once: little first, since most answers are small, and then all that a pipe holds.
const BLOCKS: [usize; 2] = [8 * 1024, 64 * 1024];

/// Who exits closes its output a moment before its status is known. Longer than this, and it goes on without us.
const EXITING: Duration = Duration::from_millis(200);

/// A process that the program left behind may still write what belongs to the answer; silent for so long, it does not.
const LEFT_BEHIND: Duration = Duration::from_secs(1);

/// The output of a program. It ends where the program closes it, and in an error if the program ends badly.
#[derive(Debug)]
pub(crate) struct Output {
    program: String,
    stdout: pipe::Receiver,
    process: Process,
    /// What was read with the header block.
    ahead: Bytes,
    /// What the program has said is still to come.
    announced: Option<u64>,
    block: usize,
    closed: bool,
    over: bool,
    /// What the timer counts: silence that is not ours.
    waiting: Option<Waiting>,
    timer: Pin<Box<Sleep>>,
    idle: Duration,
}

/// What an output that does not go on is waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiting {
    /// The next block.
    Block,
    /// The status of a program that has closed its output.
    Status,
    /// The next block of who holds the output of a program that has ended.
    LeftBehind,
}

impl Output {
    pub(crate) fn new(program: String, spawned: Spawned, idle: Duration) -> Self {
        Output {
            program,
            stdout: spawned.stdout,
            process: spawned.process,
            ahead: Bytes::new(),
            announced: None,
            block: BLOCKS[0],
            closed: false,
            over: false,
            waiting: None,
            timer: Box::pin(sleep(idle)),
            idle,
        }
    }

    /// The next block; None at the end.
    pub(crate) async fn block(&mut self) -> Option<Result<Bytes, Failure>> {
        std::future::poll_fn(|cx| self.poll_block(cx)).await
    }

    /// What comes is the body now: first `ahead`, which was read with the header block, of `length` bytes in all.
    pub(crate) fn begin_body(&mut self, ahead: Bytes, length: Option<u64>) {
        self.ahead = ahead;
        self.announced = length;
        self.count(0);
    }

    /// Once all bytes that were announced have come, nobody may ask for the end: the program is not stopped for that.
    fn count(&mut self, bytes: usize) {
        self.announced = self.announced.map(|announced| announced.saturating_sub(bytes as u64));
        if self.announced == Some(0) {
            self.process.finish();
        }
    }

    /// A failure of this program.
    pub(crate) fn failure(&self, cause: Cause) -> Failure {
        Failure { program: self.program.clone(), cause }
    }

    fn poll_block(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Failure>>> {
        if self.over {
            return Poll::Ready(None);
        }
        let ahead = std::mem::take(&mut self.ahead);
        let result = if ahead.is_empty() { ready!(self.poll_output(cx)) } else { Ok(Some(ahead)) };
        match &result {
            Ok(Some(block)) => self.count(block.len()),
            Ok(None) => self.process.finish(),
            Err(_) => {}
        }
        self.over = !matches!(result, Ok(Some(_)));
        Poll::Ready(result.map_err(|cause| self.failure(cause)).transpose())
    }

    fn poll_output(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Cause>> {
        // Asked before the output is read: what a program wrote before its end is then sure to be there.
        let exit = self.process.poll_exit(cx);
        if !self.closed
            && let Poll::Ready(block) = self.poll_read(cx)
        {
            match block.map_err(Cause::Read)? {
                Some(block) => return Poll::Ready(Ok(Some(block))),
                None => self.closed = true,
            }
        }
        let waiting = match exit {
            Poll::Ready(status) if !status.success() => return Poll::Ready(Err(Cause::Exit(status))),
            Poll::Ready(_) if self.closed => return Poll::Ready(Ok(None)),
            Poll::Ready(_) => Waiting::LeftBehind,
            Poll::Pending if self.closed => Waiting::Status,
            Poll::Pending => Waiting::Block,
        };
        ready!(self.poll_timer(waiting, cx));
        Poll::Ready(if waiting == Waiting::Block { Err(Cause::Timeout(self.idle)) } else { Ok(None) })
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        loop {
            ready!(self.stdout.poll_read_ready(cx))?;
            let mut block = BytesMut::with_capacity(self.block);
            match self.stdout.try_read_buf(&mut block) {
                Ok(0) => return Poll::Ready(Ok(None)),
                Ok(_) => {
                    self.waiting = None;
                    if block.len() == self.block {
                        self.block = BLOCKS[1];
                    }
                    return Poll::Ready(Ok(Some(block.freeze())));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Counts from the first time that nothing came: a reader who is slow does not use up the program's time.
    fn poll_timer(&mut self, waiting: Waiting, cx: &mut Context<'_>) -> Poll<()> {
        if self.waiting != Some(waiting) {
            self.waiting = Some(waiting);
            self.timer.set(sleep(match waiting {
                Waiting::Block => self.idle,
                Waiting::Status => EXITING,
                Waiting::LeftBehind => LEFT_BEHIND,
            }));
        }
        self.timer.as_mut().poll(cx)
    }
}

impl http_body::Body for Output {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        self.poll_block(cx).map(|block| block.map(|block| block.map(Frame::data).map_err(Error::from)))
    }
}
