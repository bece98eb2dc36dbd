//! hgweb with its real client: `hg`.

use std::{fs, path::Path, process::Command};

use crate::support::{
    Gateway,
    files::{Signals, pattern},
    python, run,
};

/// So many heads make `hg` send arguments that do not fit into one header, nor into ten.
const HEADS: usize = 300;

fn hg(folder: &Path) -> Command {
    let mut hg = Command::new(python::packages().join("bin/hg"));
    // Nothing that this machine's user has set may play a part.
    hg.current_dir(folder).args(["--config", "ui.username=Test"]).env("HGRCPATH", "/dev/null").env("HGPLAIN", "1");
    hg
}

fn tips(folder: &Path) -> Vec<u8> {
    run(hg(folder).args(["heads", "--template", "{node}\n"]))
}

fn a_repository_is_cloned_and_pushed_to(threads: &str) {
    let root = Signals::new();
    let (repository, work, again) = (root.file("repository"), root.file("work"), root.file("again"));
    run(hg(Path::new(root.path())).args(["init", "repository"]));
    fs::write(repository.join(".hg/hgrc"), "[web]\nallow-push = *\npush_ssl = false\n").unwrap();
    run(hg(&repository).args(["debugbuilddag", &format!("+2:base {}", "<base+1 ".repeat(HEADS))]));
    let gateway = Gateway::new(["/hg=wsgi:hgweb_app:application"]).with_packages().env("HG_REPOSITORY", &repository);
    let server = gateway.env("HGRCPATH", "/dev/null").option("--threads", threads).start();
    let url = server.url("/hg");

    run(hg(Path::new(root.path())).args(["clone", "--quiet", &url]).arg(&work));
    assert_eq!(tips(&work), tips(&repository));
    let big = pattern(3 << 20);
    fs::write(work.join("big"), &big).unwrap();
    run(hg(&work).args(["commit", "--quiet", "--addremove", "--message", "Big: Grüße"]));
    run(hg(&work).args(["push", "--quiet", "--force"]));
    assert_eq!(tips(&work), tips(&repository));

    run(hg(Path::new(root.path())).args(["clone", "--quiet", &url]).arg(&again));
    assert!(run(hg(&again).args(["cat", "--rev", "tip", "big"])) == big);
    run(hg(&repository).args(["verify", "--quiet"]));
    // Both have changes that the other has not: the client says which it knows.
    fs::write(again.join("small"), "small\n").unwrap();
    run(hg(&again).args(["commit", "--quiet", "--addremove", "--message", "Small"]));
    run(hg(&again).args(["push", "--quiet", "--force"]));
    run(hg(&work).args(["pull", "--quiet"]));
    assert_eq!(tips(&work), tips(&repository));

    let page = server.get("/hg/rev/tip");
    assert!(page.status == 200 && page.text().contains("Small"), "{}", page.text());
    server.get("/hg/raw-file/tip/small").expect(200, "small\n");
    assert!(!server.log().contains("Traceback"), "{}", server.log());
}

#[test]
fn a_repository_is_cloned_and_pushed_to_with_threads() {
    a_repository_is_cloned_and_pushed_to("4");
}

#[test]
fn a_repository_is_cloned_and_pushed_to_inline() {
    a_repository_is_cloned_and_pushed_to("1");
}
