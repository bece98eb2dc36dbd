//! Different kinds of Apps behind one port, and what the command says about them.

use std::{fs, thread};

use crate::support::{Gateway, Server, files::Signals, programs, wait_until};

const SLEEPERS: usize = 16;

#[test]
fn sleeping_wsgi_applications_hold_up_nobody_else() {
    let cgi = format!("/cgi=cgi:{}", programs::folder().display());
    let targets = ["/hello=app:hello", "/py=wsgi:cases:application", "/static=static:static", &cgi];
    let server = Gateway::new(targets).start();
    let signals = Signals::new();
    let sleep = format!("/py/sleeps?{}", signals.path());
    thread::scope(|scope| {
        let server: &Server = &server;
        let sleep: &str = &sleep;
        let sleepers: Vec<_> = (0..SLEEPERS).map(|_| scope.spawn(move || server.get(sleep))).collect();
        wait_until("all to sleep", || signals.count("asleep-") == SLEEPERS);
        // None of them wakes before these are answered.
        server.get("/static/hello.txt").expect(200, "Hello, file!\n");
        assert_eq!(server.get("/hello").status, 200);
        assert_eq!(server.get("/cgi/dump.sh").status, 200);
        assert_eq!(server.get("/nowhere").status, 404);
        signals.give("wake");
        sleepers.into_iter().for_each(|sleeper| sleeper.join().unwrap().expect(200, "awake"));
    });
}

#[test]
fn the_longest_prefix_wins() {
    let server = Gateway::new(["/=app:hello", "/a=wsgi:cases:application", "/a/b=static:static"]).start();
    assert!(server.get("/x").text().contains("ello"));
    assert!(server.get("/a/bc").text().contains("PATH_INFO='/bc'"));
    server.get("/a/b/hello.txt").expect(200, "Hello, file!\n");
}

#[test]
fn the_start_tells_what_is_served_where() {
    let server = Gateway::new(["/py=wsgi:cases:application", "/hello=app:hello", "/static=static:static"]).start();
    for (prefix, path, kind, what) in [
        ("/py", "/py", "wsgi", "cases:application"),
        ("/hello", "/hello", "app", "hello"),
        ("/static", "/static/", "static", "static"),
    ] {
        let line = server.next_line();
        let words: Vec<_> = line.split_whitespace().collect();
        assert_eq!(words[..4], [prefix, &server.url(path), kind, what], "{line}");
    }
}

#[test]
fn a_configuration_file_has_the_same_keys() {
    let folder = Signals::new();
    fs::write(folder.file("page.txt"), "a page").unwrap();
    let text = "bind = \"127.0.0.1:1\"\n[mount]\n\"/hello\" = \"app:hello\"\n\"/files\" = { target = \"static:.\", listing = true }\n";
    fs::write(folder.file("gateway.toml"), text).unwrap();
    // The command line wins over the file, or this would not start.
    let server = Gateway::bare().option("--config", folder.file("gateway.toml")).start();
    assert_eq!(server.get("/hello").status, 200);
    server.get("/files/page.txt").expect(200, "a page");
    assert!(server.get("/files/").text().contains("page.txt"));
}

#[test]
fn a_misspelt_key_is_an_error_that_names_the_right_one() {
    let folder = Signals::new();
    for (text, nearest) in [
        ("bnid = \"127.0.0.1:0\"\n[mount]\n\"/\" = \"app:hello\"\n", "bind"),
        ("[mount]\n\"/\" = { target = \"static:.\", listign = true }\n", "listing"),
        ("[mount]\n\"/\" = \"sattic:.\"\n", "static"),
        ("[mount]\n\"/\" = \"app:helo\"\n", "hello"),
    ] {
        fs::write(folder.file("gateway.toml"), text).unwrap();
        let (code, output) = Gateway::bare().option("--config", folder.file("gateway.toml")).fail();
        assert_eq!(code, Some(2), "{text}: {output}");
        assert!(output.contains(nearest), "{text}: {output}");
    }
}

#[test]
fn the_access_log_is_in_the_common_format() {
    let folder = Signals::new();
    let log = folder.file("access.log");
    let server = Gateway::new(["/hello=app:hello", "/py=wsgi:cases:application"]).option("--access-log", &log).start();
    server.get("/py/one-block?a=b");
    server.get("/nowhere");
    server.request("HEAD", "/py/one-block", "", b"");
    server.connect().send("GET /a\"b HTTP/1.1\r\nHost: a\r\n\r\n").response();
    wait_until("four lines", || fs::read_to_string(&log).is_ok_and(|text| text.lines().count() == 4));
    let text = fs::read_to_string(&log).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert!(lines.iter().all(|line| line.starts_with("127.0.0.1 - - [")), "{text}");
    assert!(lines[0].ends_with("] \"GET /py/one-block?a=b HTTP/1.1\" 200 1000"), "{text}");
    assert!(lines[1].contains("\"GET /nowhere HTTP/1.1\" 404 "), "{text}");
    assert!(lines[2].contains("\"HEAD /py/one-block HTTP/1.1\" 200 "), "{text}");
    assert!(!lines[3].contains("/a\"b"), "{text}");
}
