//! curl: the client that everybody has.

use std::process::Command;

use super::{Server, run};

/// What curl gets; a status of 400 or more is a failure.
pub(crate) fn curl(server: &Server, path: &str, arguments: &[&str]) -> String {
    String::from_utf8(curl_bytes(server, path, arguments)).unwrap()
}

pub(crate) fn curl_bytes(server: &Server, path: &str, arguments: &[&str]) -> Vec<u8> {
    run(Command::new("curl")
        .args(["--silent", "--show-error", "--fail", "--max-time", "120"])
        .args(arguments)
        .arg(server.url(path)))
}
