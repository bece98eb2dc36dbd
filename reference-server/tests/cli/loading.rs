//! What cannot be listened on or loaded is said before anything is served.

use std::net::TcpListener;

use crate::support::{assert_fails, folder, gateway, write};

#[test]
fn an_address_in_use_is_found_before_anything_is_loaded() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut command = gateway(&["serve", "--bind", &address, "static:/no/such/folder"]);
    assert_fails(&mut command, 1, &[&address, "Address already in use", "--bind"]);
}

#[test]
fn every_target_that_cannot_be_loaded_is_reported() {
    let folder = folder();
    write(&folder, "plain.txt", "");
    let tried = folder.path().join("missing").display().to_string();
    let mut command =
        gateway(&["serve", "-b", "127.0.0.1:0", "/a=static:missing", "/b=static:plain.txt", "/c=app:hello"]);
    assert_fails(command.current_dir(folder.path()), 3, &["static:missing", &tried, "static:plain.txt"]);
}

#[test]
#[cfg(feature = "cgi")]
fn a_program_that_is_not_there_is_reported_with_its_path() {
    let mut command = gateway(&["serve", "-b", "127.0.0.1:0", "cgi:/no/such/program"]);
    assert_fails(&mut command, 3, &["cgi:/no/such/program", "No such file"]);
}

#[test]
#[cfg(not(feature = "cgi"))]
fn a_build_without_cgi_says_so() {
    assert_fails(&mut gateway(&["serve", "-b", "127.0.0.1:0", "cgi:/bin"]), 3, &["without the feature \"cgi\""]);
}

#[test]
#[cfg(not(feature = "python"))]
fn a_build_without_python_says_so() {
    assert_fails(&mut gateway(&["serve", "-b", "127.0.0.1:0", "a:b"]), 3, &["without the feature \"python\""]);
}

#[test]
#[cfg(feature = "python")]
fn a_python_module_that_fails_is_reported_with_its_traceback() {
    let folder = folder();
    write(&folder, "broken.py", "import no_such_module_at_all\n");
    let mut command = gateway(&["serve", "-b", "127.0.0.1:0", "/a=broken:app", "/b=wsgi:missing.py:app"]);
    let hints = ["wsgi:broken:app", "Traceback", "broken.py", "No module named 'no_such_module_at_all'", "missing.py"];
    assert_fails(command.current_dir(folder.path()), 3, &hints);
}
