//! Connections: how long they live, what they carry, and in which order.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use crate::support::{ECHOES, EVERYTHING, End, Gateway, PATIENCE, files::pattern};

#[test]
fn a_connection_serves_one_request_after_another() {
    let server = EVERYTHING.server();
    let mut client = server.connect();
    for path in ECHOES.iter().cycle().take(9) {
        client.send(format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"));
        client.response().expect(200, "abc");
    }
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = EVERYTHING.server();
    let mut client = server.connect();
    let request = |(path, body): (&&str, &str)| {
        format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    };
    let bodies = ["one", "two2", "three"];
    let requests: String = ECHOES.iter().zip(bodies).map(request).collect();
    client.send(requests);
    bodies.iter().for_each(|body| client.response().expect(200, body));
}

#[test]
fn connection_close_is_honoured() {
    let server = EVERYTHING.server();
    let mut client = server.connect();
    client.send("GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let response = client.response();
    assert_eq!((response.status, response.header("connection").as_deref()), (200, Some("close")));
    assert!(client.closed());
}

#[test]
fn the_last_response_arrives_although_the_client_has_sent_more_than_its_request() {
    let server = EVERYTHING.server();
    for _ in 0..20 {
        let mut client = TcpStream::connect(server.address()).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        let request = b"GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        // Both end early where the server resets the connection, and has every right to.
        let _ = client.write_all(&[&request[..], &[b'x'; 100_000]].concat());
        let mut response = Vec::new();
        let _ = client.read_to_end(&mut response);
        assert!(response.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&response));
    }
}

#[test]
fn http_1_0_closes_unless_it_is_asked_not_to() {
    let server = EVERYTHING.server();
    let mut client = server.connect();
    client.send("GET /hello HTTP/1.0\r\n\r\n");
    assert_eq!(client.response().status, 200);
    assert!(client.closed());

    let mut client = server.connect();
    client.send("GET /py/one-block HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    let response = client.response();
    assert_eq!((response.status, response.body.len(), response.end), (200, 1000, End::Complete));
    client.send("GET /hello HTTP/1.0\r\n\r\n");
    assert_eq!(client.response().status, 200);
}

#[test]
fn a_request_followed_by_fin_is_answered() {
    let server = EVERYTHING.server();
    for path in ECHOES {
        // The FIN may come before the request is read, while it is answered, or later.
        for _ in 0..10 {
            let mut client = server.connect();
            client.send(format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")).finish();
            client.response().expect(200, "abc");
            assert!(client.closed(), "{path}");
        }
    }
}

#[test]
fn two_requests_followed_by_fin_are_answered() {
    let server = EVERYTHING.server();
    let mut client = server.connect();
    client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n".repeat(2)).finish();
    assert_eq!([client.response().status, client.response().status], [200, 200]);
}

#[test]
fn bodies_arrive_whole_whatever_their_framing() {
    let server = EVERYTHING.server();
    for path in ECHOES {
        for length in [0, 1, 65_535, 65_536, 300_000] {
            let body = pattern(length);
            let response = server.post(path, &body);
            assert_eq!((response.status, response.end), (200, End::Complete), "{path} {length}");
            assert!(response.body == body, "{path}: {length} bytes with a Content-Length have changed");

            let mut client = server.connect();
            client.send(format!("POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"));
            client.send(chunked(&body));
            let response = client.response();
            assert_eq!((response.status, response.end), (200, End::Complete), "{path} {length} chunked");
            assert!(response.body == body, "{path}: {length} bytes in chunks have changed");
        }
    }
}

/// Chunks of growing size.
fn chunked(mut body: &[u8]) -> Vec<u8> {
    let mut chunks = Vec::new();
    let mut size = 1;
    while !body.is_empty() {
        let (chunk, rest) = body.split_at(size.min(body.len()));
        chunks.extend(format!("{:x}\r\n", chunk.len()).bytes().chain(chunk.iter().copied()).chain(*b"\r\n"));
        (body, size) = (rest, size * 2 + 1);
    }
    chunks.extend(b"0\r\n\r\n");
    chunks
}

#[test]
fn continue_is_sent_when_the_body_is_first_read() {
    let server = EVERYTHING.server();
    for path in ECHOES {
        for (framing, body) in [("Content-Length: 3", "abc"), ("Transfer-Encoding: chunked", "3\r\nabc\r\n0\r\n\r\n")] {
            let mut client = server.connect();
            client.send(format!("POST {path} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n{framing}\r\n\r\n"));
            let head = client.head();
            client.send(body);
            match head.status {
                // An App that starts its response before it reads has spoken: nothing interim can follow.
                200 if path == "/rust" => {
                    let mut echoed = Vec::new();
                    assert_eq!(client.body(&head, "POST", |block| echoed.extend_from_slice(block)), End::Complete);
                    assert_eq!(echoed, b"abc");
                }
                status => {
                    assert_eq!(status, 100, "{path} {framing}");
                    client.response().expect(200, "abc");
                }
            }
        }
    }
}

#[test]
fn continue_is_not_sent_when_nobody_reads() {
    let server = EVERYTHING.server();
    for (path, status) in
        [("/hello", 200), ("/nowhere", 404), ("/py/refuses", 401), ("/py/ignores", 200), ("/py/keeps", 200)]
    {
        let mut client = server.connect();
        client
            .send(format!("POST {path} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 100000\r\n\r\n"));
        let response = client.response();
        assert_eq!((response.status, response.header("connection").as_deref()), (status, Some("close")), "{path}");
        assert!(client.closed(), "{path}: a body that never came would be taken for a request");
    }
}

#[test]
fn continue_is_not_sent_to_http_1_0() {
    let server = EVERYTHING.server();
    for path in ECHOES {
        let mut client = server.connect();
        client.send(format!("POST {path} HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc"));
        client.response().expect(200, "abc");
    }
}

#[test]
fn a_body_that_nobody_read_is_no_request() {
    let server = EVERYTHING.server();
    // As pipelined as can be: an answer to the body would be seen before the one to the second request.
    for path in ["/hello", "/nowhere", "/py/ignores", "/cgi/dump.sh"] {
        for length in [10, 10_000, 1_000_000] {
            let mut client = server.connect();
            let body = "GET /rust HTTP/1.1\r\nHost: a\r\n\r\n".repeat(length / 32);
            client.send(format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body.len()));
            client.try_send(&body);
            client.try_send("GET /environ?second HTTP/1.1\r\nHost: a\r\n\r\n");
            client.response();
            // Either the connection is in step, or it has been closed.
            if let Some(head) = client.try_head() {
                let mut text = Vec::new();
                client.body(&head, "GET", |block| text.extend_from_slice(block));
                assert!(String::from_utf8_lossy(&text).contains("second"), "{path} {length}: {head:?}");
            }
        }
    }
}

#[test]
fn early_answers_survive_an_upload_that_goes_on() {
    let server = EVERYTHING.server();
    for path in ["/nowhere", "/hello"] {
        let mut client = server.connect();
        client.send(format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n"));
        // A reset that overtakes the answer would destroy it.
        (0..9).all(|_| client.try_send([b'x'; 100_000]));
        let response = client.response();
        assert_eq!(response.end, End::Complete, "{path}");
        assert!(matches!(response.status, 200 | 404), "{path}");
    }
}

#[test]
fn head_is_get_without_the_body() {
    let server = EVERYTHING.server();
    for path in ["/hello", "/py/one-block", "/static/hello.txt", "/cgi/say.pl?A:%20b%0a%0abody", "/nowhere"] {
        let get = server.get(path);
        let mut client = server.connect();
        client
            .send(format!("HEAD {path} HTTP/1.1\r\nHost: test\r\n\r\nGET /environ?second HTTP/1.1\r\nHost: a\r\n\r\n"));
        let head = client.response_to("HEAD");
        assert_eq!(head.status, get.status, "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
        // A program that takes its time is answered in chunks, by chance only one of the two.
        if let Some(length) = head.header("content-length") {
            assert_eq!(length, get.body.len().to_string(), "{path}");
        }
        assert!(client.response().text().contains("second"), "{path}: the connection is out of step");
    }
}

#[test]
fn every_response_has_a_date_and_a_server() {
    let server = EVERYTHING.server();
    for path in ["/hello", "/py/dump", "/cgi/dump.sh", "/static/hello.txt", "/nowhere", "/py/raises"] {
        let response = server.get(path);
        assert!(response.header("date").is_some_and(|date| date.ends_with(" GMT") && !date.contains('|')), "{path}");
        assert!(response.header("server").is_some_and(|server| !server.contains('|')), "{path}");
    }
}

#[test]
fn a_body_over_the_limit_is_413() {
    let server = Gateway::new(["/rust=app:echo", "/py=wsgi:cases:application"]).option("--max-body", "1000").start();
    for path in ["/rust", "/py/echo"] {
        server.post(path, pattern(1000)).expect_body(200, &pattern(1000));
        // It is known before a byte is read.
        let mut client = server.connect();
        client.send(format!("POST {path} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1001\r\n\r\n"));
        assert_eq!(client.response().status, 413, "{path}");

        let mut client = server.connect();
        client.send(format!("POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"));
        client.send(chunked(&pattern(2000)));
        let response = client.response();
        let begun = path == "/rust" && response.status == 200;
        assert!(response.status == 413 || (begun && response.end == End::Truncated), "{path}: {}", response.status);
    }
}
