//! What is listened on: several addresses, unix sockets, and what others have opened.

use std::{
    fs,
    io::{Read, Write},
    os::unix::{fs::MetadataExt, fs::PermissionsExt, net::UnixListener, net::UnixStream},
    path::Path,
};

use rustix::process::{Signal, getuid};

use crate::support::{Gateway, Server, installed, python};

fn over(path: &Path, target: &str) -> String {
    let mut stream = UnixStream::connect(path).unwrap();
    stream.write_all(format!("GET {target} HTTP/1.0\r\nConnection: close\r\n\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn on(path: &Path) -> Gateway {
    let targets = ["/environ=app:environ", "/py=wsgi:cases:application", "/echo=app:echo", "/static=static:static"];
    Gateway::new(targets).option("--bind", format!("unix:{}", path.display()))
}

#[test]
fn a_unix_socket_is_served_beside_a_port_with_its_mode() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.sock");
    let server = on(&path).option("--socket-mode", "600").start();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(server.get("/environ").status, 200);
    for (line, target) in [
        ("SERVER_NAME: localhost", "/environ"),
        ("SERVER_PORT: 80", "/environ"),
        ("SERVER_NAME='localhost'", "/py"),
        ("SERVER_PORT='80'", "/py"),
    ] {
        let answer = over(&path, target);
        assert!(answer.lines().any(|other| other == line), "{line}\n{answer}");
        assert!(!answer.contains("REMOTE_"), "{answer}");
    }
    server.signal(Signal::TERM);
    assert_eq!(server.exit().code(), Some(0));
    assert!(!path.exists());
}

#[test]
fn a_unix_socket_has_the_owner_that_is_asked_for() {
    if !getuid().is_root() {
        return eprintln!("skipped: only root can give files away");
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.sock");
    let _server = on(&path).option("--socket-owner", "nobody:0").start();
    let metadata = fs::metadata(&path).unwrap();
    assert_eq!((metadata.permissions().mode() & 0o777, metadata.gid()), (0o660, 0));
    assert_ne!(metadata.uid(), 0);
}

#[test]
fn files_go_over_a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.sock");
    let large = vec![b'x'; 1 << 20];
    fs::write(folder.path().join("large"), &large).unwrap();
    let files = format!("/files=static:{}", folder.path().display());
    let _server = Gateway::new([files]).option("--bind", format!("unix:{}", path.display())).start();
    let answer = over(&path, "/files/large");
    assert!(answer.split_once("\r\n\r\n").unwrap().1.as_bytes() == large);
}

#[test]
fn what_a_dead_process_has_left_is_replaced_and_a_live_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.sock");
    let other = UnixListener::bind(&path).unwrap();
    let (code, text) = on(&path).fail();
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("Address already in use") && text.contains("gateway.sock"), "{text}");
    drop(other);
    let server = on(&path).start();
    assert!(over(&path, "/environ").contains("SERVER_NAME"));
    drop(server);
    fs::write(&path, "precious").unwrap();
    assert_eq!(on(&path).fail().0, Some(1));
    assert_eq!(fs::read(&path).unwrap(), b"precious");
}

/// What systemd does, in a few lines: binds a port and a unix socket, and starts the command with both.
const LAUNCHER: &str = r#"
import os, socket, sys
tcp = socket.create_server(("127.0.0.1", 0))
unix = socket.socket(socket.AF_UNIX)
unix.bind(sys.argv[1])
unix.listen()
for place, one in enumerate([tcp, unix]):
    os.dup2(one.fileno(), 50 + place)
for place in range(2):
    os.dup2(50 + place, 3 + place, inheritable=True)
os.environ.update(LISTEN_FDS="2", LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES="web:local")
os.execv(sys.argv[2], sys.argv[2:])
"#;

fn launched(path: &Path) -> Gateway {
    let python = python::executable();
    Gateway::new(["/environ=app:environ"]).inside(&[&python, "-c", LAUNCHER, &path.display().to_string()])
}

#[test]
fn sockets_that_systemd_hands_over_are_served_and_left_alone() {
    if !installed(&["python3"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.sock");
    let server: Server = launched(&path).start();
    assert!(server.get("/environ").text().contains(&format!("SERVER_PORT: {}", server.address().port())));
    assert!(over(&path, "/environ").contains("SERVER_NAME: localhost"));
    server.signal(Signal::HUP);
    assert!(over(&path, "/environ").contains("SERVER_NAME: localhost"));
    server.signal(Signal::TERM);
    assert_eq!(server.exit().code(), Some(0));
    assert!(path.exists());
}

#[test]
fn an_inherited_descriptor_is_served_and_one_that_does_not_listen_is_not() {
    if !installed(&["python3"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.sock");
    let python = python::executable();
    let by_number = LAUNCHER.replace("os.environ.update", "dict");
    let inside = [&python, "-c", &by_number, &path.display().to_string()];
    let inside: Vec<&str> = inside.iter().map(|part| part.as_ref()).collect();
    let server = Gateway::new(["/environ=app:environ"]).option("--bind", "fd://4").inside(&inside).start();
    assert!(over(&path, "/environ").contains("SERVER_NAME: localhost"));
    drop(server);
    let (code, text) = Gateway::new(["/environ=app:environ"]).option("--bind", "fd://0").fail();
    assert_eq!(code, Some(1));
    assert!(text.contains("fd://0"), "{text}");
}
