//! The admin listener: health, metrics and a page for people, from the supervisor.
//!
//! It runs on a thread of its own and has nothing in common with applications, so that it answers while every worker is
//! stuck. What it tells is what the supervisor has noted in its [`Roster`] and what workers have published.

mod metrics;
mod status;

use std::{io, sync::Arc, thread, time::Duration};

use gateway_spec::{App, Environ, Error, Response, Result, StartResponse};
use http::{Method, header};
use reference_server::{Limits, Listener, Server};
use tokio::sync::watch;

use super::roster::Roster;

/// The admin listener at work. It stops when this is dropped, or before.
#[derive(Debug)]
pub(super) struct Serving(watch::Sender<bool>);

impl Serving {
    pub(super) fn stop(&self) {
        self.0.send_replace(true);
    }
}

/// Answers at `listener`.
///
/// # Errors
/// What starting the thread and its event loop reports.
pub(super) fn start(listener: Listener, roster: Arc<Roster>) -> io::Result<Serving> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut limits = Limits::default();
    (limits.connections, limits.body) = (256, 0);
    (limits.head_time, limits.idle_time) = (Duration::from_secs(5), Duration::from_secs(60));
    let server = Server::builder().limits(limits).listen([listener]);
    let (stop, mut stopped) = watch::channel(false);
    let stopped = async move {
        let _ = stopped.wait_for(|stopped| *stopped).await;
    };
    let serving = move || {
        if let Err(error) = runtime.block_on(server.serve_until(Admin(roster), stopped)) {
            tracing::error!("the admin listener has ended: {error}");
        }
    };
    thread::Builder::new().name("gateway-admin".into()).spawn(serving)?;
    Ok(Serving(stop))
}

const TEXT: &str = "text/plain; charset=utf-8";
const WHAT_THERE_IS: &str = "404 Not Found: there are /healthz, /readyz, /metrics, /status and /status.json\n";
/// The page needs its own style and script, which asks for the page itself.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; frame-ancestors 'none'";

struct Admin(Arc<Roster>);

impl App for Admin {
    async fn call(&self, environ: Environ, start_response: StartResponse) -> Result<Response> {
        if !matches!(*environ.method(), Method::GET | Method::HEAD) {
            let headers = [(header::CONTENT_TYPE, TEXT), (header::ALLOW, "GET, HEAD")];
            return Ok(start_response.start(405, headers)?.body("405 Method Not Allowed\n"));
        }
        let standing = self.0.standing();
        let (status, kind, body) = match environ.raw_path() {
            "/healthz" => verdict(standing.unhealthy()),
            "/readyz" => verdict(standing.unready()),
            // The kernel may take its time to add up the memory of processes.
            "/metrics" => (200, metrics::TYPE, blocking(move || metrics::render(&standing)).await?),
            "/" | "/status" => (200, status::HTML, status::page(&standing)),
            "/status.json" => (200, status::JSON, status::json(&standing)?),
            "/status.css" => (200, status::CSS, status::STYLE.to_owned()),
            "/status.js" => (200, status::JS, status::SCRIPT.to_owned()),
            _ => (404, TEXT, WHAT_THERE_IS.into()),
        };
        let headers = [
            (header::CONTENT_TYPE, kind),
            (header::CACHE_CONTROL, "no-store"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::CONTENT_SECURITY_POLICY, POLICY),
        ];
        Ok(start_response.start(status, headers)?.body(body))
    }
}

async fn blocking(render: impl FnOnce() -> String + Send + 'static) -> Result<String> {
    tokio::task::spawn_blocking(render).await.map_err(Error::new)
}

/// 200, or 503 with what is wrong: a status is all that a load balancer looks at.
fn verdict(wrong: Option<&'static str>) -> (u16, &'static str, String) {
    match wrong {
        None => (200, TEXT, "ok\n".into()),
        Some(wrong) => (503, TEXT, format!("{wrong}\n")),
    }
}
