//! Lint: every rule fires where it should, and stays quiet where it should not.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../support/mod.rs"]
mod support;

mod body;
mod call;
mod environ;
mod head;
mod transparency;

use std::{
    future::poll_fn,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use gateway_spec::{
    App, Connection, Environ, Host, Input, Lint, Response, Result, Scheme, StartResponse,
    lint::{Finding, RULES, Side},
    spec,
};
use http::{Request, request::Builder};
use http_body::Body as _;
use support::block_on::block_on;

const PLAIN: [(&str, &str); 1] = [("content-type", "text/plain")];

type Findings = Arc<Mutex<Vec<Finding>>>;

/// A bound that no poll of these tests comes near, on whatever machine.
const PATIENT: Duration = Duration::from_secs(60);

/// Checks an App, and collects what is found.
fn linted<A: App>(app: A) -> (Lint<A>, Findings) {
    let findings = Findings::default();
    let sink = findings.clone();
    let lint = Lint::new(app).patience(PATIENT).report_to(move |finding| sink.lock().unwrap().push(finding.clone()));
    (lint, findings)
}

fn ids(findings: &Findings) -> Vec<&'static str> {
    findings.lock().unwrap().iter().map(|finding| finding.rule).collect()
}

fn get() -> Builder {
    Request::get("/path").header("host", "example.org")
}

fn connection() -> Arc<Connection> {
    let local = SocketAddr::from(([127, 0, 0, 1], 8000));
    Arc::new(Connection::new(Arc::new(Host::default()), Scheme::Http, Some(local), Some(local)))
}

fn environ(request: Builder, input: Input) -> Environ {
    Environ::new(request.body(()).unwrap().into_parts().0, input, connection())
}

async fn call(app: &impl App, environ: Environ) -> Result<Response> {
    app.call(environ, StartResponse::new()).await
}

/// What a server does with a body: takes it to its end.
async fn drain(response: Response) -> Result<Vec<Bytes>> {
    let mut body = response.into_parts().2;
    let mut blocks = Vec::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        blocks.extend(frame?.into_data());
    }
    Ok(blocks)
}

async fn hello(_: Environ, start_response: StartResponse) -> Result<Response> {
    Ok(start_response.start(200, PLAIN)?.body("Hello!\n"))
}

/// What is found when `app` answers `environ`, and is taken to its end.
fn found(app: impl App, environ: Environ) -> Vec<&'static str> {
    let (app, findings) = linted(app);
    let _ = block_on(async { drain(call(&app, environ).await?).await });
    ids(&findings)
}

#[test]
fn an_app_that_is_fine_is_fine() {
    assert_eq!(found(hello, environ(get(), Input::empty())), [""; 0]);
}

#[test]
fn every_rule_has_a_test_here() {
    let tests = [include_str!("body.rs"), include_str!("call.rs"), include_str!("environ.rs"), include_str!("head.rs")];
    for rule in RULES.iter().filter(|rule| !rule.id.starts_with("wsgi-")) {
        let name = format!("{:?}", rule.id);
        assert!(tests.iter().any(|test| test.contains(&name)), "nothing shows that {name} fires");
    }
}

#[test]
fn every_rule_cites_a_clause() {
    for (at, rule) in RULES.iter().enumerate() {
        assert!(spec::clause(rule.clause).is_some(), "{rule:?}");
        assert!(RULES[..at].iter().all(|other| other.id != rule.id), "{rule:?}");
        assert!(!rule.what.ends_with('.'), "{rule:?}");
    }
}

#[test]
fn every_clause_that_binds_applications_has_a_rule_or_a_type() {
    // What cannot be written down in Rust, and what nobody can see.
    let without = ["G-2.2", "G-7.12"];
    for clause in spec::clauses().filter(|clause| clause.party == spec::Party::Application) {
        let has_rule = RULES.iter().any(|rule| rule.clause == clause.id && rule.side == Side::Application);
        assert_ne!(has_rule, without.contains(&clause.id), "{clause}");
    }
}
