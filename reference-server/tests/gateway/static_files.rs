//! Files: whole, in part, only if they have changed, and nothing else.

use std::{fs, os::unix::fs::symlink, process::Command};

use crate::support::{Gateway, Server, files::Signals, run};

/// A folder with what can be in one, and a server for it.
fn site(option: &[&str]) -> (Signals, Server) {
    let folder = Signals::new();
    fs::write(folder.file("hello.txt"), "Hello, file!\n").unwrap();
    fs::write(folder.file(".hidden"), "secret").unwrap();
    fs::write(folder.file("<b>&'.txt"), "a name").unwrap();
    fs::create_dir_all(folder.file("folder/.git")).unwrap();
    fs::write(folder.file("folder/index.html"), "<title>index</title>").unwrap();
    fs::write(folder.file("folder/.git/config"), "secret").unwrap();
    fs::create_dir(folder.file("list")).unwrap();
    fs::write(folder.file("list/a b.txt"), "a b").unwrap();
    symlink("/etc/passwd", folder.file("outside")).unwrap();
    symlink("hello.txt", folder.file("inside")).unwrap();
    run(Command::new("mkfifo").arg(folder.file("fifo")));
    let target = format!("/files=static:{}", folder.path());
    let server = Gateway::new([&[target.as_str()], option].concat()).start();
    (folder, server)
}

#[test]
fn a_file_is_served_with_its_type() {
    let (_folder, server) = site(&[]);
    let response = server.get("/files/hello.txt");
    response.expect(200, "Hello, file!\n");
    assert_eq!(response.header("content-length").as_deref(), Some("13"));
    assert!(response.header("content-type").unwrap().starts_with("text/plain"));
    assert!(response.header("last-modified").is_some());
    server.get("/files/%3Cb%3E&'.txt").expect(200, "a name");
    server.get("/files/list/a%20b.txt").expect(200, "a b");
    assert_eq!(server.request("POST", "/files/hello.txt", "", b"x").status, 405);
}

#[test]
fn an_index_is_a_folders_page() {
    let (_folder, server) = site(&[]);
    server.get("/files/folder/").expect(200, "<title>index</title>");
    let redirect = server.get("/files/folder?a=b");
    assert!(matches!(redirect.status, 301 | 302 | 307 | 308), "{redirect:?}");
    let location = redirect.header("location").unwrap();
    assert!(location == "/files/folder/?a=b" || location == "/files/folder/", "{location}");
}

#[test]
fn a_listing_is_shown_if_it_is_switched_on() {
    let (_folder, server) = site(&[]);
    assert_eq!(server.get("/files/list/").status, 404);
    let (_folder, server) = site(&["--listing"]);
    let listing = server.get("/files/");
    assert_eq!(listing.status, 200);
    assert!(listing.header("content-type").unwrap().starts_with("text/html"));
    let text = listing.text();
    assert!(text.contains("hello.txt") && text.contains("list/"), "{text}");
    assert!(!text.contains(".hidden") && !text.contains("<b>&"), "{text}");
    assert!(server.get("/files/list/").text().contains("a%20b.txt"));
}

#[test]
fn nothing_but_files_of_the_folder_is_served() {
    let (_folder, server) = site(&["--listing"]);
    for path in [
        "/missing",
        "/.hidden",
        "/folder/.git/config",
        "/outside",
        "/fifo",
        "/../Cargo.toml",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/..%2f..%2fetc%2fpasswd",
        "/hello.txt/",
        "/hello.txt/x",
        "/hello.txt%00",
        "/%2fetc%2fpasswd",
        "//etc/passwd",
    ] {
        let response = server.get(&format!("/files{path}"));
        assert!(matches!(response.status, 400 | 403 | 404), "{path}: {response:?}");
    }
    server.get("/files/inside").expect(200, "Hello, file!\n");
}

#[test]
fn parts_of_a_file_are_served() {
    let (_folder, server) = site(&[]);
    for (range, status, body) in [
        ("bytes=0-4", 206, "Hello"),
        ("bytes=7-", 206, "file!\n"),
        ("bytes=-6", 206, "file!\n"),
        ("bytes=5-1000", 206, ", file!\n"),
        ("lines=1-2", 200, "Hello, file!\n"),
    ] {
        let response = server.request("GET", "/files/hello.txt", &format!("Range: {range}\r\n"), b"");
        response.expect(status, body);
    }
    assert_eq!(server.request("GET", "/files/hello.txt", "Range: bytes=13-\r\n", b"").status, 416);
}

#[test]
fn a_file_that_has_not_changed_is_not_sent() {
    let (_folder, server) = site(&[]);
    let first = server.get("/files/hello.txt");
    let validators = [("If-Modified-Since", first.header("last-modified")), ("If-None-Match", first.header("etag"))];
    for (name, value) in validators.into_iter().filter_map(|(name, value)| Some((name, value?))) {
        let again = server.request("GET", "/files/hello.txt", &format!("{name}: {value}\r\n"), b"");
        again.expect(304, "");
        let other = server.request("GET", "/files/hello.txt", "If-None-Match: \"other\"\r\n", b"");
        other.expect(200, "Hello, file!\n");
    }
}

#[test]
fn a_redirect_never_leads_to_another_host() {
    let (folder, _) = site(&[]);
    let server = Gateway::new([format!("static:{}", folder.path())]).start();
    for path in ["//folder", "//evil.example/..", "/%2fevil.example/..", "//evil.example/%2e%2e"] {
        let location = server.get(path).header("location").unwrap_or_default();
        assert!(!location.starts_with("//") && !location.contains("://evil"), "{path}: {location}");
    }
}
