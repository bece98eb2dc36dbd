//! Directories: index, listing, and the slash at the end.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt, time::SystemTime};

use super::*;

#[tokio::test]
async fn a_directory_is_its_index_or_its_listing_or_absent() {
    let site = Site::new();
    assert_eq!(site.get("/files/").await.status, 404);
    assert_eq!(site.get("/files/sub/").await.status, 404);
    assert_eq!(site.get("/files/sub").await.status, 404, "a redirect would tell that it exists");
    site.write("sub/index.html", "index");
    let answer = site.get("/files/sub/").await;
    assert_eq!((answer.status, answer.text()), (200, "index"));
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    assert!(answer.headers.contains_key("etag"));

    let site = Site { files: site.files.listing(true), ..site };
    assert_eq!(site.get("/files/sub/").await.text(), "index", "an index goes before the listing");
    let answer = site.get("/files/").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(answer.text().contains("<title>Index of /files/</title>"), "{}", answer.text());
}

#[tokio::test]
async fn a_directory_without_its_slash_is_redirected_to_itself() {
    let site = Site::with_listing();
    site.write("evil.com/x", "");
    site.write("a b?#/x", "");
    for (target, location) in [
        ("/files", "/files/"),
        ("/files?x=1&y=%20", "/files/?x=1&y=%20"),
        ("/files/sub", "/files/sub/"),
        ("/files/sub?q=//z", "/files/sub/?q=//z"),
        ("/files//sub", "/files/sub/"),
        ("/files/a%20b%3F%23", "/files/a%20b%3F%23/"),
        // Without a mount, the first name must not become a host.
        ("//evil.com", "/evil.com/"),
        ("///evil.com", "/evil.com/"),
        ("/files//evil.com", "/files/evil.com/"),
    ] {
        let answer = site.get(target).await;
        assert_eq!((answer.status, answer.header("location")), (301, location), "{target}");
    }
    for target in ["//evil.com/..", "/\\evil.com", "/%5cevil.com", "/%2Fevil.com", "//evil.com%2f..", "/%09/evil.com"] {
        let answer = site.get(target).await;
        assert_eq!((answer.status, answer.header("location")), (404, ""), "{target}");
    }
}

#[tokio::test]
async fn every_name_of_a_listing_is_harmless_and_its_link_works() {
    let site = Site::with_listing();
    let names: [&[u8]; 12] = [
        b"<img src=x onerror=alert(1)>",
        b"a b",
        b"quote\"'",
        b"100%",
        b"%41",
        b"a#b",
        b"a?b=c&d;",
        b"javascript:alert(1)",
        b"-_.ok.txt",
        "grüße 日本.txt".as_bytes(),
        b"latin1-\xe9.txt",
        b"line\nbreak",
    ];
    for name in names {
        site.write(OsStr::from_bytes(name), name);
    }
    let page = site.get("/files/").await;
    assert!(!page.text().contains("<img") && !page.text().contains("href=\"javascript:"), "{}", page.text());
    assert!(page.text().contains("&lt;img src=x onerror=alert(1)&gt;"));
    assert!(page.header("content-security-policy").contains("default-src 'none'"));
    let links: Vec<&str> = page
        .text()
        .split("<td class=\"file\"><a href=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .collect();
    assert_eq!(links.len(), names.len() + 1);
    for link in links {
        let answer = site.get(&format!("/files/{link}")).await;
        assert_eq!(answer.status, 200, "{link}");
        assert!(link == "hello.txt" || names.contains(&answer.body.as_slice()), "{link}");
    }
}

#[tokio::test]
async fn a_listing_tells_sizes_and_times_and_where_it_is() {
    let site = Site::with_listing();
    site.write("sub/deep/x", "");
    site.write("sub/Alpha.bin", vec![0; 1536]);
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_260_000);
    fs::File::options().append(true).open(site.path("sub/Alpha.bin")).unwrap().set_modified(time).unwrap();
    let page = site.get("/files/sub/").await;
    let text = page.text();
    let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part} in {text}"));
    assert!(at("href=\"deep/\"") < at("href=\"Alpha.bin\"") && at("href=\"Alpha.bin\"") < at("href=\"page.html\""));
    at("<title>Index of /files/sub/</title>");
    at("<td>1.5 KiB</td>");
    at(">2026-11-21 11:20<");
    at("<a href=\"../\">");
    at("1 folder, 2 files, 1.5 KiB");
    let deep = site.get("/files/sub/deep/").await;
    assert!(deep.text().contains("<a href=\"/files/\">") && deep.text().contains("<a href=\"/files/sub/\">"));
    assert!(!site.get("/files/").await.text().contains("href=\"../\""), "the way up ends at the mount");
}
