//! WSGI: Content-Length, and an iterable that has more to do than to yield so many bytes.

use crate::support::{BothWays, Gateway, Server, files::Signals, wait_until};

static SERVERS: BothWays = BothWays::new(|| start("4"), || start("1"));

fn start(threads: &str) -> Server {
    Gateway::new(["wsgi:lengths:application"]).option("--threads", threads).start()
}

#[test]
fn blocks_behind_the_content_length_are_logged_and_not_sent() {
    SERVERS.each(|server| {
        for path in ["/list", "/generator", "/larger", "/endless", "/slow"] {
            let logged = server.log().len();
            let mut client = server.connect();
            client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
            assert_eq!(client.response().body.iter().filter(|&&byte| byte == b'x').count() % 100_000, 5, "{path}");
            server.wait_for_log_after(logged, "more than the Content-Length");
            client.send("GET /exact HTTP/1.1\r\nHost: a\r\n\r\n");
            client.response().expect(200, "xxxxx");
        }
    });
}

#[test]
fn an_iterable_goes_on_behind_its_last_block() {
    SERVERS.each(|server| {
        for path in ["/exact", "/exact-and-larger"] {
            let signals = Signals::new();
            server.get(&format!("{path}?{}", signals.path()));
            wait_until("the iterable to end", || signals.content("closed").is_some());
            assert_eq!(signals.content("ended").as_deref(), Some("ended"), "{path}");
            assert!(!server.log().contains(&format!("{path}?{}", signals.path())), "{path}");
        }
    });
}

#[test]
fn nothing_behind_the_content_length_is_waited_for() {
    SERVERS.each(|server| {
        let signals = Signals::new();
        server.get(&format!("/endless?{}", signals.path()));
        wait_until("the iterable to be closed", || signals.content("closed").is_some());
        assert_eq!(signals.content("ended"), None);
    });
}
