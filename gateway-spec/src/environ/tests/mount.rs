//! How a path is parted into SCRIPT_NAME and PATH_INFO.

use super::*;

/// SCRIPT_NAME and PATH_INFO of `target` behind `prefixes`, or None if one of them does not match.
fn split(target: &str, prefixes: &[&str]) -> Option<(String, String)> {
    let mut environ = get(target);
    let whole = environ.raw_target().to_owned();
    let matched = prefixes.iter().all(|prefix| environ.mount(prefix));
    assert_eq!(environ.raw_target(), whole, "mounting changes no REQUEST_URI");
    matched.then(|| (text(&environ, "SCRIPT_NAME").unwrap(), text(&environ, "PATH_INFO").unwrap()))
}

fn pair(script_name: &str, path_info: &str) -> Option<(String, String)> {
    Some((script_name.into(), path_info.into()))
}

#[test]
fn takes_whole_segments_only() {
    assert_eq!(split("/app", &["/app"]), pair("/app", ""));
    assert_eq!(split("/app/", &["/app"]), pair("/app", "/"));
    assert_eq!(split("/app/x?q", &["/app"]), pair("/app", "/x"));
    assert_eq!(split("/app//x", &["/app"]), pair("/app", "//x"));
    for target in ["/appother", "/ap", "/", "/APP", "/x/app", "*"] {
        assert_eq!(split(target, &["/app"]), None, "{target}");
    }
}

#[test]
fn compares_what_the_path_means_and_not_how_it_is_spelt() {
    assert_eq!(split("/%61pp/x", &["/app"]), pair("/app", "/x"));
    assert_eq!(split("/%61%70%70", &["/app"]), pair("/app", ""));
    assert_eq!(split("/app%2Fx", &["/app"]), pair("/app", "/x"));
    assert_eq!(split("/caf%c3%A9/x", &["/café"]), pair("/café", "/x"));
    assert_eq!(split("/app%6fther", &["/app"]), None);
    assert_eq!(split("/%2561pp", &["/app"]), None, "decoded once only");
}

#[test]
fn nests() {
    assert_eq!(split("/a/b/c", &["/a", "/b"]), pair("/a/b", "/c"));
    assert_eq!(split("/%61/b", &["/a", "/b"]), pair("/a/b", ""));
    assert_eq!(split("/a/b", &["/a", "/a"]), None);
    assert_eq!(split("/a/b", &["/b"]), None);
}

#[test]
fn at_the_empty_prefix_matches_everything_and_moves_nothing() {
    for target in ["/", "/app", "//", "*"] {
        assert_eq!(split(target, &[""]), pair("", target), "{target}");
    }
    assert_eq!(split("/app", &["/app", ""]), pair("/app", ""));
}

#[test]
fn that_does_not_match_changes_nothing() {
    let mut environ = get("/app/x");
    assert!(!environ.mount("/apple"));
    assert_eq!((environ.script_name().as_ref(), environ.raw_path_info()), ("", "/app/x"));
    assert!(environ.mount("/app"));
    assert_eq!((environ.script_name().as_ref(), environ.raw_path_info()), ("/app", "/x"));
}
