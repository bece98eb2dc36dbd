//! Programs that were written for other servers.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::{path::Path, process::Command};

use cgi_adapter::Cgi;
use common::{Site, missing};
use http::Request;

#[tokio::test]
async fn git_http_backend_advertises_refs_and_refuses_in_its_own_words() {
    let exec_path = Command::new("git").arg("--exec-path").output().map(|output| output.stdout).unwrap_or_default();
    let backend = Path::new(String::from_utf8(exec_path).unwrap().trim()).join("git-http-backend");
    if !backend.exists() {
        missing("git-http-backend");
        return;
    }
    let mut site = Site::new();
    let init = Command::new("git").args(["init", "--quiet", "--bare"]).arg(site.path("repo.git")).status().unwrap();
    assert!(init.success());
    let cgi = Cgi::new(backend).unwrap().variable("GIT_PROJECT_ROOT", site.root()).unwrap();
    site.cgi = cgi.variable("GIT_HTTP_EXPORT_ALL", "1").unwrap();
    let answer = site.get("/cgi-bin/repo.git/info/refs?service=git-upload-pack").await;
    assert_eq!(answer.headers["content-type"], "application/x-git-upload-pack-advertisement");
    assert!(answer.text().starts_with("001e# service=git-upload-pack\n"));
    let push = Request::post("/cgi-bin/repo.git/git-upload-pack").header("content-type", "text/plain");
    assert_eq!(site.send_body(push, common::chunked(vec!["0000".into()])).await.status, 415);
    assert_eq!(site.get("/cgi-bin/none.git/HEAD").await.status, 404);
}

#[tokio::test]
async fn php_cgi_reads_a_form() {
    let Ok(which) = Command::new("sh").args(["-c", "command -v php-cgi"]).output() else { return };
    if !which.status.success() {
        missing("php-cgi");
        return;
    }
    let site = Site::new();
    let script = "<?php header('X-Status: yes'); echo $_POST['name'], ' ', $_SERVER['PATH_INFO'] ?? '-';";
    site.add("form.php", &format!("#!{}\n{script}", String::from_utf8(which.stdout).unwrap().trim()), 0o755);
    let request = Request::post("/cgi-bin/form.php/more").header("content-type", "application/x-www-form-urlencoded");
    let answer = site.send_body(request, common::chunked(vec!["name=J%C3".into(), "%BCrgen".into()])).await;
    assert_eq!((answer.text(), &answer.headers["x-status"]), ("Jürgen /more", &"yes".parse().unwrap()));
}

#[tokio::test]
async fn perl_answers() {
    if !Path::new("/usr/bin/perl").exists() {
        missing("perl");
        return;
    }
    let site = Site::new();
    let script =
        r#"print "Content-Type: text/plain\r\n\r\n"; read(STDIN, my $body, $ENV{CONTENT_LENGTH}); print uc $body;"#;
    site.add("p", &format!("#!/usr/bin/perl -w\n{script}"), 0o755);
    let answer = site.send_body(Request::post("/cgi-bin/p"), common::chunked(vec!["abc".into()])).await;
    assert_eq!(answer.text(), "ABC");
}
