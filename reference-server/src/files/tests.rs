//! The rules of [`Files`], by calling it as a server does.

mod access;
mod directory;
mod file;

use std::{fs, time::Duration};

use gateway_spec::{Connection, Host, Input, Scheme};
use http_body_util::BodyExt;
use tempfile::TempDir;

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
