//! Real CGI programs behind the real server: git http-backend, gitweb, php-cgi and CGI.pm.

#![cfg(feature = "cgi")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "cgi_programs/support.rs"]
mod support;

use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use support::{Site, add, folder, has, has_file, run};

fn git(folder: &Path) -> Command {
    let mut git = Command::new("git");
    git.arg("-C").arg(folder).args(["-c", "user.name=Test", "-c", "user.email=test@example.org"]);
    // Nothing that this machine's user has set may play a part.
    git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null").env("GIT_TERMINAL_PROMPT", "0");
    git
}

fn git_backend() -> Option<PathBuf> {
    let path = has("git", &["--exec-path"]).then(|| run(Command::new("git").arg("--exec-path")).stdout)?;
    let backend = Path::new(String::from_utf8(path).unwrap().trim()).join("git-http-backend");
    has_file(&backend).then_some(backend)
}

fn commit(work: &Path, name: &str, content: &[u8]) {
    fs::write(work.join(name), content).unwrap();
    run(git(work).args(["add", "."]));
    run(git(work).args(["commit", "--quiet", "--message", name]));
}

/// A site with a bare repository of three commits, and a working copy of it.
fn repository(backend: &Path, options: &str) -> Site {
    let folder = folder();
    let (bare, work) = (folder.path().join("repository.git"), folder.path().join("work"));
    run(git(folder.path()).args(["init", "--quiet", "--bare", "--initial-branch=main", "repository.git"]));
    run(git(&bare).args(["config", "http.receivepack", "true"]));
    run(git(folder.path()).args(["clone", "--quiet"]).arg(&bare).arg(&work));
    run(git(&work).args(["checkout", "--quiet", "-b", "main"]));
    for name in ["one", "two", "three"] {
        commit(&work, name, name.as_bytes());
    }
    run(git(&work).args(["push", "--quiet", "origin", "main"]));
    let environ =
        "environ = { GIT_PROJECT_ROOT = 'FOLDER', GIT_HTTP_EXPORT_ALL = '1', GIT_CONFIG_SYSTEM = '/dev/null' }";
    let target = format!("'/git' = {{ target = 'cgi:{}', {options} {environ} }}", backend.display());
    Site::new(folder, &target)
}

/// Bytes that no compression makes smaller.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1u64;
    let next = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    });
    next.take(length).collect()
}

#[test]
fn git_clones_fetches_and_pushes() {
    let Some(backend) = git_backend() else { return };
    // A push of more than http.postBuffer, 1 MiB, is chunked: with a length for the program, and without.
    for options in ["", "stream = true,"] {
        let site = repository(&backend, options);
        let url = site.url("/git/repository.git");
        let clone = site.path("clone");
        run(git(&site.path("")).args(["clone", "--quiet", &url]).arg(&clone));
        commit(&site.path("work"), "four", b"four");
        run(git(&site.path("work")).args(["push", "--quiet", "origin", "main"]));
        run(git(&clone).args(["fetch", "--quiet"]));
        run(git(&clone).args(["merge", "--quiet", "--ff-only", "origin/main"]));
        assert_eq!(fs::read(clone.join("four")).unwrap(), b"four");

        let big = noise(3 << 20);
        commit(&clone, "big", &big);
        run(git(&clone).args(["push", "--quiet", "origin", "main"]));
        let again = site.path("again");
        run(git(&site.path("")).args(["clone", "--quiet", &url]).arg(&again));
        assert!(fs::read(again.join("big")).unwrap() == big);
        run(git(&site.path("repository.git")).args(["fsck", "--strict"]));
    }
}

#[test]
fn git_clones_the_last_commit_only_with_each_version_of_the_protocol() {
    let Some(backend) = git_backend() else { return };
    let site = repository(&backend, "");
    for version in ["0", "2"] {
        let shallow = site.path(&format!("shallow-{version}"));
        let protocol = format!("protocol.version={version}");
        let url = site.url("/git/repository.git");
        run(git(&site.path("")).args(["-c", &protocol, "clone", "--quiet", "--depth", "1", &url]).arg(&shallow));
        let count = run(git(&shallow).args(["rev-list", "--count", "HEAD"])).stdout;
        assert_eq!((count, fs::read(shallow.join("three")).unwrap()), (b"1\n".to_vec(), b"three".to_vec()));
    }
}

#[test]
fn git_unpacks_a_request_that_is_gzipped() {
    let Some(backend) = git_backend() else { return };
    if !has("gzip", &["--version"]) {
        return;
    }
    let mut gzip = Command::new("gzip").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    gzip.stdin.take().unwrap().write_all(b"0014command=ls-refs\n0000").unwrap();
    let body = gzip.wait_with_output().unwrap().stdout;
    let site = repository(&backend, "");
    let headers = "Content-Type: application/x-git-upload-pack-request\r\nContent-Encoding: gzip\r\n\
                   Git-Protocol: version=2\r\n";
    let answer = site.request("POST", "/git/repository.git/git-upload-pack", headers, &body);
    assert!(answer.text().contains("refs/heads/main"), "{}", answer.text());
}

#[test]
fn gitweb_shows_pages_and_sends_raw_files() {
    let gitweb = Path::new("/usr/lib/cgi-bin/gitweb.cgi");
    let Some(backend) = git_backend().filter(|_| has_file(gitweb)) else { return };
    let repositories = repository(&backend, "");
    let config = format!("$projectroot = '{}';\n", repositories.path("").display());
    fs::write(repositories.path("gitweb.conf"), config).unwrap();
    let mount = format!(
        "'/web' = {{ target = 'cgi:{}', environ = {{ GITWEB_CONFIG = '{}' }} }}",
        gitweb.display(),
        repositories.path("gitweb.conf").display()
    );
    let site = Site::new(folder(), &mount);
    let projects = site.get("/web");
    assert!(projects.head.contains("content-type: application/xhtml+xml") || projects.head.contains("text/html"));
    assert!(projects.text().contains("repository.git"), "{}", projects.text());
    assert!(site.get("/web?p=repository.git;a=summary").text().contains("three"));
    assert!(site.get("/web/repository.git/commit/main").text().contains("Test"));
    assert_eq!(site.get("/web/repository.git/blob_plain/main:/two").text(), "two");
    assert_eq!(site.get("/web?p=missing.git").status, 404);
}

/// A form with a field and a file of every byte.
fn upload() -> (&'static str, Vec<u8>, Vec<u8>) {
    let file: Vec<u8> = (0..=255).cycle().take(200_000).collect();
    let body = [
        &b"--line\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\nJ\xc3\xbcrgen\r\n"[..],
        b"--line\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a b.bin\"\r\n",
        b"Content-Type: application/octet-stream\r\n\r\n",
        &file,
        b"\r\n--line--\r\n",
    ];
    ("Content-Type: multipart/form-data; boundary=line\r\n", body.concat(), file)
}

#[test]
fn php_cgi_runs_files_of_its_suffix_and_takes_forms_and_uploads() {
    let interpreter = Path::new("/usr/bin/php-cgi");
    if !has_file(interpreter) {
        return;
    }
    let folder = folder();
    let page = "<?php header('X-Page: yes'); echo $_POST['name'] ?? '-', '|', $_GET['q'] ?? '-', '|', $_SERVER['PATH_INFO'] ?? '-';
        if (isset($_FILES['file'])) echo '|', $_FILES['file']['name'], '|', md5_file($_FILES['file']['tmp_name']);";
    let file = folder.path().join("cgi-bin/page.php");
    fs::write(&file, page).unwrap();
    // Whatever the umask: what its group can write to is refused.
    fs::set_permissions(file, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(folder.path().join("cgi-bin/secret.inc"), "secret").unwrap();
    let site = Site::new(folder, "'/php' = { target = 'cgi:cgi-bin', interpreters = { '.php' = '/usr/bin/php-cgi' } }");
    let page = site.get("/php/page.php/more?q=1");
    assert_eq!(page.text(), "-|1|/more");
    assert!(page.head.to_ascii_lowercase().contains("x-page: yes"), "{}", page.head);
    // CVE-2012-1823: the query is no argument.
    assert_eq!(site.get("/php/page.php?-s").text(), "-|-|-");
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    assert_eq!(site.request("POST", "/php/page.php", form, b"name=J%C3%BCrgen").text(), "Jürgen|-|-");
    let (headers, body, file) = upload();
    fs::write(site.path("sent"), &file).unwrap();
    let sum = run(Command::new("md5sum").arg(site.path("sent"))).stdout;
    let sum = String::from_utf8(sum[..32].to_vec()).unwrap();
    assert_eq!(site.request("POST", "/php/page.php", headers, &body).text(), format!("Jürgen|-|-|a b.bin|{sum}"));
    for hidden in ["/php/secret.inc", "/php/page.php%20", "/php/page.PHP", "/php/page.php.", "/php/"] {
        let answer = site.get(hidden);
        assert_eq!((answer.status, &answer.body[..]), (404, &b"Not found\n"[..]), "{hidden}");
    }
}

#[test]
fn cgi_pm_takes_an_upload() {
    if !has("perl", &["-MCGI", "-e1"]) {
        return;
    }
    let folder = folder();
    let script = r#"#!/usr/bin/perl
use strict; use CGI;
my $q = CGI->new;
my $file = $q->upload('file');
binmode $file; local $/; my $bytes = <$file>;
print $q->header(-type => 'application/octet-stream', -cookie => $q->cookie(-name => 'a', -value => 'b'));
binmode STDOUT; print $q->param('name'), "|", scalar $q->param('file'), "|", $bytes;
"#;
    add(folder.path(), "cgi-bin/upload.pl", script);
    add(folder.path(), "cgi-bin/go.pl", "#!/usr/bin/perl\nuse CGI; print CGI->new->redirect('http://e.org/x');\n");
    let site = Site::new(folder, "'/cgi-bin' = 'cgi:cgi-bin'");
    let (headers, body, file) = upload();
    let answer = site.request("POST", "/cgi-bin/upload.pl", headers, &body);
    assert!(answer.head.to_ascii_lowercase().contains("set-cookie: a=b"), "{}", answer.head);
    let expected = [&b"J\xc3\xbcrgen|a b.bin|"[..], &file].concat();
    assert_eq!((answer.status, answer.body == expected), (200, true));
    let answer = site.get("/cgi-bin/go.pl");
    assert_eq!(answer.status, 302);
    assert!(answer.head.to_ascii_lowercase().contains("location: http://e.org/x"), "{}", answer.head);
}

#[test]
fn a_local_redirect_is_answered_inside_and_a_loop_ends() {
    let folder = folder();
    fs::write(folder.path().join("page.txt"), "the page").unwrap();
    let redirect = "#!/bin/sh\nprintf 'Set-Cookie: a\\nLocation: %s\\n\\nbody' \"$QUERY_STRING\"\n";
    add(folder.path(), "cgi-bin/go", redirect);
    let dump = "#!/bin/sh\nprintf 'A: b\\n\\n%s %s %s' \"$REQUEST_METHOD\" \"$SCRIPT_NAME\" \"$QUERY_STRING\"; cat\n";
    add(folder.path(), "cgi-bin/dump", dump);
    add(folder.path(), "cgi-bin/loop", "#!/bin/sh\necho >> count; printf 'Location: /cgi-bin/loop\\n\\n'\n");
    let site = Site::new(folder, "'/cgi-bin' = 'cgi:cgi-bin'\n'/files' = 'static:FOLDER'");
    let answer = site.get("/cgi-bin/go?/files/page.txt");
    assert_eq!(answer.text(), "the page");
    assert!(!answer.head.to_ascii_lowercase().contains("set-cookie"), "{}", answer.head);
    let answer = site.request("POST", "/cgi-bin/go?/cgi-bin/dump?q=1", "", b"posted");
    assert_eq!(answer.text(), "GET /cgi-bin/dump q=1");
    // The rules of the server hold for it.
    assert_eq!(site.get("/cgi-bin/go?/nowhere").status, 404);
    assert_eq!(site.get("/cgi-bin/go?/files/../gateway.toml").status, 404);
    assert_eq!(site.get("/cgi-bin/loop").status, 500);
    assert_eq!(fs::read(site.path("cgi-bin/count")).unwrap().len(), 11);
    site.log_with("sent on 10 times");
}

#[test]
fn the_client_and_the_log_have_the_same_id_of_a_failed_request() {
    let folder = folder();
    add(folder.path(), "cgi-bin/p", "#!/bin/sh\necho 'no database' >&2; exit 3\n");
    let site = Site::new(folder, "'/cgi-bin' = 'cgi:cgi-bin'");
    let answer = site.get("/cgi-bin/p");
    assert_eq!(answer.status, 502);
    let body = String::from_utf8(answer.body).unwrap();
    let request = body.trim_end().rsplit(' ').next().unwrap();
    assert!(!body.contains("database"), "{body}");
    let log = site.log_with("ended badly");
    let line = log.lines().find(|line| line.contains("ended badly")).unwrap_or_else(|| panic!("{log}"));
    assert!(line.contains(&format!("p [{request}]: ")) && line.contains("exit status: 3"), "{line}");
    assert!(line.contains("it said: no database"), "{line}");
}

#[test]
fn many_requests_for_a_slow_program_keep_to_the_bounds_and_the_server_recovers() {
    let folder = folder();
    // Each run leaves a file while it runs: how many there are at once is counted by the programs themselves.
    let script = "#!/bin/sh\ncd running && : > $$ && set -- * && echo $# >> ../counts && sleep 0.3; rm $$; printf 'A: b\\n\\n'\n";
    add(folder.path(), "cgi-bin/slow", script);
    fs::create_dir(folder.path().join("cgi-bin/running")).unwrap();
    let site = Site::new(folder, "'/cgi-bin' = { target = 'cgi:cgi-bin', concurrency = 8, queue = 30 }");
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let requests: Vec<_> = (0..100).map(|_| scope.spawn(|| site.get("/cgi-bin/slow").status)).collect();
        requests.into_iter().map(|request| request.join().unwrap()).collect()
    });
    let count = |status| statuses.iter().filter(|other| **other == status).count();
    assert_eq!((count(200) + count(503), count(200) >= 38), (100, true), "{statuses:?}");
    let counts = fs::read_to_string(site.path("cgi-bin/counts")).unwrap();
    let most = counts.lines().map(|line| line.parse::<usize>().unwrap()).max().unwrap();
    assert!(most <= 8, "{most} programs ran at once");
    assert_eq!(site.get("/cgi-bin/slow").status, 200);
}
