//! A program's standard output: first where its header block is read from, then the response's body.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use gateway_spec::{Error, Result};
use http_body::Frame;
use tokio::{
    net::unix::pipe,
    time::{Instant, Sleep, sleep_until, timeout},
};

use crate::{
    error::{Cause, Failure},
    log::RunLog,
    settings::Times,
    spawn::{Process, Spawned},
};

/// What is read at once: little first, since most answers are small, and then all that a pipe holds.
const BLOCKS: [usize; 2] = [8 * 1024, 64 * 1024];

/// Most programs have ended by then, on a busy machine too, and need no supervisor.
const ALONE: Duration = Duration::from_millis(50);

/// How long a program with a head may take to its end, for its answer to be sent whole.
const SETTLING: Duration = Duration::from_millis(10);

/// How large an answer is that is sent whole.
const WHOLE: usize = 64 * 1024;

/// Who exits closes its output a moment before its status is known. Longer than this, and it goes on without us.
const EXITING: Duration = Duration::from_millis(200);

/// A process that the program left behind may still write what belongs to the answer; silent for so long, it does not.
const LEFT_BEHIND: Duration = Duration::from_secs(1);

/// The output of a program. It ends where the program closes it, and in an error if the program ends badly.
#[derive(Debug)]
pub(crate) struct Output {
    log: Arc<RunLog>,
    stdout: pipe::Receiver,
    process: Process,
    /// What was read before the body began.
    ahead: Bytes,
    /// How the output ended that comes ahead.
    ahead_end: Option<Result<(), Cause>>,
    /// What the program has said is still to come.
    announced: Option<u64>,
    block: usize,
    closed: bool,
    over: bool,
    /// What the timer counts: silence that is not ours.
    waiting: Option<Waiting>,
    timer: Pin<Box<Sleep>>,
    times: Times,
    begun: Instant,
    in_head: bool,
}

/// What an output that does not go on is waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiting {
    /// The end of a program that nobody else watches.
    Alone,
    /// The next block.
    Block,
    /// The status of a program that has closed its output.
    Status,
    /// The next block of who holds the output of a program that has ended.
    LeftBehind,
}

impl Output {
    pub(crate) fn new(log: Arc<RunLog>, spawned: Spawned, times: Times) -> Self {
        let begun = Instant::now();
        Output {
            log,
            stdout: spawned.stdout,
            process: spawned.process,
            ahead: Bytes::new(),
            ahead_end: None,
            announced: None,
            block: BLOCKS[0],
            closed: false,
            over: false,
            waiting: None,
            timer: Box::pin(sleep_until(begun + ALONE)),
            times,
            begun,
            in_head: true,
        }
    }

    /// The next block; None at the end.
    pub(crate) async fn block(&mut self) -> Option<Result<Bytes, Failure>> {
        std::future::poll_fn(|cx| self.poll_block(cx)).await
    }

    /// What comes is the body now: first `rest`, which was read with the header block, of `length` bytes in all. If the
    /// program is about to end well, its answer is returned whole.
    pub(crate) async fn begin_body(&mut self, rest: Bytes, length: Option<u64>) -> Option<Bytes> {
        self.in_head = false;
        let mut whole = BytesMut::from(rest);
        let gathering = async {
            while whole.len() < WHOLE {
                match self.block().await {
                    Some(Ok(block)) => whole.extend_from_slice(&block),
                    Some(Err(failure)) => return Some(Err(failure.cause)),
                    None => return Some(Ok(())),
                }
            }
            None
        };
        let end = timeout(SETTLING, gathering).await.unwrap_or_default();
        if matches!(end, Some(Ok(()))) {
            return Some(whole.freeze());
        }
        self.process.supervise();
        self.over = false;
        self.ahead = whole.freeze();
        self.ahead_end = end;
        self.announced = length;
        self.count(0);
        None
    }

    /// Nothing of it is wanted any more, and the program has done well.
    pub(crate) fn finish(mut self) {
        self.process.finish();
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
        Failure { log: self.log.clone(), cause, status: self.process.end().map(|end| end.status) }
    }

    fn poll_block(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Failure>>> {
        if self.over {
            return Poll::Ready(None);
        }
        let ahead = std::mem::take(&mut self.ahead);
        let result = match self.ahead_end.take_if(|_| ahead.is_empty()) {
            Some(end) => end.map(|()| None),
            None if ahead.is_empty() => ready!(self.poll_output(cx)),
            None => Ok(Some(ahead)),
        };
        match &result {
            Ok(Some(block)) => self.count(block.len()),
            Ok(None) => self.process.finish(),
            Err(_) => {}
        }
        self.over = !matches!(result, Ok(Some(_)));
        Poll::Ready(result.map_err(|cause| self.failure(cause)).transpose())
    }

    fn poll_output(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Cause>> {
        loop {
            self.process.poll_pump(cx).map_err(Cause::Input)?;
            // Asked before the output is read: what a program wrote before its end is then sure to be there.
            let mut end = self.process.poll_end(cx);
            if !self.closed
                && let Poll::Ready(block) = self.poll_read(cx)
            {
                match block.map_err(Cause::Read)? {
                    Some(block) => return Poll::Ready(Ok(Some(block))),
                    None => self.closed = true,
                }
            }
            if self.closed && end.is_pending() {
                self.process.look();
                end = self.process.poll_end(cx);
            }
            let waiting = match end {
                Poll::Ready(end) if end.overtime => return Poll::Ready(Err(self.overtime())),
                Poll::Ready(end) if !end.status.success() => return Poll::Ready(Err(Cause::Exit)),
                Poll::Ready(_) if self.closed => return Poll::Ready(Ok(None)),
                Poll::Ready(_) => Waiting::LeftBehind,
                Poll::Pending if self.closed => Waiting::Status,
                Poll::Pending if self.process.is_alone() => Waiting::Alone,
                Poll::Pending => Waiting::Block,
            };
            ready!(self.poll_timer(waiting, cx));
            match waiting {
                Waiting::Alone => self.process.supervise(),
                Waiting::Block if self.in_head => return Poll::Ready(Err(self.late_head())),
                Waiting::Block => return Poll::Ready(Err(Cause::Timeout("between two blocks", self.times.idle))),
                Waiting::Status | Waiting::LeftBehind => return Poll::Ready(Ok(None)),
            }
        }
    }

    fn overtime(&self) -> Cause {
        Cause::Timeout("in all", self.times.total.unwrap_or_default())
    }

    fn late_head(&self) -> Cause {
        Cause::Timeout("for its header block", self.times.head)
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
            let until = match waiting {
                Waiting::Alone => self.begun + ALONE,
                // A head that drips in does not prolong its time.
                Waiting::Block if self.in_head => self.begun + self.times.head,
                Waiting::Block => Instant::now() + self.times.idle,
                Waiting::Status => Instant::now() + EXITING,
                Waiting::LeftBehind => Instant::now() + LEFT_BEHIND,
            };
            self.timer.set(sleep_until(until));
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
