//! A real CGI program with a real client: `git http-backend` and `git`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::support::{
    Gateway,
    files::{Signals, pattern},
    installed, run, which,
};

fn git(folder: &Path) -> Command {
    let mut git = Command::new("git");
    git.arg("-C").arg(folder).args(["-c", "user.name=Test", "-c", "user.email=test@example.org"]);
    // Nothing that this machine's user has set may play a part.
    git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null").env("GIT_TERMINAL_PROMPT", "0");
    git
}

/// A program that runs `git http-backend` for the repositories in `root`.
fn backend(root: &Signals) -> PathBuf {
    let git = which("git").unwrap();
    let program = root.file("backend.sh");
    let text = format!(
        "#!/bin/sh\nexport GIT_PROJECT_ROOT='{}' GIT_HTTP_EXPORT_ALL=1 GIT_CONFIG_SYSTEM=/dev/null\n\
         [ \"$HTTP_CONTENT_ENCODING\" ] && echo \"a coded request of $CONTENT_LENGTH bytes\" >&2\n\
         [ \"$CONTENT_LENGTH\" ] && echo \"a request of $CONTENT_LENGTH bytes\" >&2\n\
         exec '{}' http-backend\n",
        root.path(),
        git.display()
    );
    // Another process writes and closes it: see `programs::folder`.
    run(Command::new("sh").args(["-c", "printf %s \"$1\" > \"$2\" && chmod 755 \"$2\"", "sh", &text]).arg(&program));
    program
}

#[test]
fn a_repository_is_cloned_and_pushed_to() {
    if !installed(&["git"]) || !has_backend() {
        return;
    }
    let root = Signals::new();
    run(git(Path::new(root.path())).args(["init", "--quiet", "--bare", "repository.git"]));
    run(git(&root.file("repository.git")).args(["config", "http.receivepack", "true"]));
    let server = Gateway::new([format!("/git=cgi:{}", backend(&root).display())]).start();
    let url = server.url("/git/repository.git");

    let clone = Signals::new();
    let work = clone.file("work");
    run(git(Path::new(clone.path())).args(["clone", "--quiet", &url]).arg(&work));
    // More than http.postBuffer, 1 MiB, and not compressible: it is sent in chunks.
    let big = pattern(3 << 20);
    fs::write(work.join("big"), &big).unwrap();
    fs::write(work.join("small"), "small\n").unwrap();
    run(git(&work).args(["add", "."]));
    run(git(&work).args(["commit", "--quiet", "--message", "Big and small"]));
    run(git(&work).args(["push", "--quiet", "origin", "HEAD"]));

    let again = clone.file("again");
    run(git(Path::new(clone.path())).args(["clone", "--quiet", &url]).arg(&again));
    assert!(fs::read(again.join("big")).unwrap() == big);
    assert_eq!(fs::read_to_string(again.join("small")).unwrap(), "small\n");
    run(git(&root.file("repository.git")).args(["fsck", "--strict"]));
    let largest = server.log().split("a request of ").filter_map(|text| text.split(' ').next()?.parse().ok()).max();
    assert!(largest > Some(1_u64 << 20), "nothing was chunked: {largest:?}\n{}", server.log());
}

fn has_backend() -> bool {
    let folder = String::from_utf8(run(Command::new("git").arg("--exec-path"))).unwrap();
    let there = Path::new(folder.trim()).join("git-http-backend").is_file();
    there || installed(&["git-http-backend"])
}
