//! Everything that is an App: functions, closures, structs, and what holds them.

use std::sync::Arc;

use gateway_spec::{App, BoxApp, Environ, Response, Result, StartResponse};

async fn function(environ: Environ, start_response: StartResponse) -> Result<Response> {
    Ok(start_response.start(200, [("content-type", "text/plain")])?.body(environ.script_name().into_owned()))
}

async fn second_try(_: Environ, start_response: StartResponse) -> Result<Response> {
    let started = start_response.clone().start(200, ())?;
    drop(started);
    Ok(start_response.start("404 Not Found", vec![("x-try", "2")])?.body(()))
}

async fn echo(mut environ: Environ, start_response: StartResponse) -> Result<Response> {
    let mut input = environ.take_input();
    Ok(start_response.start(200, ())?.write(async move |mut out| {
        while let Some(block) = input.chunk().await {
            out.write(block?).await?;
        }
        Ok(())
    }))
}

struct Middleware<A>(A);

impl<A: App> App for Middleware<A> {
    async fn call(&self, environ: Environ, start_response: StartResponse) -> Result<Response> {
        self.0.call(environ, start_response).await
    }
}

fn is_app(_: impl App) {}

fn main() {
    let greeting = Arc::new(String::from("Hello"));
    is_app(function);
    is_app(second_try);
    is_app(echo);
    is_app(move |_: Environ, start_response: StartResponse| {
        let greeting = greeting.clone();
        async move { Ok(start_response.start(200, ())?.body(greeting.as_str().to_owned())) }
    });
    is_app(Middleware(Arc::new(BoxApp::new(function))));
}
