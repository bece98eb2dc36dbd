//! Trac: each of its pages goes through `write()`.

use std::{
    fs,
    process::Command,
    sync::{Mutex, PoisonError},
};

use crate::support::{
    Gateway, Server,
    curl::{curl, curl_bytes},
    files::{Signals, pattern},
    installed, python, run,
};

/// A browser: curl, with its cookies in a file.
struct Visitor<'a> {
    server: &'a Server,
    jar: String,
    token: String,
}

impl<'a> Visitor<'a> {
    fn new(server: &'a Server, signals: &Signals) -> Self {
        let jar = signals.file("cookies").to_str().unwrap().to_owned();
        let mut visitor = Visitor { server, jar, token: String::new() };
        let page = visitor.get("/trac/newticket");
        let begin = page.split_once("__FORM_TOKEN\" value=\"").expect("a form").1;
        visitor.token = format!("__FORM_TOKEN={}", begin.split_once('"').unwrap().0);
        visitor
    }

    fn get(&self, path: &str) -> String {
        curl(self.server, path, &["--cookie", &self.jar, "--cookie-jar", &self.jar])
    }

    /// Sends a form with the token that Trac has given, and gives what Trac redirects to. `kind` is curl's option.
    fn post(&self, path: &str, kind: &str, fields: &[&str], options: &[&str]) -> String {
        let mut arguments = vec!["--cookie", &self.jar, "--write-out", "%{redirect_url}", "--output", "/dev/null"];
        arguments.extend(options);
        [self.token.as_str()].iter().chain(fields).for_each(|field| arguments.extend([kind, *field]));
        curl(self.server, path, &arguments)
    }
}

/// An environment with an empty database, in which everybody may do everything.
fn environment(signals: &Signals) -> String {
    // Each of the tests makes one; sqlite's creation is slow enough for one at a time.
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = signals.file("trac").to_str().unwrap().to_owned();
    let admin = |arguments: &[&str]| {
        run(Command::new(python::packages().join("bin/trac-admin")).arg(&folder).args(arguments));
    };
    admin(&["initenv", "Gateway", "sqlite:db/trac.db"]);
    admin(&["permission", "add", "anonymous", "TRAC_ADMIN"]);
    folder
}

fn pages_are_read_and_written(threads: &str) {
    if !installed(&["curl"]) {
        return;
    }
    let signals = Signals::new();
    let gateway = Gateway::new(["/trac=wsgi:trac.web.main:dispatch_request"]).with_packages();
    let server = gateway.env("TRAC_ENV", environment(&signals)).option("--threads", threads).start();
    let visitor = Visitor::new(&server, &signals);
    assert!(visitor.get("/trac/wiki").contains("Welcome to Trac"));

    let ticket = ["field_summary=Grüße & Küsse", "field_type=defect", "field_status=new", "submit=Create"];
    let location = visitor.post("/trac/newticket", "--data-urlencode", &ticket, &[]);
    assert_eq!(location, server.url("/trac/ticket/1"));
    assert!(visitor.get("/trac/ticket/1").contains("Grüße &amp; Küsse"));

    let text = "= Höhe =\n".repeat(5_000);
    let page = ["action=edit", "version=0", "save=Save", &format!("text={text}")];
    assert_eq!(visitor.post("/trac/wiki/Page", "--data-urlencode", &page, &[]), server.url("/trac/wiki/Page"));
    assert_eq!(visitor.get("/trac/wiki/Page?format=txt").replace("\r\n", "\n").trim_end(), text.trim_end());
    assert_eq!(visitor.get("/trac/wiki/Page").matches("<h1 class=\"section\"").count(), 5_000);

    let data = pattern(200_000);
    fs::write(signals.file("data.bin"), &data).unwrap();
    let file = format!("attachment=@{}", signals.file("data.bin").display());
    let upload = ["action=new", "realm=wiki", "id=Page", &file];
    visitor.post("/trac/attachment/wiki/Page/", "--form", &upload, &["--header", "Transfer-Encoding: chunked"]);
    assert!(curl_bytes(&server, "/trac/raw-attachment/wiki/Page/data.bin", &[]) == data);
    assert!(curl_bytes(&server, "/trac/chrome/common/trac_logo_mini.png", &[]).starts_with(b"\x89PNG"));

    // Without the token of the form.
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    assert_eq!(server.request("POST", "/trac/newticket", form, b"field_summary=forged").status, 400);
    assert!(!server.log().contains("Traceback"), "{}", server.log());
}

#[test]
fn pages_are_read_and_written_with_threads() {
    pages_are_read_and_written("4");
}

#[test]
fn pages_are_read_and_written_inline() {
    pages_are_read_and_written("1");
}
