//! Tests of how targets are written.

use super::*;

fn parsed(text: &str) -> (String, String) {
    let mount: Mount = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
    (mount.prefix, mount.target.to_string())
}

fn refused(text: &str) -> String {
    text.parse::<Mount>().expect_err(text)
}

fn from_toml(value: &str) -> Result<Mount, String> {
    let table: toml::Table = format!("it = {value}").parse().unwrap();
    Mount::from_toml("/m", &table["it"])
}

#[test]
fn targets_are_mounted_at_their_prefix_or_at_the_root() {
    for (text, prefix, target) in [
        ("app:hello", "/", "app:hello"),
        ("/=app:hello", "/", "app:hello"),
        ("/hello=app:hello", "/hello", "app:hello"),
        ("/hello/=app:hello", "/hello", "app:hello"),
        ("/a:b=static:files", "/a:b", "static:files"),
        ("static:a=b", "/", "static:a=b"),
        ("/x=static:a=b", "/x", "static:a=b"),
        ("/cgi-bin=cgi:/usr/lib/cgi-bin", "/cgi-bin", "cgi:/usr/lib/cgi-bin"),
    ] {
        assert_eq!(parsed(text), (prefix.into(), target.into()), "{text}");
    }
}

#[test]
fn python_callables_need_no_kind() {
    for (text, target) in [
        ("site:app", "wsgi:site:app"),
        ("shop.wsgi:application", "wsgi:shop.wsgi:application"),
        ("shop:create_app()", "wsgi:shop:create_app()"),
        ("web/shop.py:app", "wsgi:web/shop.py:app"),
        ("wsgi:shop:app", "wsgi:shop:app"),
        ("wsgi:wsgi:app", "wsgi:wsgi:app"),
        ("wsgi:app:app", "wsgi:app:app"),
    ] {
        assert_eq!(parsed(text).1, target, "{text}");
    }
}

#[test]
fn what_cannot_be_meant_is_refused_with_what_could_be() {
    for (text, hint) in [
        ("stattic:files", "did you mean \"static\"?"),
        ("Static:files", "did you mean \"static\"?"),
        ("apps:app", "for a Python module write wsgi:apps:app"),
        ("app:app", "for a Python module write wsgi:app:app"),
        ("app:helo", "did you mean \"hello\"?"),
        ("app:x/y", "there are hello, echo, environ"),
        ("wsgi:application", "wsgi:wsgi:application"),
        ("bogus:some/folder", "there are wsgi, cgi, static, app"),
        ("hello=app:hello", "must begin with \"/\""),
        ("=app:hello", "must begin with \"/\""),
        ("/srv/files", "as in /files=static:FOLDER"),
        ("files", "is not KIND:WHAT"),
        ("static:", "there is nothing"),
        ("/a\nb=app:hello", "control character"),
    ] {
        assert!(refused(text).contains(hint), "{text}: {}", refused(text));
    }
}

#[test]
fn tables_have_options_of_their_kind() {
    let listed = from_toml("{ target = 'static:files', listing = true }").unwrap();
    assert_eq!(listed.target, Target::Static { folder: "files".into(), listing: Some(true) });
    let streamed = from_toml("{ target = 'shop:app', stream = true }").unwrap();
    assert_eq!(streamed.target, Target::Wsgi { callable: "shop:app".into(), stream: true });
    assert_eq!(streamed.to_toml().get("stream"), Some(&toml::Value::Boolean(true)));
    let Target::Cgi { path, options } = from_toml("{ target = 'cgi:bin', timeout = 5, nph = true }").unwrap().target
    else {
        panic!("it is no cgi target");
    };
    assert_eq!((path, options.number("timeout"), options.boolean("nph")), ("bin".into(), Some(5), true));
    for (value, hint) in [
        ("{ target = 'static:files', Listings = true }", "did you mean \"listing\"?"),
        ("{ target = 'static:files', timeout = 5 }", "static targets have no option \"timeout\""),
        ("{ target = 'static:files', listing = 'yes' }", "must be true or false"),
        ("{ target = 'cgi:bin', timeout = 0 }", "whole number of seconds"),
        ("{ target = 'cgi:bin', time-out = 5 }", "did you mean \"timeout\"?"),
        ("{ target = 'cgi:bin', stream = 1 }", "true or false"),
        ("{ target = 'wsgi:shop:app', stream = 'yes' }", "true or false"),
        ("{ target = 'wsgi:shop:app', steam = true }", "did you mean \"stream\"?"),
        ("{ target = 'cgi:bin', concurrency = 0 }", "a whole number from 1"),
        ("{ target = 'cgi:bin', queue = -1 }", "a whole number from 0"),
        ("{ target = 'cgi:bin', environ = { A = 1 } }", "a table of names and strings"),
        ("{ target = 'cgi:bin', pass-environ = 'TZ' }", "a list of strings"),
        ("{ target = 'cgi:bin', sendfile = [1] }", "a list of strings"),
        ("{ target = 'cgi:bin', interpreters = { '' = 'x' } }", "a table of suffixes and paths"),
        ("{ target = 'cgi:bin', limits = { memroy = 1 } }", "did you mean \"memory\"?"),
        ("{ target = 'cgi:bin', limits = { memory = '1X' } }", "nor one like \"512M\""),
        ("{ target = 'app:hello', listing = true }", "app targets have no option"),
        ("{ target = 'app:hello', lint = 1 }", "\"lint\" must be true or false"),
        ("{ target = 'app:hello', lin = true }", "did you mean \"lint\"?"),
        ("{ listing = true }", "lacks the key \"target\""),
        ("{ target = 1 }", "must be a string"),
        ("[]", "is of type array"),
    ] {
        let error = from_toml(value).expect_err(value);
        assert!(error.contains(hint), "{value}: {error}");
    }
}

/// A table with all options of CGI programs.
const ALL: &str = "{ target = 'cgi:bin', timeout = 5, head-timeout = 2, total-timeout = 60, stream = true, nph = true, \
    indexed = true, pass-authorization = true, allow-writable = true, interpreters = { '.php' = '/usr/bin/php-cgi', \
    '.cgi' = '' }, document-root = 'www', environ = { NAME = 'value' }, pass-environ = ['TZ'], concurrency = 8, \
    queue = 0, sendfile = ['files', '/srv'], limits = { cpu = 10, memory = '512M', processes = 32, file-size = 1 } }";

#[test]
fn cgi_programs_have_their_options_and_paths_begin_at_the_file() {
    let mut target = from_toml(ALL).unwrap().target;
    target.relative_to(Path::new("/base"));
    let Target::Cgi { options, .. } = &target else { panic!("it is no cgi target") };
    assert_eq!(CgiOptions::names().filter(|name| options.table().contains_key(*name)).count(), 16);
    assert_eq!(options.text("document-root"), Some("/base/www"));
    assert_eq!(options.texts("sendfile").collect::<Vec<_>>(), ["/base/files", "/srv"]);
    assert_eq!(options.pairs("interpreters").collect::<Vec<_>>(), [(".cgi", ""), (".php", "/usr/bin/php-cgi")]);
    assert_eq!((options.limit("memory"), options.limit("cpu")), (Some(512 << 20), Some(10)));
    assert_eq!((options.number("queue"), options.texts("pass-environ").collect()), (Some(0), vec!["TZ"]));
}

#[test]
fn toml_and_back_is_the_same() {
    for value in
        ["'app:echo'", "{ target = 'static:files', listing = false }", "{ target = 'app:echo', lint = true }", ALL]
    {
        let mount = from_toml(value).unwrap();
        assert_eq!(Mount::from_toml("/m", &mount.to_toml()), Ok(mount));
    }
}

#[test]
fn relative_paths_begin_at_a_base_and_modules_have_none() {
    for (text, moved) in [
        ("static:files", "static:/base/files"),
        ("static:/srv/files", "static:/srv/files"),
        ("cgi:bin/x", "cgi:/base/bin/x"),
        ("wsgi:web/shop.py:app", "wsgi:/base/web/shop.py:app"),
        ("wsgi:shop:app", "wsgi:shop:app"),
        ("app:echo", "app:echo"),
    ] {
        let mut target: Target = text.parse().unwrap();
        target.relative_to(Path::new("/base"));
        assert_eq!(target.to_string(), moved);
    }
}
