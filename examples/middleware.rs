//! An application around another: `cargo run -p examples --example middleware`, then
//! `curl -i -u guest:guest http://127.0.0.1:8000/`

use std::time::Instant;

use gateway_spec::{App, Environ, Error, Response, Result, StartResponse};

/// Lets in who knows the password, and tells the application within who it is: in the variable that CGI programs and
/// Python callables read, too.
struct Authenticated<A> {
    app: A,
    /// `user:password` in base64, as clients send it (RFC 7617).
    credentials: &'static str,
    user: &'static str,
}

impl<A: App> App for Authenticated<A> {
    async fn call(&self, mut environ: Environ, start_response: StartResponse) -> Result<Response> {
        let given = environ.header("authorization").and_then(|value| value.to_str().ok());
        if given.and_then(|value| value.strip_prefix("Basic ")) != Some(self.credentials) {
            let started = start_response.start(401, [("www-authenticate", "Basic realm=\"example\"")])?;
            return Ok(started.body("Who are you?\n"));
        }
        environ.set("REMOTE_USER", self.user)?;
        self.app.call(environ, start_response).await
    }
}

/// Says in a header how long the application took to begin its answer.
struct Timed<A>(A);

impl<A: App> App for Timed<A> {
    async fn call(&self, environ: Environ, start_response: StartResponse) -> Result<Response> {
        let begun = Instant::now();
        let mut response = self.0.call(environ, start_response).await?;
        let took = format!("app;dur={:.3}", begun.elapsed().as_secs_f64() * 1000.0);
        response.headers_mut().insert("server-timing", took.parse().map_err(Error::new)?);
        Ok(response)
    }
}

async fn greet(environ: Environ, start_response: StartResponse) -> Result<Response> {
    let user = environ.get("REMOTE_USER").unwrap_or_default();
    let greeting = format!("Hello, {}!\n", String::from_utf8_lossy(&user));
    Ok(start_response.start(200, [("content-type", "text/plain; charset=utf-8")])?.body(greeting))
}

#[tokio::main]
async fn main() -> Result<(), reference_server::Error> {
    let app = Timed(Authenticated { app: greet, credentials: "Z3Vlc3Q6Z3Vlc3Q=", user: "guest" });
    reference_server::serve("127.0.0.1:8000", app).await
}
