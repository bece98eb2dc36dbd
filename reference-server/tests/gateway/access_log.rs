//! The access log: its formats, and what it knows of each request.

use std::{fs, path::PathBuf, time::Duration};

use serde_json::Value;

use crate::support::{Gateway, Server, files::Signals, wait_until};

/// A server with a log of this format.
struct Logged {
    server: Server,
    folder: Signals,
}

impl Logged {
    fn new(format: &str, targets: &[&str], options: &[&str]) -> Self {
        let folder = Signals::new();
        let mut gateway = Gateway::new(targets).option("--access-log", folder.file("access.log"));
        gateway = gateway.option("--access-log-format", format);
        for option in options.chunks(2) {
            gateway = gateway.option(option[0], option[1]);
        }
        Logged { server: gateway.start(), folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.file("access.log")
    }

    /// The lines, once there are so many.
    fn lines(&self, count: usize) -> Vec<String> {
        let text = || fs::read_to_string(self.path()).unwrap_or_default();
        wait_until("the lines of the log", || text().lines().count() >= count);
        text().lines().map(str::to_owned).collect()
    }
}

#[test]
fn the_combined_format_has_referer_and_user_agent() {
    let logged = Logged::new("combined", &["app:hello"], &[]);
    logged.server.request("GET", "/a?b", "Referer: http://x/\r\nUser-Agent: me \"too\"\u{e9}\r\n", b"");
    logged.server.request("GET", "/c", "Authorization: Basic YW5uYTpzZWNyZXQ=\r\n", b"");
    let lines = logged.lines(2);
    assert!(lines[0].ends_with(r#""GET /a?b HTTP/1.1" 200 12 "http://x/" "me \"too\"\xc3\xa9""#), "{}", lines[0]);
    assert!(lines[1].starts_with("127.0.0.1 - anna ["), "{}", lines[1]);
    assert!(lines[1].ends_with(r#""GET /c HTTP/1.1" 200 12 "-" "-""#), "{}", lines[1]);
}

#[test]
fn each_line_of_the_json_format_is_json() {
    let logged = Logged::new("json", &["/hello=app:hello"], &[]);
    logged.server.request("GET", "/hello/%22?q=\\u0022", "User-Agent: \"\\\t\u{e9}\r\n", b"");
    logged.server.get("/nowhere");
    let lines: Vec<Value> = logged.lines(2).iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["path"], "/hello/%22");
    assert_eq!(lines[0]["query"], "q=\\u0022");
    assert_eq!(lines[0]["status"], 200);
    assert_eq!(lines[0]["bytes"], 18);
    assert_eq!(lines[0]["aborted"], false);
    assert_eq!(lines[0]["referer"], Value::Null);
    assert_eq!(lines[0]["user_agent"], "\"\\\t\u{e9}");
    assert!(lines[0]["time"].as_str().unwrap().ends_with('Z'));
    assert_eq!((&lines[1]["status"], &lines[1]["query"]), (&Value::from(404), &Value::Null));
}

#[test]
fn atoms_are_gunicorns_and_some_more() {
    let format = "%(h)s|%(l)s|%(m)s|%(U)s|%(q)s|%(H)s|%(s)s|%(B)s|%(b)s|%({X-A}i)s|%({x-name}o)s|%({REQUEST_METHOD}e)s|\
                  %({x-none}i)s|%(T)s|%(M)s|%(D)s|%(L)s|%(p)s|%(pid)s|%(app)s|%(queue)s|%(aborted)s|100%%";
    let logged = Logged::new(format, &["wsgi:held:application"], &[]);
    logged.server.request("GET", "/x/name?a=b", "X-A: \tone\\\r\n", b"");
    logged.server.request("HEAD", "/head", "", b"");
    let lines = logged.lines(2);
    let fields: Vec<_> = lines[0].split('|').collect();
    let known = ["127.0.0.1", "-", "GET", "/x/name", "a=b", "HTTP/1.1", "200", "4", "4", r"one\\", "name", "GET", "-"];
    assert_eq!(&fields[..13], known);
    assert_eq!(fields[13], "0");
    assert!(fields[14].parse::<u64>().unwrap() * 1000 <= fields[15].parse::<u64>().unwrap(), "{}", lines[0]);
    assert!(fields[16].parse::<f64>().unwrap() > 0.0);
    assert_eq!(fields[17], format!("<{}>", fields[18]));
    assert!(fields[19].parse::<f64>().unwrap() <= fields[16].parse::<f64>().unwrap());
    assert_eq!(&fields[20..], ["0.000000", "false", "100%"]);
    assert!(lines[1].contains("|HEAD|/head|-|HTTP/1.1|200|0|-|"), "{}", lines[1]);
}

#[test]
fn requests_wait_in_order_of_arrival_and_the_log_says_how_long() {
    let options = ["--threads", "2", "--queue", "2"];
    let logged = Logged::new("%(U)s %(s)s %(queue)s %(app)s %(L)s", &["wsgi:held:application"], &options);
    let header = format!("X-Folder: {}\r\n", logged.folder.path());
    let request = |name: &str| {
        let mut client = logged.server.connect();
        client.send(format!("GET /{name} HTTP/1.1\r\nHost: a\r\n{header}\r\n"));
        client
    };
    let mut running = ["1", "2"].map(|name| {
        let client = request(name);
        wait_until("the call", || logged.folder.count(&format!("begun-{name}")) == 1);
        client
    });
    let queued = ["3", "4"].map(request);
    // Each of them counts when its connection was served; a further one is refused at once.
    wait_until("the queue is full", || {
        let response = request("late").response();
        (response.status == 503).then(|| assert_eq!(response.header("retry-after"), Some("1".to_owned()))).is_some()
    });
    // For the log to have something to tell.
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(logged.folder.count("begun-3") + logged.folder.count("begun-4"), 0);
    logged.folder.give("go");
    running.iter_mut().for_each(|client| assert_eq!(client.response().status, 200));
    for mut client in queued {
        assert_eq!(client.response().status, 200);
    }
    wait_until("all lines", || logged.lines(5).iter().filter(|line| line.contains(" 200 ")).count() >= 4);
    for line in logged.lines(5) {
        let fields: Vec<_> = line.split(' ').collect();
        let [queue, app, all] = [2, 3, 4].map(|index| fields[index].parse::<f64>().unwrap());
        match fields[0] {
            "/1" | "/2" => assert!(queue == 0.0 && app >= 0.05, "{line}"),
            // The clock of the queue is right to within some milliseconds.
            "/3" | "/4" => assert!(queue >= 0.04 && app < all - 0.03, "{line}"),
            _ => assert!(fields[1] == "503" && queue == 0.0, "{line}"),
        }
    }
}

#[test]
fn a_response_that_its_client_does_not_take_is_aborted() {
    let format = "%(U)s %(s)s %(aborted)s";
    let logged = Logged::new(format, &["/=wsgi:held:application", "/echo=app:echo"], &[]);
    // More than sockets hold: what is left of it waits for the client.
    let body = vec![b'x'; 32 << 20];
    let mut client = logged.server.connect();
    client.send(format!("POST /echo/big HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body.len())).send(&body);
    assert_eq!(client.head().status, 200);
    drop(client);
    assert_eq!(logged.lines(1), ["/echo/big 200 true"]);
    // A client that leaves before there is an answer: a half-close, and nobody who takes the rest.
    let mut client = logged.server.connect();
    let header = format!("X-Folder: {}\r\n", logged.folder.path());
    client.send(format!("GET /left HTTP/1.1\r\nHost: a\r\n{header}\r\n"));
    wait_until("the call", || logged.folder.count("begun-left") == 1);
    drop(client);
    assert_eq!(logged.lines(2)[1], "/left 499 true");
    logged.folder.give("go");
}

#[test]
fn what_is_no_format_is_a_mistake_that_names_the_right_one() {
    for (format, hint) in [
        ("comon", "did you mean \"common\"?"),
        ("%(h)s %(quue)s", "did you mean \"queue\"?"),
        ("%(h)s %h", "\"%h\" is no atom"),
        ("%({a b}i)s", "\"a b\" is not the name of a header"),
    ] {
        let (code, output) = Gateway::new(["app:hello"]).option("--access-log-format", format).fail();
        assert_eq!(code, Some(2), "{output}");
        assert!(output.contains(hint), "{format}: {output}");
    }
}
