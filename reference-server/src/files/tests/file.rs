//! One file: its head, its ranges, and when it is not sent again.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

use super::*;

#[tokio::test]
async fn a_file_is_served_with_type_length_and_validators() {
    let site = Site::new();
    let answer = site.get("/files/hello.txt").await;
    assert_eq!((answer.status, answer.text()), (200, "0123456789"));
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(answer.header("content-length"), "10");
    assert_eq!(answer.header("accept-ranges"), "bytes");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert!(answer.header("etag").starts_with('"'));
    assert!(answer.header("last-modified").ends_with(" GMT"));

    site.write("picture.png", "");
    let answer = site.get("/files/picture.png").await;
    assert_eq!((answer.header("content-type"), answer.header("content-length")), ("image/png", "0"));
    site.write("é.unknown", "x");
    assert_eq!(site.get("/files/%C3%A9.unknown").await.header("content-type"), "application/octet-stream");
    site.write(OsStr::from_bytes(b"\xff.css"), "x");
    assert_eq!(site.get("/files/%FF.css").await.header("content-type"), "text/css; charset=utf-8");
}

#[tokio::test]
async fn a_files_body_is_the_open_file() {
    let site = Site::new();
    let (parts, ()) = Request::get("/hello.txt").header("range", "bytes=2-5").body(()).unwrap().into_parts();
    let connection = Connection::new(Arc::new(Host::default()), Scheme::Http, None, None);
    let environ = Environ::new(parts, Input::empty(), Arc::new(connection));
    let response = site.files.call(environ, StartResponse::new()).await.unwrap();
    let range = response.into_parts().2.into_file().expect("a file");
    assert_eq!((range.offset, range.len), (2, 4));
}

#[tokio::test]
async fn a_large_file_arrives_byte_for_byte() {
    let site = Site::new();
    let content: Vec<u8> = (0..3_000_017_u32).flat_map(|n| n.to_le_bytes()).collect();
    site.write("large.bin", &content);
    let answer = site.get("/files/large.bin").await;
    assert!(answer.body == content);
    let answer = site.request("GET", "/files/large.bin", &[("range", "bytes=65537-9000000")]).await;
    assert_eq!(answer.status, 206);
    assert!(answer.body == content[65537..=9_000_000]);
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let site = Site::with_listing();
    for target in ["/files/hello.txt", "/files/sub/", "/files/none", "/files/sub"] {
        let (get, head) = (site.get(target).await, site.request("HEAD", target, &[]).await);
        assert_eq!((head.status, &head.headers), (get.status, &get.headers), "{target}");
        assert_eq!(head.header("content-length"), get.body.len().to_string(), "{target}");
        assert!(head.body.is_empty() && !get.body.is_empty());
    }
    let answer = site.request("HEAD", "/files/hello.txt", &[("range", "bytes=0-1")]).await;
    assert_eq!((answer.status, answer.header("content-length")), (200, "10"));
}

#[tokio::test]
async fn other_methods_are_told_which_are_allowed() {
    let site = Site::new();
    for target in ["/files/hello.txt", "*"] {
        let answer = site.request("OPTIONS", target, &[]).await;
        assert_eq!((answer.status, answer.header("allow")), (204, "GET, HEAD, OPTIONS"));
    }
    for method in ["POST", "PUT", "DELETE", "PATCH", "PROPFIND"] {
        let answer = site.request(method, "/files/hello.txt", &[]).await;
        assert_eq!((answer.status, answer.header("allow")), (405, "GET, HEAD, OPTIONS"));
    }
    assert_eq!(site.get("*").await.status, 404);
}

#[tokio::test]
async fn ranges_are_cut_out_or_refused() {
    let site = Site::new();
    for (range, status, content_range, body) in [
        ("bytes=0-0", 206, "bytes 0-0/10", "0"),
        ("bytes=2-5", 206, "bytes 2-5/10", "2345"),
        ("bytes=7-", 206, "bytes 7-9/10", "789"),
        ("bytes=-3", 206, "bytes 7-9/10", "789"),
        ("bytes=5-99", 206, "bytes 5-9/10", "56789"),
        ("bytes=10-", 416, "bytes */10", ""),
        ("bytes=0-1,5-6", 200, "", "0123456789"),
        ("lines=0-1", 200, "", "0123456789"),
    ] {
        let answer = site.request("GET", "/files/hello.txt", &[("range", range)]).await;
        let seen = (answer.status, answer.header("content-range"), answer.text());
        assert_eq!(seen, (status, content_range, body), "{range}");
        if status != 416 {
            assert_eq!(answer.header("content-length"), body.len().to_string(), "{range}");
        }
    }
    site.write("empty", "");
    let answer = site.request("GET", "/files/empty", &[("range", "bytes=0-")]).await;
    assert_eq!((answer.status, answer.header("content-length"), answer.body.len()), (200, "0", 0));
}

#[tokio::test]
async fn what_has_not_changed_is_not_sent_again() {
    let site = Site::new();
    let whole = site.get("/files/hello.txt").await;
    let (etag, modified) = (whole.header("etag"), whole.header("last-modified"));
    let past = "Thu, 01 Jan 2015 00:00:00 GMT";
    for (name, value, status) in [
        ("if-none-match", etag, 304),
        ("if-none-match", "\"other\"", 200),
        ("if-none-match", "*", 304),
        ("if-modified-since", modified, 304),
        ("if-modified-since", past, 200),
        ("if-match", etag, 200),
        ("if-match", "\"other\"", 412),
        ("if-unmodified-since", modified, 200),
        ("if-unmodified-since", past, 412),
    ] {
        for method in ["GET", "HEAD"] {
            let answer = site.request(method, "/files/hello.txt", &[(name, value), ("range", "bytes=0-")]).await;
            let status = if (status, method) == (200, "GET") { 206 } else { status };
            assert_eq!(answer.status, status, "{method} {name}: {value}");
            if status == 304 {
                assert_eq!((answer.header("etag"), answer.body.len()), (etag, 0));
                assert_eq!(answer.header("content-type"), "");
            }
        }
    }
    site.write("hello.txt", "changed");
    let answer = site.request("GET", "/files/hello.txt", &[("if-none-match", etag)]).await;
    assert_eq!((answer.status, answer.text()), (200, "changed"));
}

#[tokio::test]
async fn if_range_asks_for_the_whole_file_once_it_has_changed() {
    let site = Site::new();
    let whole = site.get("/files/hello.txt").await;
    let (etag, modified) = (whole.header("etag"), whole.header("last-modified"));
    let weak = format!("W/{etag}");
    for (validator, status) in [
        (etag, 206),
        (modified, 206),
        ("\"other\"", 200),
        (&weak, 200),
        ("Thu, 01 Jan 2015 00:00:00 GMT", 200),
        // A later date is no match either: it must be exact.
        ("Thu, 01 Jan 2099 00:00:00 GMT", 200),
    ] {
        let headers = [("range", "bytes=4-"), ("if-range", validator)];
        let answer = site.request("GET", "/files/hello.txt", &headers).await;
        let body = if status == 206 { "456789" } else { "0123456789" };
        assert_eq!((answer.status, answer.text()), (status, body), "{validator}");
    }
}
