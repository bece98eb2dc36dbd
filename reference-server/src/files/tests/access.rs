//! What is not served.

use std::os::unix::{fs::symlink, net::UnixListener};

use tokio::runtime::{Builder, Runtime};

use super::*;

#[test]
fn a_root_that_is_no_directory_is_refused() {
    let site = Site::new();
    assert_eq!(Files::new(site.path("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
    assert_eq!(Files::new(site.path("hello.txt")).unwrap_err().kind(), io::ErrorKind::NotADirectory);
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
