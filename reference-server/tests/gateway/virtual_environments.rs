//! Which Python, and which packages, an application sees.

use std::{fs, process::Command};

use crate::support::{Gateway, files::Signals, python, run};

const MODULE: &str = "
def application(environ, start_response):
    start_response('200 OK', [])
    return [b'found']
";

#[test]
fn a_virtual_environment_is_what_is_imported_from() {
    let folder = Signals::new();
    let venv = folder.file("venv");
    run(Command::new(python::executable()).args(["-m", "venv", "--without-pip"]).arg(&venv));
    let packages = venv.join(format!("lib/python{}/site-packages", python::version()));
    fs::write(packages.join("only_there.py"), MODULE).unwrap();

    let target = ["wsgi:only_there:application"];
    let (code, text) = Gateway::new(target).fail();
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("No module named 'only_there'"), "{text}");
    for gateway in [
        Gateway::new(target).option("--venv", &venv),
        Gateway::new(target).env("VIRTUAL_ENV", &venv),
        Gateway::new(target).option("--venv", &venv).env("VIRTUAL_ENV", "/nowhere"),
    ] {
        gateway.start().get("/").expect(200, "found");
    }
}

#[test]
fn another_python_version_is_refused_with_both_versions_named() {
    let folder = Signals::new();
    fs::create_dir(folder.file("bin")).unwrap();
    fs::write(folder.file("pyvenv.cfg"), "home = /usr/bin\nversion = 3.1.4\n").unwrap();
    let (code, text) = Gateway::new(["wsgi:cases:application"]).option("--venv", folder.path()).fail();
    let linked = python::version();
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("3.1") && text.contains(&linked), "{linked} and 3.1.4 are not both in: {text}");
}

#[test]
fn a_folder_that_is_no_virtual_environment_is_refused() {
    let folder = Signals::new();
    let (code, text) = Gateway::new(["wsgi:cases:application"]).option("--venv", folder.path()).fail();
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains(folder.path()), "{text}");
}
