//! The end: running requests are finished, and a second signal waits for nobody.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use crate::support::{BOUND, Gateway, gateway};
#[cfg(feature = "python")]
use crate::support::{folder, write};

#[test]
fn a_running_request_is_finished_after_the_first_signal() {
    let (mut gateway, mut stream) = draining(Signal::TERM);
    stream.write_all(b"whole").unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    let rest = String::from_utf8(rest).unwrap();
    assert!(rest.starts_with("HTTP/1.1 200 ") && rest.ends_with("half!whole"), "{rest}");
    assert_eq!(gateway.exit_code(), Some(0));
}

#[test]
fn a_second_signal_ends_everything_at_once() {
    for (second, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let (mut gateway, _stream) = draining(Signal::INT);
        gateway.signal(second);
        assert_eq!(gateway.exit_code(), Some(code));
    }
}

#[test]
#[cfg(feature = "python")]
fn a_second_signal_counts_even_if_python_blocks_the_event_loop() {
    let folder = folder();
    write(
        &folder,
        "stuck.py",
        "def app(environ, start_response):\n    print('stuck', flush=True)\n    while True: pass\n",
    );
    let mut gateway = Gateway::start(gateway(&["serve", "stuck:app", "--threads", "1"]).current_dir(folder.path()));
    let mut stream = gateway.connect();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    while gateway.stdout.recv_timeout(BOUND).unwrap() != "stuck" {}
    let begun = Instant::now();
    // Two signals that come too soon after one another are one.
    while gateway.child.try_wait().unwrap().is_none() && begun.elapsed() < BOUND {
        gateway.signal(Signal::TERM);
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(gateway.exit_code(), Some(143));
}

/// A server that drains: it has been told to end, and a request that will not end keeps it.
fn draining(signal: Signal) -> (Gateway, TcpStream) {
    let gateway = Gateway::start(&mut gateway(&["serve", "app:echo"]));
    let mut stream = gateway.connect();
    let head = "POST / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    // The App reads: its request runs.
    let mut interim = [0; b"HTTP/1.1 100 Continue\r\n\r\n".len()];
    stream.read_exact(&mut interim).unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"half!").unwrap();
    gateway.signal(signal);
    let begun = Instant::now();
    while TcpStream::connect(&gateway.address).is_ok() {
        assert!(begun.elapsed() < BOUND, "it still listens");
        thread::sleep(Duration::from_millis(5));
    }
    (gateway, stream)
}
