//! Fifty thousand calls leave nothing behind: no Python object, no memory.

use crate::support::{Client, Gateway, Server};

/// Requests that are sent in one piece and answered in turn.
const BATCH: usize = 50;
/// Batches of each kind: 8 kinds × 50 × 125 = 50,000 requests.
const BATCHES: usize = 125;
/// Enough for everything that is made once: caches, free lists, the logging of exceptions.
const WARM_UP: usize = 10;

const BODY: &str = "a line\nand the rest";

/// A path, its status, and whether the request has a body.
const KINDS: [(&str, u16, bool); 8] = [
    ("/hello", 200, false),
    ("/generates", 200, false),
    ("/writes", 200, false),
    ("/raises", 500, false),
    ("/replaces_head", 500, false),
    ("/reads", 200, true),
    ("/wraps_a_file", 200, false),
    ("/logs", 200, true),
];

/// What is alive: objects that the garbage collector knows, blocks that Python has given out, and resident bytes.
#[derive(Debug)]
struct Alive {
    objects: i64,
    blocks: i64,
    memory: i64,
}

fn alive(server: &Server, client: &mut Client) -> Alive {
    client.send("GET /alive HTTP/1.1\r\nHost: a\r\n\r\n");
    let text = client.response().text();
    let (objects, blocks) = text.split_once(' ').unwrap();
    let memory = i64::try_from(server.resident_memory()).unwrap();
    Alive { objects: objects.parse().unwrap(), blocks: blocks.parse().unwrap(), memory }
}

fn requests(client: &mut Client, batches: usize) {
    for (path, status, has_body) in KINDS {
        let request = match has_body {
            true => format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{BODY}", BODY.len()),
            false => format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"),
        };
        let batch = request.repeat(BATCH);
        for _ in 0..batches {
            client.send(&batch);
            (0..BATCH).for_each(|_| assert_eq!(client.response().status, status, "{path}"));
        }
    }
}

fn nothing_is_left_behind(threads: &str) {
    let server = Gateway::new(["wsgi:leaks:application"]).option("--threads", threads).start();
    let mut client = server.connect();
    requests(&mut client, WARM_UP);
    alive(&server, &mut client);
    let before = alive(&server, &mut client);
    requests(&mut client, BATCHES);
    let after = alive(&server, &mut client);
    // One object of each call of one kind would be 6,250, and 400 bytes of each 2.5 MB.
    let message = format!("{before:?} {after:?}");
    assert!((after.objects - before.objects).abs() < 100, "{message}");
    assert!((after.blocks - before.blocks).abs() < 500, "{message}");
    assert!(after.memory - before.memory < 2_500_000, "{message}");
    eprintln!("{message}");
}

#[test]
fn nothing_is_left_behind_with_threads() {
    nothing_is_left_behind("4");
}

#[test]
fn nothing_is_left_behind_inline() {
    nothing_is_left_behind("1");
}
