//! What was typed wrongly, and what help there is.

use crate::support::{assert_fails, gateway, output};

#[test]
fn usage_errors_exit_with_2_and_say_what_could_be_meant() {
    let cases: [(&[&str], &str); 13] = [
        (&["serve"], "gateway serve app:hello"),
        (&["serv", "app:hello"], "'serve'"),
        (&["serve", "--thread", "2", "app:hello"], "'--threads'"),
        (&["serve", "--threads", "0", "app:hello"], "1..=1024"),
        (&["serve", "--workers", "0", "app:hello"], "1..=1024"),
        (&["serve", "--bind", "8000", "app:hello"], "HOST:PORT"),
        (&["serve", "--max-body", "1T", "app:hello"], "K, M and G"),
        (&["serve", "stattic:files"], "did you mean \"static\"?"),
        (&["serve", "app:helo"], "did you mean \"hello\"?"),
        (&["serve", "app:app"], "wsgi:app:app"),
        (&["serve", "hello=app:hello"], "must begin with \"/\""),
        (&["serve", "/a=app:hello", "/a/=app:echo"], "two targets are at /a: app:hello and app:echo"),
        (&["serve", "--chdir", "/no/such/folder", "app:hello"], "cannot change to the folder /no/such/folder"),
    ];
    for (args, hint) in cases {
        assert_fails(&mut gateway(args), 2, &["error: ", hint]);
    }
}

#[test]
fn a_worker_is_not_started_by_hand() {
    assert_fails(&mut gateway(&["worker", "serve", "app:hello"]), 2, &["a worker is started by `gateway serve`"]);
}

#[test]
fn help_and_version_are_no_failures() {
    for (args, hint) in [
        (["serve", "--help"].as_slice(), "GATEWAY_ACCESS_LOG"),
        (&["--help"], "serve"),
        (&["--version"], env!("CARGO_PKG_VERSION")),
    ] {
        let output = output(&mut gateway(args));
        assert!(output.status.success());
        assert!(String::from_utf8_lossy(&output.stdout).contains(hint));
    }
}
