//! `--reload`: whoever saves a file sees what it does.

use std::{fs, path::Path, time::Instant};

use tempfile::TempDir;

use crate::support::{
    Gateway, Load, Server,
    load::Connections::{Kept, New},
    wait_until,
};

const APP: &str = "
import part
def application(environ, start_response):
    body = part.TEXT.encode()
    start_response('200 OK', [('Content-Length', str(len(body)))])
    return [body]
";

struct Site(TempDir);

impl Site {
    fn new(part: &str) -> Self {
        let site = Site(tempfile::tempdir().unwrap());
        site.write("application.py", APP);
        site.write("part.py", part);
        site
    }

    /// At once: half a file would be served, too.
    fn write(&self, name: &str, text: &str) {
        let (path, new) = (self.0.path().join(name), self.0.path().join("new"));
        fs::write(&new, text).unwrap();
        fs::rename(new, path).unwrap();
    }

    fn start(&self) -> Server {
        self.gateway("").start()
    }

    fn gateway(&self, more: &str) -> Gateway {
        let text = "chdir = '.'\nbind = '127.0.0.1:0'\nreload = true\n[mount]\n'/' = 'application:application'\n";
        self.write("gateway.toml", &format!("{text}{more}"));
        Gateway::configured(&self.path().join("gateway.toml"))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

#[test]
fn what_is_saved_is_served() {
    let site = Site::new("TEXT = 'one'");
    let server = site.start();
    server.get("/").expect(200, "one");
    for text in ["two", "six", "ten"] {
        site.write("part.py", &format!("TEXT = '{text}'"));
        let begin = Instant::now();
        wait_until(text, || server.get("/").text() == text);
        eprintln!("served after {:?}", begin.elapsed());
    }
}

#[test]
fn what_is_broken_is_shown_until_it_is_mended() {
    let site = Site::new("TEXT = 'one'");
    let server = site.start();
    site.write("part.py", "TEXT = <one>");
    // The one that serves the old code may take another request before it is told to go.
    let mut response = server.get("/");
    wait_until("the traceback in the browser", || {
        response = server.get("/");
        response.status == 500
    });
    let page = response.text();
    assert!(
        page.contains("Traceback") && page.contains("SyntaxError") && page.contains("TEXT = &lt;one&gt;"),
        "{page}"
    );
    assert!(response.header("content-type").unwrap().starts_with("text/html"));
    server.wait_for_log("SyntaxError");
    site.write("part.py", "import not_there_yet as TEXT");
    wait_until("another traceback", || server.get("/").text().contains("No module named"));
    site.write("not_there_yet.py", "");
    site.write("part.py", "TEXT = 'two'");
    wait_until("the mended file", || server.get("/").text() == "two");
}

#[test]
fn it_starts_with_what_is_broken_too() {
    let site = Site::new("TEXT = ");
    let server = site.start();
    assert_eq!(server.get("/").status, 500);
    site.write("part.py", "TEXT = 'one'");
    wait_until("the mended file", || server.get("/").text() == "one");
}

#[test]
fn the_configuration_counts_and_a_mistake_in_it_changes_nothing() {
    let site = Site::new("TEXT = 'one'");
    let server = site.start();
    drop(site.gateway("'/hello' = 'app:helo'"));
    server.wait_for_log("did you mean \"hello\"?");
    server.get("/hello").expect(200, "one");
    drop(site.gateway("'/hello' = 'app:hello'"));
    wait_until("the new mount", || server.get("/hello").text() == "Hello from /hello\n");
}

#[test]
fn no_request_is_lost_meanwhile() {
    let site = Site::new("TEXT = '0'");
    let server = site.start();
    let load = Load::start(server.address(), &[("/", Kept, 2), ("/", New, 2)]);
    for version in 1..=3 {
        site.write("part.py", &format!("TEXT = '{version}'"));
        wait_until("the new version", || server.get("/").text() == version.to_string());
    }
    load.stop_after(100).assert_none_failed();
}
