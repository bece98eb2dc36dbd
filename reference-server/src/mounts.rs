//! Several Apps under one URL space.

use gateway_spec::{App, BoxApp, Environ, Error, Response, Result, StartResponse};
use http::Method;

use crate::marks;

/// An App that hands each request to the App with the longest prefix that its path begins with.
///
/// The prefix moves from PATH_INFO to SCRIPT_NAME. `/app` matches `/app` and `/app/x`, never `/appother`; `/` matches
/// everything. A path that nothing matches is answered with 404.
///
/// An App may leave the answer to what is at another path ([`Response::instead`]): that is found in the same way.
#[derive(Clone, Debug)]
pub struct Mounts<A = BoxApp> {
    /// Longest prefix first.
    mounts: Vec<(String, A)>,
}

/// How often a request may be sent on from one path to another.
const HOPS: usize = 10;

impl Mounts {
    /// No mounts: every path is 404.
    pub fn new() -> Self {
        Mounts::default()
    }

    /// Mounts `app` at `prefix`: the empty string or `/` for the root, else a path that begins with `/`. A slash at its
    /// end means nothing. A second App at the same prefix replaces the first.
    #[must_use]
    pub fn mount(self, prefix: &str, app: impl App) -> Self {
        self.mount_same(prefix, BoxApp::new(app))
    }
}

impl<A: App> Mounts<A> {
    /// Mounts an App of the one type that all of these have: what [`mount`](Mounts::mount) does, without the allocation
    /// that a [`BoxApp`] costs with each request.
    #[must_use]
    pub fn mount_same(mut self, prefix: &str, app: A) -> Self {
        let prefix = prefix.trim_end_matches('/').to_owned();
        self.mounts.retain(|(other, _)| *other != prefix);
        self.mounts.push((prefix, app));
        self.mounts.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        self
    }
}

impl<A> Mounts<A> {
    /// The prefixes, in the order in which they are tried. That of the root is empty.
    pub fn prefixes(&self) -> impl Iterator<Item = &str> {
        self.mounts.iter().map(|(prefix, _)| prefix.as_str())
    }
}

impl<A> Default for Mounts<A> {
    fn default() -> Self {
        Mounts { mounts: Vec::new() }
    }
}

impl<A: App> App for Mounts<A> {
    async fn call(&self, mut environ: Environ, start_response: StartResponse) -> Result<Response> {
        for _ in 0..=HOPS {
            let Some(app) = self.find(&mut environ) else { return unmatched(&environ, start_response) };
            let mut response = app.call(environ, start_response.clone()).await?;
            match response.take_instead() {
                Some(elsewhere) => environ = elsewhere,
                None => return Ok(response),
            }
        }
        Err(Error::new(format!("sent on {HOPS} times, and then to {:?}", environ.raw_target())))
    }
}

impl<A> Mounts<A> {
    /// The App whose request this is, which finds its prefix in SCRIPT_NAME.
    fn find(&self, environ: &mut Environ) -> Option<&A> {
        let (place, (_, app)) = self.mounts.iter().enumerate().find(|(_, (prefix, _))| environ.mount(prefix))?;
        marks::mounted(place);
        Some(app)
    }
}

fn unmatched(environ: &Environ, start_response: StartResponse) -> Result<Response> {
    if environ.method() == Method::OPTIONS && environ.raw_path() == "*" {
        let allowed = [("allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")];
        return Ok(start_response.start(200, allowed)?.body(()));
    }
    let started = start_response.start(404, [("content-type", "text/plain; charset=utf-8")])?;
    Ok(started.body("404 Not Found\n"))
}
