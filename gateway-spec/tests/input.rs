//! Reading a request's body: in blocks, lines and whole, and spooled.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::{env, os::unix::fs::MetadataExt, process::Command, sync::Arc};

use bytes::Bytes;
use gateway_spec::{
    Error, Input, Kind, Result, Source,
    blocking::{Blocking, Threads},
};
use http::HeaderMap;
use http_body::{Body as _, Frame};
use support::{Script, block_on::block_on, pattern};

fn blocks(blocks: &[&'static str]) -> Input {
    Input::new(Script::of(blocks.iter().copied()))
}

/// "begun", and then the connection breaks.
fn broken(kind: Kind) -> Input {
    Input::new(Script::of(["begun"]).then(Err(kind.into())))
}

fn chunk(input: &mut Input) -> Option<Bytes> {
    block_on(input.chunk()).map(Result::unwrap)
}

fn kind<T>(result: Result<T>) -> Kind {
    result.err().expect("an error").kind()
}

mod chunk {
    use super::*;

    #[test]
    fn gives_the_blocks_as_they_came_and_no_empty_ones() {
        let mut input = blocks(&["one", "", "two"]);
        assert_eq!(chunk(&mut input).unwrap(), "one");
        assert_eq!(chunk(&mut input).unwrap(), "two");
        assert_eq!(chunk(&mut input), None);
    }

    #[test]
    fn stays_at_the_end() {
        for mut input in [Input::empty(), Bytes::new().into(), Bytes::from("x").into(), blocks(&["x"])] {
            while chunk(&mut input).is_some() {}
            for _ in 0..3 {
                assert_eq!(chunk(&mut input), None);
                assert!(input.is_empty());
            }
        }
    }

    #[test]
    fn reads_what_is_in_memory() {
        let mut input = Input::from(Bytes::from("hello"));
        assert_eq!(input.len(), Some(5));
        assert_eq!(chunk(&mut input).unwrap(), "hello");
        assert_eq!(input.len(), Some(0));
    }

    #[test]
    fn does_not_take_trailers_for_the_body() {
        let mut trailers = HeaderMap::new();
        trailers.insert("x-checksum", "1".parse().unwrap());
        let script = Script::of(["one"]).then(Ok(Frame::trailers(trailers))).then(Ok(Frame::data("two".into())));
        assert_eq!(block_on(Input::new(script).read_all(100)).unwrap(), "onetwo");
    }

    #[test]
    fn reports_a_body_that_breaks_off_as_an_error_for_ever() {
        let mut input = broken(Kind::Disconnected);
        assert_eq!(chunk(&mut input).unwrap(), "begun");
        for _ in 0..3 {
            assert_eq!(kind(block_on(input.chunk()).expect("an error is not the end")), Kind::Disconnected);
        }
        assert_ne!(input.len(), Some(0));
    }
}

mod line {
    use super::*;

    fn lines(mut input: Input, limit: usize) -> Vec<Bytes> {
        std::iter::from_fn(|| block_on(input.line(limit)).map(Result::unwrap)).collect()
    }

    #[test]
    fn ends_with_its_line_feed_wherever_the_blocks_end() {
        assert_eq!(lines(blocks(&["a\nb", "c\r\n\nlast"]), 100), ["a\n", "bc\r\n", "\n", "last"]);
        let text = b"first\n\nthird line\r\nend";
        for cut in 0..=text.len() {
            let (before, after) = (Bytes::copy_from_slice(&text[..cut]), Bytes::copy_from_slice(&text[cut..]));
            let found = lines(Input::new(Script::of([before, after])), 100);
            assert_eq!(found, ["first\n", "\n", "third line\r\n", "end"], "cut at {cut}");
        }
    }

    #[test]
    fn of_an_empty_body_is_none() {
        assert!(lines(Input::empty(), 100).is_empty());
        assert!(lines(blocks(&["", ""]), 100).is_empty());
    }

    #[test]
    fn may_be_as_long_as_the_limit_and_no_longer() {
        for (body, fits) in [("1234\n", true), ("12345", true), ("12345\n", false), ("123456", false)] {
            for split in 0..body.len() {
                let mut input = blocks(&[&body[..split], &body[split..]]);
                let line = block_on(input.line(5)).unwrap();
                match fits {
                    true => assert_eq!(line.unwrap(), body, "split at {split}"),
                    false => assert_eq!(kind(line), Kind::TooLarge, "{body:?} split at {split}"),
                }
            }
        }
    }

    #[test]
    fn that_was_not_given_out_comes_with_the_next_block() {
        let mut input = blocks(&["a\nbcd", "e"]).into_source().into();
        assert_eq!(block_on(Input::line(&mut input, 10)).unwrap().unwrap(), "a\n");
        assert_eq!(chunk(&mut input).unwrap(), "bcd");
        assert_eq!(chunk(&mut input).unwrap(), "e");
    }

    #[test]
    fn that_breaks_off_is_an_error_and_not_a_last_line() {
        let mut input = broken(Kind::RequestTimeout);
        assert_eq!(kind(block_on(input.line(100)).unwrap()), Kind::RequestTimeout);
        assert_eq!(kind(block_on(input.line(100)).unwrap()), Kind::RequestTimeout);
    }
}

mod read_all {
    use super::*;

    #[test]
    fn may_be_as_long_as_the_limit_and_no_longer() {
        assert_eq!(block_on(blocks(&["123", "45"]).read_all(5)).unwrap(), "12345");
        assert_eq!(kind(block_on(blocks(&["123", "456"]).read_all(5))), Kind::TooLarge);
        assert_eq!(kind(block_on(Input::from(Bytes::from("123456")).read_all(5))), Kind::TooLarge);
        assert_eq!(block_on(Input::empty().read_all(0)).unwrap(), "");
    }

    #[test]
    fn begins_where_lines_have_ended() {
        let mut input = Input::from(Bytes::from("a\nb\nc"));
        assert_eq!(block_on(input.line(10)).unwrap().unwrap(), "a\n");
        assert_eq!(input.len(), Some(3));
        assert_eq!(block_on(input.read_all(3)).unwrap(), "b\nc");
    }

    #[test]
    fn of_a_body_that_breaks_off_is_an_error() {
        assert_eq!(kind(block_on(broken(Kind::BadRequest).read_all(100))), Kind::BadRequest);
    }
}

mod spool {
    use super::*;

    fn host() -> Arc<dyn Blocking> {
        Arc::new(Threads::new(1, 1))
    }

    fn in_blocks(content: &[u8], size: usize) -> Script {
        Script::of(content.chunks(size).map(Bytes::copy_from_slice))
    }

    #[test]
    fn keeps_every_byte_in_memory_and_in_a_file() {
        const MEMORY: usize = 1000;
        let host = host();
        for len in [0, 1, 999, 1000, 1001, 262_143, 262_144, 262_145, 1_048_579] {
            let content = pattern(len);
            for size in [333, 1000, 65_536, 300_000] {
                for script in [in_blocks(&content, size), in_blocks(&content, size).with_length(len as u64)] {
                    let mut input = block_on(Input::new(script).spool(MEMORY, &host)).unwrap();
                    assert!(input.is_received());
                    assert_eq!(input.len(), Some(len as u64));
                    assert_eq!(block_on(input.read_all(len)).unwrap(), content, "{len} in blocks of {size}");
                }
            }
        }
    }

    #[test]
    fn takes_a_file_only_for_what_is_larger_than_memory() {
        let host = host();
        for len in [1, 1000, 1001] {
            let input = block_on(Input::new(in_blocks(&pattern(len), 300)).spool(1000, &host)).unwrap();
            assert_eq!(matches!(input.into_source(), Source::File { .. }), len > 1000, "{len}");
        }
    }

    #[test]
    fn to_a_file_leaves_no_name_behind() {
        let input = block_on(Input::new(in_blocks(&pattern(5000), 300)).spool(1000, &host())).unwrap();
        let Source::File { file, position, len } = input.into_source() else { panic!("no file") };
        assert_eq!((position, len), (0, 5000));
        let metadata = file.metadata().unwrap();
        assert_eq!((metadata.nlink(), metadata.len(), metadata.mode() & 0o777), (0, 5000, 0o600));
    }

    #[test]
    fn of_a_file_is_read_in_lines_too() {
        let mut input = block_on(blocks(&["ab\ncd\n", "ef"]).spool(0, &host())).unwrap();
        for line in ["ab\n", "cd\n", "ef"] {
            assert_eq!(block_on(input.line(10)).unwrap().unwrap(), line);
        }
        assert!(block_on(input.line(10)).is_none());
    }

    #[test]
    fn goes_on_where_lines_have_ended() {
        for memory in [0, 100] {
            let mut input = blocks(&["head\nbo", "dy"]);
            assert_eq!(block_on(input.line(10)).unwrap().unwrap(), "head\n");
            let mut input = block_on(input.spool(memory, &host())).unwrap();
            assert_eq!(input.len(), Some(4));
            assert_eq!(block_on(input.read_all(4)).unwrap(), "body");
        }
    }

    #[test]
    fn passes_on_a_block_that_is_the_whole_body_without_a_copy() {
        let block = Bytes::from("the whole body");
        let script = Script::of([block.clone()]).with_length(block.len() as u64);
        let spooled = block_on(Input::new(script).spool(100, &host())).unwrap();
        let Source::Bytes(bytes) = spooled.into_source() else { panic!("not in memory") };
        assert_eq!(bytes.as_ptr(), block.as_ptr());
    }

    #[test]
    fn passes_errors_of_the_body_on() {
        for memory in [0, 4, 100] {
            let error = block_on(broken(Kind::Disconnected).spool(memory, &host()));
            assert_eq!(kind(error), Kind::Disconnected, "{memory}");
        }
    }

    #[test]
    fn does_not_touch_what_is_received_already() {
        let spooled = block_on(Input::from(Bytes::from("in memory")).spool(0, &host())).unwrap();
        assert!(matches!(spooled.into_source(), Source::Bytes(_)));
        assert!(matches!(block_on(Input::empty().spool(0, &host())).unwrap().into_source(), Source::Empty));
    }

    /// The folder is the environment's, so this one needs a process of its own.
    #[test]
    fn without_room_on_the_disk_is_overload() {
        let test = Command::new(env::current_exe().unwrap())
            .args(["--exact", "spool::inner_without_a_temporary_folder", "--ignored"])
            .env("TMPDIR", "/nonexistent")
            .output()
            .unwrap();
        let stdout = String::from_utf8_lossy(&test.stdout);
        assert!(test.status.success() && stdout.contains("1 passed"), "{stdout}");
    }

    #[test]
    #[ignore = "run by without_room_on_the_disk_is_overload"]
    fn inner_without_a_temporary_folder() {
        let error = block_on(blocks(&["too much"]).spool(0, &host())).unwrap_err();
        assert_eq!(error.kind(), Kind::Overloaded);
        assert!(error.chain().contains("/nonexistent"), "{}", error.chain());
    }
}

mod as_http_body {
    use super::*;

    #[test]
    fn knows_its_length_and_end() {
        let mut input = Input::from(Bytes::from("hello"));
        assert_eq!((input.size_hint().exact(), input.is_end_stream()), (Some(5), false));
        assert!(chunk(&mut input).is_some());
        assert_eq!((input.size_hint().exact(), input.is_end_stream()), (Some(0), true));
        assert_eq!(blocks(&["x"]).size_hint().exact(), None);
        assert!(!blocks(&[]).is_end_stream(), "that there is nothing is not known yet");
    }

    #[test]
    fn of_another_input_gives_the_same_bytes() {
        let mut outer = Input::new(blocks(&["one", "two"]));
        assert_eq!(block_on(outer.read_all(6)).unwrap(), "onetwo");
    }

    #[test]
    fn carries_the_error_itself() {
        let failing = Script::default().then(Err(Error::with_kind(Kind::BadRequest, "chunk size")));
        let error = block_on(Input::new(failing).chunk()).unwrap().unwrap_err();
        assert_eq!(error.chain(), "the request's body is malformed: chunk size");
    }
}
