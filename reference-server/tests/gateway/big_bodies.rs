//! A body of 1 GiB up and down through each kind of App: byte-exact, and memory stays flat.

use std::{fs::File, io::Write, thread};

use crate::support::{Client, End, Gateway, Server, files::Signals, programs};

const MIB: usize = 1 << 20;
const BLOCKS: usize = 1024;
/// Well below what is sent, and well above what a server with Python in it needs.
const MEMORY: u64 = 200 << 20;

fn block() -> Vec<u8> {
    (0..MIB).map(|at| at as u8).collect()
}

/// Sends 1 GiB of the pattern and gives the answer.
fn upload(server: &Server, path: &str) -> String {
    let mut client = server.connect();
    client.send(format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", MIB * BLOCKS));
    let block = block();
    for _ in 0..BLOCKS {
        client.send(&block);
    }
    client.response().text()
}

/// Receives 1 GiB of the pattern.
fn download(server: &Server, path: &str) {
    let mut client = server.connect();
    client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
    receive(&mut client);
}

fn receive(client: &mut Client) {
    let expected = [block(), block()].concat();
    let mut received = 0;
    let head = client.head();
    assert_eq!(head.status, 200);
    let end = client.body(&head, "GET", |mut data| {
        while !data.is_empty() {
            let at = received % MIB;
            let (part, rest) = data.split_at(data.len().min(MIB));
            assert!(part == &expected[at..at + part.len()], "wrong bytes behind {received}");
            received += part.len();
            data = rest;
        }
    });
    assert_eq!((received, end), (MIB * BLOCKS, End::Complete));
}

#[track_caller]
fn is_flat(server: &Server) {
    let peak = server.peak_memory();
    assert!(peak < MEMORY, "{} MiB at once", peak >> 20);
}

#[test]
fn through_a_rust_app() {
    let server = Gateway::new(["app:echo"]).start();
    let mut client = server.connect();
    let mut sender = client.sender();
    thread::scope(|scope| {
        scope.spawn(move || {
            let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", MIB * BLOCKS);
            sender.write_all(head.as_bytes()).unwrap();
            let block = block();
            (0..BLOCKS).for_each(|_| sender.write_all(&block).unwrap());
        });
        receive(&mut client);
    });
    is_flat(&server);
}

#[test]
fn through_wsgi() {
    let server = Gateway::new(["wsgi:cases:application"]).start();
    assert_eq!(upload(&server, "/swallow"), "1024 blocks, 0 wrong");
    download(&server, "/big?1024");
    is_flat(&server);
}

#[test]
fn through_cgi() {
    let server = Gateway::new([format!("cgi:{}", programs::folder().display())]).start();
    assert_eq!(upload(&server, "/swallow"), "1024 blocks, 0 wrong");
    download(&server, "/big?1024");
    is_flat(&server);
}

#[test]
fn from_a_file() {
    let folder = Signals::new();
    let mut file = File::create(folder.file("big")).unwrap();
    let block = block();
    (0..BLOCKS).for_each(|_| file.write_all(&block).unwrap());
    drop(file);
    let server = Gateway::new([format!("static:{}", folder.path())]).start();
    download(&server, "/big");
    is_flat(&server);
}
