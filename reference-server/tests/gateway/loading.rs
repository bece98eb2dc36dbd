//! Targets: how they are named, and what becomes of those that cannot be served.

use crate::support::Gateway;

#[test]
fn applications_are_named_in_several_ways() {
    let file = "wsgi:cases.py:application";
    let targets = ["/a=wsgi:cases:application", "/b=wsgi:cases:factory()", "/c=wsgi:cases:Namespace.application"];
    let server = Gateway::new([&targets[..], &["/d=cases:application", &format!("/e={file}")]].concat()).start();
    for path in ["/a", "/b", "/c", "/d", "/e"] {
        server.get(&format!("{path}/writes")).expect(200, "ab");
    }
}

#[test]
fn a_target_that_cannot_be_loaded_stops_the_start() {
    for (target, expected) in [
        ("wsgi:broken:application", "this module is broken on purpose"),
        ("wsgi:broken_syntax:application", "SyntaxError"),
        ("wsgi:no_such_module:application", "no_such_module"),
        ("wsgi:cases:no_such_name", "no_such_name"),
        ("wsgi:cases:PLAIN", "PLAIN"),
        ("static:no-such-folder", "no-such-folder"),
        ("cgi:no-such-folder", "no-such-folder"),
        ("cgi:cgi-bin/not-executable.sh", "not-executable.sh"),
    ] {
        let (code, text) = Gateway::new([target]).fail();
        assert_eq!(code, Some(3), "{target}: {text}");
        assert!(text.contains(expected), "{target}: {text}");
    }
}

#[test]
fn bad_usage_is_exit_code_2() {
    for (targets, expected) in [
        (&["wsig:cases:application"][..], "wsgi"),
        (&["app:helo"], "hello"),
        (&[], ""),
        (&["app:hello", "--thraeds", "2"], "--threads"),
    ] {
        let (code, text) = Gateway::new(targets).fail();
        assert_eq!(code, Some(2), "{targets:?}: {text}");
        assert!(text.contains(expected), "{targets:?}: {text}");
    }
}
