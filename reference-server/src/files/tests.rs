//! The rules of [`Files`], by calling it as a server does.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt, fs::symlink, net::UnixListener},
    time::{Duration, SystemTime},
};

use gateway_spec::{Connection, Host, Input, Scheme};
use http_body_util::BodyExt;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use super::*;

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// A directory with some files, mounted at `/files`.
struct Site {
    directory: TempDir,
    files: Files,
}

impl Site {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let files = Files::new(directory.path()).unwrap();
        let site = Site { directory, files };
        site.write("hello.txt", "0123456789");
        site.write("sub/page.html", "<p>");
        site
    }

    fn with_listing() -> Self {
        let site = Site::new();
        Site { files: site.files.listing(true), ..site }
    }

    fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: impl AsRef<Path>, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    async fn get(&self, target: &str) -> Answer {
        self.request("GET", target, &[]).await
    }

    /// Calls the App within five seconds, or fails: a thread that hangs is a failure too.
    async fn request(&self, method: &str, target: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let connection = Connection::new(Arc::new(Host::default()), Scheme::Http, None, None);
        let mut environ = Environ::new(parts, Input::empty(), Arc::new(connection));
        environ.mount("/files");
        let called = self.files.call(environ, StartResponse::new());
        let response = tokio::time::timeout(Duration::from_secs(5), called).await.expect("an answer").unwrap();
        let (status, headers, body) = response.into_parts();
        Answer { status: status.code().as_u16(), headers, body: body.collect().await.unwrap().to_bytes().into() }
    }
}

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

#[tokio::test]
async fn nothing_outside_the_directory_is_served() {
    let site = Site::with_listing();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "secret").unwrap();
    symlink(outside.path().join("secret"), site.path("out.txt")).unwrap();
    symlink(outside.path(), site.path("out")).unwrap();
    symlink("sub/page.html", site.path("in.html")).unwrap();
    assert_eq!(site.get("/files/in.html").await.text(), "<p>");
    for path in [
        "out.txt",
        "out",
        "out/",
        "out/secret",
        "..",
        "../",
        "../../etc/passwd",
        "%2e%2e/%2e%2e/etc/passwd",
        "..%2f..%2fetc%2fpasswd",
        "%252e%252e/x",
        "%c0%ae%c0%ae/%c0%ae%c0%ae/etc/passwd",
        "..%5c..%5cetc/passwd",
        "sub/../hello.txt",
        "sub%2fpage.html",
        "hello.txt%00",
        "hello.txt/",
        "hello.txt/x",
        "hello.txt%20",
        "sub/..;/hello.txt",
        "/etc/passwd",
    ] {
        let answer = site.get(&format!("/files/{path}")).await;
        assert_eq!((answer.status, answer.text()), (404, "404 Not Found\n"), "{path}");
    }
    let listing = site.get("/files/").await;
    assert!(listing.text().contains("in.html") && !listing.text().contains("out"), "{}", listing.text());
}

#[tokio::test]
async fn dotfiles_and_backups_are_absent() {
    let site = Site::with_listing();
    for name in [".env", ".git/config", ".htaccess", "hello.txt~", "sub/.hidden"] {
        site.write(name, "secret");
        assert_eq!(site.get(&format!("/files/{name}")).await.status, 404, "{name}");
    }
    assert_eq!(site.get("/files/.git/").await.status, 404);
    for target in ["/files/", "/files/sub/"] {
        let text = String::from_utf8(site.get(target).await.body).unwrap();
        assert!(!text.contains("env") && !text.contains("git") && !text.contains('~') && !text.contains("hidden"));
    }
}

/// A runtime that does not wait for its threads in the end, so that one which hangs fails the test and not the run.
struct Abandoned(Option<Runtime>);

impl Abandoned {
    fn new() -> Self {
        Abandoned(Some(Builder::new_current_thread().enable_time().build().unwrap()))
    }

    fn block_on(&self, test: impl Future<Output = ()>) {
        self.0.as_ref().unwrap().block_on(test);
    }
}

impl Drop for Abandoned {
    fn drop(&mut self) {
        self.0.take().unwrap().shutdown_background();
    }
}

#[test]
fn only_regular_files_are_served_and_a_fifo_holds_no_thread() {
    let site = Site::with_listing();
    let mode = rustix::fs::Mode::from_raw_mode(0o644);
    rustix::fs::mkfifoat(rustix::fs::CWD, site.path("fifo"), mode).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, site.path("sub/index.html"), mode).unwrap();
    let _socket = UnixListener::bind(site.path("socket")).unwrap();
    symlink("/dev/zero", site.path("device")).unwrap();
    symlink("fifo", site.path("link")).unwrap();
    let runtime = Abandoned::new();
    runtime.block_on(async {
        for name in ["fifo", "link", "socket", "device"] {
            for method in ["GET", "HEAD"] {
                assert_eq!(site.request(method, &format!("/files/{name}"), &[]).await.status, 404, "{name}");
            }
        }
        let listing = site.get("/files/").await;
        assert!(!["fifo", "link", "socket", "device"].iter().any(|name| listing.text().contains(&format!(">{name}<"))));
        assert!(site.get("/files/sub/").await.text().contains(">page.html<"), "an index that is a FIFO is none");
    });
}

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

#[test]
fn a_root_that_is_no_directory_is_refused() {
    let site = Site::new();
    assert_eq!(Files::new(site.path("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
    assert_eq!(Files::new(site.path("hello.txt")).unwrap_err().kind(), io::ErrorKind::NotADirectory);
}
