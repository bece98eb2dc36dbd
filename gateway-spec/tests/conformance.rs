//! The conformance kit against a server of a few lines, which is right, or wrong in one way: each fault must make its case
//! fail, and only a fault may.

#![allow(clippy::unwrap_used)]

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
};

use gateway_spec::conformance::{Error, Target, Verdict, cases, judge};

/// What the server does wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    Nothing,
    NoDate,
    TwoDates,
    NoHostNeeded,
    FirstLengthCounts,
    IgnoresConnectionClose,
    ShowsProxy,
    BodyForHead,
    JoinsWithoutSeparator,
}

/// The cases that the server can be judged by, each with the fault that it must find.
const FOUND: [(&str, Fault); 8] = [
    ("G-8.4/1", Fault::NoDate),
    ("G-8.4/1", Fault::TwoDates),
    ("G-8.6/1", Fault::NoHostNeeded),
    ("G-8.7/1", Fault::FirstLengthCounts),
    ("G-8.15/1", Fault::IgnoresConnectionClose),
    ("G-3.20/1", Fault::ShowsProxy),
    ("G-8.1/2", Fault::BodyForHead),
    ("G-3.16/1", Fault::JoinsWithoutSeparator),
];

#[test]
fn a_fault_is_found_by_its_case_and_no_fault_by_none() {
    let right = target(Fault::Nothing);
    for (id, fault) in FOUND {
        let case = cases().find(|case| case.id == id).unwrap();
        let judgement = judge(&right, case);
        assert_eq!(judgement.verdict, Verdict::Pass, "without a fault: {judgement}");
        let judgement = judge(&target(fault), case);
        assert_eq!(judgement.verdict, Verdict::Fail, "{fault:?}: {judgement}");
        assert!(!judgement.reason.is_empty());
    }
}

#[test]
fn a_server_without_the_probe_and_none_at_all_are_told_apart() {
    let address = serve(|stream| {
        head(&stream);
        let _ = (&stream).write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    });
    let error = Target::find(&format!("http://{address}/")).unwrap_err();
    assert!(matches!(&error, Error::NoProbe(_, seen) if seen.contains("404")), "{error}");
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert!(matches!(Target::find(&format!("http://{free}/")), Err(Error::Nobody(..))));
    for url in ["127.0.0.1:80", "https://127.0.0.1/", "ftp://127.0.0.1/"] {
        assert!(matches!(Target::find(url), Err(Error::Url(_))), "{url}");
    }
}

fn target(fault: Fault) -> Target {
    let address = serve(move |stream| while answer(&stream, fault).is_some() {});
    Target::find(&format!("http://{address}")).unwrap()
}

/// A server whose threads end with their connections, and which listens until the test's process ends.
fn serve(connection: impl Fn(TcpStream) + Clone + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let connection = connection.clone();
            thread::spawn(move || connection(stream));
        }
    });
    address
}

/// The lines of a request's head, and no byte behind it; empty at the connection's end.
fn head(mut stream: &TcpStream) -> Vec<String> {
    let (mut bytes, mut byte) = (Vec::new(), [0]);
    while !bytes.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|count| count > 0) {
        bytes.push(byte[0]);
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// One request and its response; none if the connection is over.
fn answer(stream: &TcpStream, fault: Fault) -> Option<()> {
    let lines = head(stream);
    let (first, headers) = lines.split_first()?;
    let lengths = values(headers, "content-length").windows(2).any(|pair| pair[0] != pair[1]);
    let is_bad = (values(headers, "host").is_empty() && fault != Fault::NoHostNeeded)
        || (lengths && fault != Fault::FirstLengthCounts);
    let (status, body) = match is_bad {
        true => ("400 Bad Request".to_owned(), String::new()),
        false => probe(first, headers, fault),
    };
    let date = "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n".repeat(match fault {
        Fault::NoDate => 0,
        Fault::TwoDates => 2,
        _ => 1,
    });
    let sent = if first.starts_with("HEAD") && fault != Fault::BodyForHead { "" } else { &body };
    let mut out = stream;
    write!(out, "HTTP/1.1 {status}\r\n{date}X-Probe: 1\r\nContent-Length: {}\r\n\r\n{sent}", body.len()).ok()?;
    let goes_on = !is_bad && (values(headers, "connection") != ["close"] || fault == Fault::IgnoresConnectionClose);
    goes_on.then_some(())
}

/// The values of a header.
fn values<'a>(headers: &'a [String], name: &str) -> Vec<&'a str> {
    let parts = headers.iter().filter_map(|line| line.split_once(": "));
    parts.filter(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
}

/// As much of the probe as the cases need.
fn probe(first: &str, headers: &[String], fault: Fault) -> (String, String) {
    if let Some((_, status)) = first.split_once("status=") {
        return (format!("{} Probe", &status[..3]), "body".to_owned());
    }
    let mut dump = "probe.kind str wsgi\ngateway.version tuple (1,%200)\n".to_owned();
    let separator = if fault == Fault::JoinsWithoutSeparator { "" } else { "," };
    let shown = [("X_PROBE", "x-probe"), ("PROXY", "proxy")];
    for (key, name) in shown.into_iter().filter(|(_, name)| *name != "proxy" || fault == Fault::ShowsProxy) {
        let value = values(headers, name).join(separator);
        if !value.is_empty() {
            dump.push_str(&format!("HTTP_{key} str {value}\n"));
        }
    }
    ("200 OK".to_owned(), dump)
}
