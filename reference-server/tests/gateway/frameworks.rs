//! Flask, Bottle, Django, Pyramid and CherryPy, asked by curl for what people use them for.

use std::{fs, process::Command};

use crate::support::{
    BothWays, Gateway, Server,
    curl::{curl, curl_bytes},
    files::{Signals, pattern},
    installed, run,
};

static SERVERS: BothWays = BothWays::new(|| start("4"), || start("1"));

const PREFIXES: [&str; 5] = ["/flask", "/bottle", "/django", "/pyramid", "/cherrypy"];

fn start(threads: &str) -> Server {
    let gateway = Gateway::new([
        "/flask=wsgi:flask_app:app",
        "/bottle=wsgi:bottle_app:app",
        "/django=wsgi:django_app:application",
        "/pyramid=wsgi:pyramid_app:app",
        "/cherrypy=wsgi:cherrypy_app:tree",
    ]);
    gateway.with_packages().option("--threads", threads).start()
}

#[test]
fn a_page_is_served() {
    if !installed(&["curl"]) {
        return;
    }
    SERVERS.each(|server| {
        for (prefix, name) in PREFIXES.iter().zip(["Flask", "Bottle", "Django", "Pyramid", "CherryPy"]) {
            assert_eq!(curl(&server, &format!("{prefix}/"), &[]), format!("<h1>Grüße from {name}</h1>"));
            let head = curl(&server, &format!("{prefix}/"), &["--head"]);
            assert!(
                head.starts_with("HTTP/1.1 200 OK\r\n") && head.to_lowercase().contains("content-type: text/html"),
                "{head}"
            );
            assert_eq!(
                curl(&server, &format!("{prefix}/link?a=b%20c"), &[]),
                server.url(&format!("{prefix}/link?a=b%20c"))
            );
        }
    });
}

#[test]
fn a_form_is_posted() {
    if !installed(&["curl"]) {
        return;
    }
    SERVERS.each(|server| {
        for prefix in PREFIXES {
            let fields = ["--data-urlencode", "name=Jürgen & Co", "--data", "likes=tea&likes=cake"];
            assert_eq!(curl(&server, &format!("{prefix}/form"), &fields), "Jürgen & Co likes tea, cake", "{prefix}");
        }
    });
}

#[test]
fn a_file_is_uploaded() {
    if !installed(&["curl", "sha256sum"]) {
        return;
    }
    SERVERS.each(|server| {
        let signals = Signals::new();
        let file = signals.file("upload.bin");
        fs::write(&file, pattern(3_000_000)).unwrap();
        let digest = String::from_utf8(run(Command::new("sha256sum").arg(&file))).unwrap();
        let expected = format!("upload.bin {}", digest.split(' ').next().unwrap());
        let field = format!("file=@{}", file.display());
        for prefix in PREFIXES {
            for coding in [&[][..], &["--header", "Transfer-Encoding: chunked"]] {
                let arguments = [&["--form", &field], coding].concat();
                assert_eq!(curl(&server, &format!("{prefix}/upload"), &arguments), expected, "{prefix} {coding:?}");
            }
        }
    });
}

#[test]
fn a_chunked_body_is_seen_whole() {
    if !installed(&["curl"]) {
        return;
    }
    SERVERS.each(|server| {
        let signals = Signals::new();
        fs::write(signals.file("body"), pattern(200_000)).unwrap();
        let data = format!("@{}", signals.file("body").display());
        for prefix in PREFIXES {
            let headers =
                ["--header", "Transfer-Encoding: chunked", "--header", "Content-Type: application/octet-stream"];
            let arguments = [&headers[..], &["--data-binary", &data]].concat();
            assert_eq!(curl(&server, &format!("{prefix}/raw"), &arguments), "200000", "{prefix}");
        }
    });
}

#[test]
fn a_download_is_streamed() {
    if !installed(&["curl"]) {
        return;
    }
    SERVERS.each(|server| {
        let expected: Vec<u8> = (0..300_000).flat_map(|number| format!("{number:07}\n").into_bytes()).collect();
        for prefix in PREFIXES {
            assert!(curl_bytes(&server, &format!("{prefix}/download"), &[]) == expected, "{prefix}");
        }
    });
}

#[test]
fn a_session_is_kept_in_a_cookie() {
    if !installed(&["curl"]) {
        return;
    }
    SERVERS.each(|server| {
        for prefix in PREFIXES {
            let signals = Signals::new();
            let jar = signals.file("cookies");
            let jar = jar.to_str().unwrap();
            for visit in ["1", "2", "3"] {
                let count = curl(&server, &format!("{prefix}/count"), &["--cookie", jar, "--cookie-jar", jar]);
                assert_eq!(count, visit, "{prefix}");
            }
        }
    });
}
