//! Clients that take their time: each has a limit, and none holds a thread of Python's.

use std::{fs, io::Write, net::TcpStream, thread, time::Duration};

use crate::support::{End, Gateway, Server, files::Signals, wait_until};

/// One second for everything.
fn server() -> Server {
    let options = ["--head-timeout", "--keep-alive", "--body-timeout", "--write-timeout"];
    let gateway = Gateway::new(["/hello=app:hello", "/echo=app:echo", "/py=wsgi:cases:application"]);
    options.iter().fold(gateway, |gateway, option| gateway.option(option, "1")).option("--threads", "2").start()
}

#[test]
fn a_head_that_does_not_come_to_its_end_ends_the_connection() {
    let server = server();
    let mut client = server.connect();
    // Byte by byte it would never idle.
    let mut sender = client.sender();
    let trickle = thread::spawn(move || {
        let head = b"GET /hello HTTP/1.1\r\nHost: a\r\nX: ".iter().chain(std::iter::repeat(&b'x'));
        head.take(1000).take_while(|byte| send(&mut sender, **byte)).count()
    });
    assert!(client.closed());
    assert!(trickle.join().unwrap() < 1000, "the client could go on");
}

/// One byte, and the pause that is the point of it.
fn send(sender: &mut TcpStream, byte: u8) -> bool {
    thread::park_timeout(Duration::from_millis(20));
    sender.write_all(&[byte]).is_ok()
}

#[test]
fn idle_connections_are_closed() {
    let server = server();
    assert!(server.connect().closed());
    let mut client = server.connect();
    client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.response().status, 200);
    assert!(client.closed());
}

#[test]
fn a_body_that_stops_is_answered_with_408_and_holds_no_thread() {
    let server = server();
    let mut stuck: Vec<_> = (0..8).map(|_| server.connect()).collect();
    for client in &mut stuck {
        client.send("POST /py/echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
    }
    // There are two threads.
    assert_eq!(server.get("/py/one-block").status, 200);
    for client in &mut stuck {
        let response = client.response();
        assert_eq!((response.status, response.header("connection").as_deref()), (408, Some("close")));
        assert!(client.closed());
    }
}

#[test]
fn a_reader_that_stops_is_dropped_and_its_iterable_is_closed() {
    let server = server();
    let signals = Signals::new();
    let mut stuck: Vec<_> = (0..4).map(|_| server.connect()).collect();
    for client in &mut stuck {
        client.send(format!("GET /py/endless?{} HTTP/1.1\r\nHost: a\r\n\r\n", signals.path()));
    }
    wait_until("all of them to begin", || signals.count("begun-") == 4);
    // There are two threads, and four readers that read nothing.
    assert_eq!(server.get("/py/one-block").status, 200);
    wait_until("all of them to be closed", || signals.count("closed-") == 4);
    for client in &mut stuck {
        let head = client.head();
        assert_eq!(client.body(&head, "GET", |_| {}), End::Truncated);
    }
}

#[test]
fn a_client_that_takes_its_time_for_the_rest_of_a_response_does_not_idle() {
    let folder = tempfile::tempdir().unwrap();
    let app = folder.path().join("app.py");
    let text =
        "def application(environ, start_response):\n    start_response('200 OK', [])\n    return [bytes(100_000_000)]";
    fs::write(&app, text).unwrap();
    let gateway = Gateway::new([format!("wsgi:{}:application", app.display())]).option("--keep-alive", "1");
    let server = gateway.start();
    let mut client = server.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let (head, mut received) = (client.head(), 0);
    let end = client.body(&head, "GET", |block| {
        // Twice as long as it may idle, with more to come than the kernel takes.
        if received == 0 {
            thread::park_timeout(Duration::from_secs(2));
        }
        received += block.len();
    });
    assert_eq!((end, received), (End::Complete, 100_000_000));
    // From here on it idles.
    assert!(client.closed());
}

#[test]
fn hundreds_of_clients_that_a_call_waits_for_keep_nobody_from_being_served() {
    let server = Gateway::new(["/py=wsgi:cases:application"]).option("--threads", "2").start();
    let mut slow: Vec<_> = (0..400).map(|_| server.connect()).collect();
    for client in &mut slow {
        client.send("POST /py/echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n");
    }
    // That it comes tells that the call has begun, and reads.
    for client in &mut slow {
        assert_eq!(client.head().status, 100);
    }
    assert_eq!(server.get("/py/one-block").status, 200);
    for client in &mut slow {
        client.send("x");
        client.response().expect(200, "x");
    }
}
