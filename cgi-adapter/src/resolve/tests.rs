//! Tests of how a path leads to a program.

use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

/// A folder with programs (which are never run here), and what must not be found.
fn site() -> (tempfile::TempDir, Programs) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("cgi-bin");
    fs::create_dir_all(root.join("sub/.hidden")).unwrap();
    for (name, mode) in [
        ("env.sh", 0o755),
        ("sub/deep.sh", 0o755),
        ("source.txt", 0o644),
        (".secret", 0o755),
        ("sub/.hidden/x", 0o755),
        ("env.sh~", 0o755),
        ("a b;c", 0o755),
        ("../outside", 0o755),
    ] {
        fs::write(root.join(name), "#!/bin/sh\n").unwrap();
        fs::set_permissions(root.join(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    fs::write(root.join(OsStr::from_bytes(b"\xff.sh")), "").unwrap();
    fs::set_permissions(root.join(OsStr::from_bytes(b"\xff.sh")), fs::Permissions::from_mode(0o755)).unwrap();
    symlink("../outside", root.join("out")).unwrap();
    symlink("..", root.join("up")).unwrap();
    symlink("env.sh", root.join("link")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, root.join("fifo"), rustix::fs::Mode::RWXU).unwrap();
    let programs = Programs::at(&root).unwrap();
    (folder, programs)
}

#[test]
fn the_first_file_on_the_way_is_the_program() {
    let (_folder, programs) = site();
    for (path, name, info) in [
        ("/env.sh", "/m/env.sh", ""),
        ("/env.sh/", "/m/env.sh", "/"),
        ("/env.sh/a/b", "/m/env.sh", "/a/b"),
        ("/env.sh//a//", "/m/env.sh", "//a//"),
        ("/%65nv.sh/this%2eis%2epath%3binfo", "/m/env.sh", "/this.is.path;info"),
        ("/env.sh/%252e%252e", "/m/env.sh", "/%2e%2e"),
        ("/env.sh/.git/x~", "/m/env.sh", "/.git/x~"),
        ("/sub/deep.sh/sub", "/m/sub/deep.sh", "/sub"),
        ("/a%20b%3Bc", "/m/a b;c", ""),
        ("/link/x", "/m/link", "/x"),
    ] {
        let target = programs.resolve("/m", path).unwrap_or_else(|_| panic!("{path} was refused"));
        assert_eq!((target.script_name.as_slice(), target.path_info.as_slice()), (name.as_bytes(), info.as_bytes()));
    }
    assert_eq!(programs.resolve("", "/%ff.sh/%fe").unwrap().path_info, b"/\xfe");
}

#[test]
fn no_spelling_leads_out_of_the_folder_or_to_what_is_hidden() {
    let (_folder, programs) = site();
    for path in [
        "",
        "*",
        "/",
        "//",
        "/sub",
        "/sub/",
        "/missing",
        "/env.sh%20",
        "/env.sh.",
        "/ENV.SH",
        "/env.sh~",
        "/.secret",
        "/%2esecret",
        "/sub/.hidden/x",
        "/../outside",
        "/..%2foutside",
        "/%2e%2e/outside",
        "/.%2e/outside",
        "/%2E%2E%2Foutside",
        "/%%32%65%%32%65/outside",
        "/%252e%252e/outside",
        "/sub/../env.sh",
        "/./env.sh",
        "/sub/%2e/deep.sh",
        "//env.sh",
        "/sub//deep.sh",
        "/sub%2fdeep.sh",
        "/env.sh%00",
        "/env.sh%00/x",
        "/env.sh/../x",
        "/env.sh/a%2Fb",
        "/env.sh/%zz",
        "/env.sh/%4",
        "/out",
        "/up/outside",
        "/up/cgi-bin/../outside",
        "/fifo",
        "/fifo/x",
        "/source.txt\\",
        "/..\\outside",
    ] {
        assert_eq!(programs.resolve("/m", path), Err(Refusal::NotFound), "{path}");
    }
    let long = format!("/{}", "x".repeat(5000));
    assert_eq!(programs.resolve("", &long), Err(Refusal::NotFound));
}

#[test]
fn a_file_that_is_not_executable_is_forbidden_in_every_spelling() {
    let (_folder, programs) = site();
    for path in ["/source.txt", "/source.txt/", "/source.txt/x", "/%73ource.txt"] {
        assert_eq!(programs.resolve("", path), Err(Refusal::NotExecutable), "{path}");
    }
}

#[test]
fn one_program_has_the_whole_path() {
    let (folder, _) = site();
    let programs = Programs::at(&folder.path().join("cgi-bin/env.sh")).unwrap();
    let target = programs.resolve("/git", "/repo.git/info/refs").unwrap();
    assert_eq!((&target.script_name[..], &target.path_info[..]), (&b"/git"[..], &b"/repo.git/info/refs"[..]));
    let target = programs.resolve("", "*").unwrap();
    assert_eq!((&target.script_name[..], &target.path_info[..]), (&b""[..], &b""[..]));
    assert_eq!(programs.resolve("", "/../x"), Err(Refusal::NotFound));
    assert_eq!(programs.resolve("", "%2Fx"), Err(Refusal::NotFound));
}

#[test]
fn what_is_no_program_cannot_be_loaded() {
    let (folder, _) = site();
    for name in ["missing", "cgi-bin/source.txt", "cgi-bin/fifo"] {
        let error = Programs::at(&folder.path().join(name)).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn with_interpreters_other_files_are_no_programs() {
    let (folder, mut programs) = site();
    let root = folder.path().join("cgi-bin");
    for name in ["page.php", "page.php.bak"] {
        fs::write(root.join(name), "<?php").unwrap();
        fs::set_permissions(root.join(name), fs::Permissions::from_mode(0o644)).unwrap();
    }
    assert!(programs.add_interpreter(".x", Some(&folder.path().join("missing"))).is_err());
    assert!(programs.add_interpreter(".x", Some(folder.path())).is_err());
    programs.add_interpreter(".php", Some(Path::new("/bin/sh"))).unwrap();
    programs.add_interpreter("nv.sh", None).unwrap();
    let target = programs.resolve("/m", "/page.php/a").unwrap();
    assert_eq!((target.interpreter.unwrap(), &target.path_info[..]), ("/bin/sh".into(), &b"/a"[..]));
    assert_eq!(programs.resolve("/m", "/env.sh").unwrap().interpreter, None);
    for path in ["/source.txt", "/sub/deep.sh", "/page.php.bak", "/page.PHP", "/page.php%20", "/page.php."] {
        assert_eq!(programs.resolve("", path), Err(Refusal::NotFound), "{path}");
    }
}

#[test]
fn a_program_that_others_can_write_to_is_refused_unless_that_is_allowed() {
    let (folder, mut programs) = site();
    for mode in [0o775, 0o757, 0o777] {
        fs::set_permissions(folder.path().join("cgi-bin/env.sh"), fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(programs.resolve("", "/env.sh"), Err(Refusal::Writable));
    }
    programs.allow_writable = true;
    assert!(programs.resolve("", "/env.sh").is_ok());
}
