//! The response's body: its kinds, files, and the block that writes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::{
    fs::{self, File},
    future::poll_fn,
    io::{Read, Seek, Write},
    pin::{Pin, pin},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc::channel,
    },
    task::{Context, Poll, Wake, Waker},
    thread,
};

use bytes::Bytes;
use gateway_spec::{Body, Error, FileRange, Kind, Response, Result, StartResponse, Started, Writer};
use http_body::Body as _;
use support::{
    Script,
    block_on::{BOUND, block_on},
    pattern,
};

fn started() -> Started {
    StartResponse::new().start(200, ()).unwrap()
}

fn body_of(response: Response) -> Body {
    response.into_parts().2
}

/// A body that `block` writes.
fn written<Fut>(block: impl FnOnce(Writer) -> Fut) -> Body
where
    Fut: Future<Output = Result<()>> + Send + 'static,
{
    body_of(started().write(block))
}

fn poll(body: &mut Body, waker: &Waker) -> Poll<Option<Result<Bytes>>> {
    let poll = Pin::new(body).poll_frame(&mut Context::from_waker(waker));
    poll.map(|frame| frame.map(|frame| frame.map(|frame| frame.into_data().unwrap())))
}

fn next(body: &mut Body) -> Option<Result<Bytes>> {
    block_on(poll_fn(|cx| poll(body, cx.waker())))
}

/// All blocks up to the end or the first error.
fn blocks(mut body: Body) -> (Vec<Bytes>, Option<Error>) {
    let mut blocks = Vec::new();
    loop {
        match next(&mut body) {
            Some(Ok(block)) => blocks.push(block),
            Some(Err(error)) => return (blocks, Some(error)),
            None => return (blocks, None),
        }
    }
}

#[derive(Default)]
struct CountWakes(AtomicUsize);

impl Wake for CountWakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

struct CountDrops(Arc<AtomicUsize>);

impl Drop for CountDrops {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

mod kinds {
    use super::*;

    #[test]
    fn that_are_in_hand_know_their_length_and_come_in_one_block() {
        let bodies: [(Body, &str); 9] = [
            (Body::empty(), ""),
            (().into(), ""),
            ("".into(), ""),
            (Bytes::new().into(), ""),
            ("text".into(), "text"),
            ((&b"slice"[..]).into(), "slice"),
            (String::from("string").into(), "string"),
            (b"vector".to_vec().into(), "vector"),
            (Bytes::from("bytes").into(), "bytes"),
        ];
        for (mut body, content) in bodies {
            assert_eq!(body.len(), Some(content.len() as u64), "{content:?}");
            assert_eq!(body.size_hint().exact(), body.len(), "{content:?}");
            assert_eq!(
                (body.is_empty(), body.is_end_stream()),
                (content.is_empty(), content.is_empty()),
                "{content:?}"
            );
            if !content.is_empty() {
                assert_eq!(next(&mut body).unwrap().unwrap(), content);
            }
            for _ in 0..2 {
                assert!(next(&mut body).is_none(), "{content:?}");
                assert!(body.is_end_stream(), "{content:?}");
            }
        }
    }

    #[test]
    fn that_stream_are_passed_on_as_they_are() {
        let unknown = Body::new(Script::of(["one", "two"]));
        assert_eq!((unknown.len(), unknown.is_empty(), unknown.size_hint().exact()), (None, false, None));
        assert_eq!(blocks(unknown).0, ["one", "two"]);
        let known = Body::new(Script::of(["one", "two"]).with_length(6));
        assert_eq!((known.len(), known.size_hint().exact()), (Some(6), Some(6)));
    }

    #[test]
    fn that_stream_pass_errors_on_after_the_blocks_before() {
        let (before, error) = blocks(Body::new(Script::of(["one"]).then(Err(Kind::Timeout.into()))));
        assert_eq!((before, error.unwrap().kind()), (vec![Bytes::from("one")], Kind::Timeout));
    }

    #[test]
    fn other_than_a_file_come_back_from_into_file() {
        for body in [Body::empty(), "text".into(), Body::new(Script::of(["text"]))] {
            let text = format!("{body:?}");
            assert_eq!(format!("{:?}", body.into_file().unwrap_err()), text);
        }
    }

    #[test]
    fn can_be_replaced_in_a_response() {
        let response = started().body("inner").map_body(|inner| Body::new(Script::of(blocks(inner).0)));
        assert_eq!(blocks(body_of(response)).0, ["inner"]);
    }
}

mod file_range {
    use super::*;

    /// A file of these bytes that has no name any more.
    fn file(content: &[u8]) -> File {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("gateway-body-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        let mut file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
        fs::remove_file(&path).unwrap();
        file.write_all(content).unwrap();
        file
    }

    #[test]
    fn reads_from_its_offset_for_its_length() {
        let mut range = FileRange::new(file(b"0123456789"), 3, 4);
        let mut buffer = [0; 3];
        assert_eq!((range.read(&mut buffer).unwrap(), &buffer), (3, b"345"));
        assert_eq!((range.offset, range.len), (6, 1));
        assert_eq!((range.read(&mut buffer).unwrap(), buffer[0]), (1, b'6'));
        assert_eq!(range.read(&mut buffer).unwrap(), 0);
        assert_eq!(range.read(&mut []).unwrap(), 0);
    }

    #[test]
    fn neither_uses_nor_moves_the_files_own_offset() {
        let mut file = file(b"0123456789");
        file.rewind().unwrap();
        let same_offset = file.try_clone().unwrap();
        assert_eq!(blocks(FileRange::new(same_offset, 5, 5).into()).0, ["56789"]);
        let mut all = String::new();
        file.read_to_string(&mut all).unwrap();
        assert_eq!(all, "0123456789");
    }

    #[test]
    fn of_any_size_is_sent_byte_for_byte() {
        let content = pattern(200_001);
        let file = file(&content);
        for (offset, len) in [(0, 0), (0, 1), (0, 65_536), (1, 65_537), (7, 199_994), (200_001, 0)] {
            let body: Body = FileRange::new(file.try_clone().unwrap(), offset, len).into();
            assert_eq!((body.len(), body.is_end_stream()), (Some(len), len == 0));
            let (all, error) = blocks(body);
            assert!(error.is_none());
            let end = (offset + len) as usize;
            assert!(all.concat() == content[offset as usize..end], "{offset} + {len}");
        }
    }

    #[test]
    fn of_a_file_that_became_shorter_is_an_error_and_no_end() {
        let file = file(&[b'x'; 100_000]);
        let mut body: Body = FileRange::new(file.try_clone().unwrap(), 0, 100_000).into();
        assert!(next(&mut body).unwrap().is_ok());
        file.set_len(70_000).unwrap();
        let (rest, error) = blocks(body);
        assert_eq!(rest.concat().len(), 70_000 - 65_536);
        let error = error.expect("a short file must not look like a whole one");
        assert!(error.chain().contains("shorter"), "{}", error.chain());
    }

    #[test]
    fn keeps_a_value_until_it_is_dropped_itself() {
        let dropped = Arc::new(AtomicUsize::new(0));
        let range = FileRange::new(file(b"0123456789"), 0, 10).keeping(CountDrops(dropped.clone()));
        let mut body: Body = range.into();
        assert_eq!(next(&mut body).unwrap().unwrap(), "0123456789");
        assert!(next(&mut body).is_none());
        let range = body.into_file().unwrap();
        assert_eq!(dropped.load(Ordering::Relaxed), 0, "whoever took the range out keeps the value, too");
        drop(range);
        assert_eq!(dropped.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn can_be_taken_out_of_the_body() {
        let body: Body = FileRange::new(file(b"0123456789"), 2, 3).into();
        let range = body.into_file().unwrap();
        assert_eq!((range.offset, range.len), (2, 3));
    }
}

mod write {
    use super::*;

    #[test]
    fn keeps_order_and_blocks_and_leaves_out_empty_ones() {
        let body = written(async |mut out| {
            for block in ["one", "", "two", "three"] {
                out.write(block).await?;
            }
            Ok(())
        });
        assert_eq!((body.len(), body.is_empty()), (None, false));
        assert_eq!(blocks(body).0, ["one", "two", "three"]);
    }

    #[test]
    fn of_nothing_ends_at_once_and_stays_there() {
        let mut body = written(async |_| Ok(()));
        for _ in 0..3 {
            assert!(next(&mut body).is_none());
        }
    }

    #[test]
    fn does_not_run_before_the_body_is_pulled() {
        let (tell, told) = channel();
        let mut body = written(async move |mut out| {
            tell.send(()).unwrap();
            out.write("x").await
        });
        assert!(told.try_recv().is_err());
        assert_eq!(next(&mut body).unwrap().unwrap(), "x");
        assert!(told.try_recv().is_ok());
    }

    #[test]
    fn returns_when_the_block_was_taken_and_not_before() {
        let progress = Arc::new(AtomicUsize::new(0));
        let in_block = progress.clone();
        let mut body = written(async move |mut out| {
            for n in 1..=3 {
                out.write("x").await?;
                in_block.store(n, Ordering::Relaxed);
            }
            Ok(())
        });
        for written in 0..3 {
            assert_eq!(next(&mut body).unwrap().unwrap(), "x");
            assert_eq!(progress.load(Ordering::Relaxed), written, "the next write waits for the next pull");
        }
        assert!(next(&mut body).is_none());
        assert_eq!(progress.load(Ordering::Relaxed), 3);
    }

    #[test]
    fn that_fails_is_reported_after_its_blocks_and_once() {
        let mut body = written(async |mut out| {
            out.write("one").await?;
            out.write("two").await?;
            Err(Kind::BadGateway.into())
        });
        assert_eq!(next(&mut body).unwrap().unwrap(), "one");
        assert_eq!(next(&mut body).unwrap().unwrap(), "two");
        assert_eq!(next(&mut body).unwrap().unwrap_err().kind(), Kind::BadGateway);
        assert!(next(&mut body).is_none());
    }

    #[test]
    fn is_dropped_where_it_waits_together_with_the_body() {
        let dropped = Arc::new(AtomicUsize::new(0));
        let held = CountDrops(dropped.clone());
        let mut body = written(async move |mut out| {
            let _held = &held;
            loop {
                out.write("again").await?;
            }
        });
        assert!(next(&mut body).unwrap().is_ok());
        assert_eq!(dropped.load(Ordering::Relaxed), 0);
        drop(body);
        assert_eq!(dropped.load(Ordering::Relaxed), 1);
    }
}

/// The writer may leave the block, for a thread for instance.
mod writer_elsewhere {
    use super::*;

    /// A body whose writer is given away, and that stays open.
    fn apart() -> (Body, Writer) {
        let place = Arc::new(Mutex::new(None));
        let given = place.clone();
        let mut body = written(async move |out| {
            *given.lock().unwrap() = Some(out);
            std::future::pending().await
        });
        assert!(poll(&mut body, Waker::noop()).is_pending());
        let writer = place.lock().unwrap().take().unwrap();
        (body, writer)
    }

    #[test]
    fn writes_from_another_thread_in_order() {
        let (mut body, mut writer) = apart();
        let thread = thread::spawn(move || {
            block_on(async {
                for n in 0..100 {
                    writer.write(n.to_string()).await?;
                }
                Ok::<_, Error>(())
            })
        });
        for n in 0..100 {
            assert_eq!(next(&mut body).unwrap().unwrap(), n.to_string());
        }
        thread.join().unwrap().unwrap();
    }

    #[test]
    fn wakes_the_body_that_waits_for_a_block() {
        let (mut body, mut writer) = apart();
        let wakes = Arc::new(CountWakes::default());
        assert!(poll(&mut body, &wakes.clone().into()).is_pending());
        let mut write = pin!(writer.write("block"));
        assert!(write.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
        assert_eq!(next(&mut body).unwrap().unwrap(), "block");
    }

    #[test]
    fn is_woken_and_ended_by_the_drop_of_the_body() {
        let (body, mut writer) = apart();
        let (waiting, waits) = channel();
        let thread = thread::spawn(move || {
            let mut write = pin!(writer.write("never taken"));
            block_on(poll_fn(|cx| {
                let poll = write.as_mut().poll(cx);
                let _ = waiting.send(poll.is_pending());
                poll
            }))
        });
        assert!(waits.recv_timeout(BOUND).unwrap(), "nobody has taken the block");
        drop(body);
        assert_eq!(thread.join().unwrap().unwrap_err().kind(), Kind::Disconnected);
    }

    #[test]
    fn is_told_of_a_block_that_was_taken_even_if_the_body_is_dropped_then() {
        let (mut body, mut writer) = apart();
        let mut write = pin!(writer.write("the last"));
        assert!(write.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert_eq!(next(&mut body).unwrap().unwrap(), "the last");
        drop(body);
        assert!(block_on(write).is_ok());
    }

    #[test]
    fn is_refused_every_block_after_the_drop_of_the_body() {
        let (body, mut writer) = apart();
        drop(body);
        for _ in 0..2 {
            assert_eq!(block_on(writer.write("late")).unwrap_err().kind(), Kind::Disconnected);
        }
    }
}
