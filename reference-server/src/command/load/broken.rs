//! What stands in for a target that cannot be loaded while somebody works on it.

use gateway_spec::{BoxApp, Environ, Response, Result, StartResponse};
use maud::{DOCTYPE, html};

use super::Report;

/// An App that shows why the target cannot be loaded.
pub(super) fn app(report: &Report) -> BoxApp {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head { meta charset="utf-8"; title { "This cannot be loaded" } }
            body {
                h1 { "This cannot be loaded" }
                pre { (report.to_string()) }
                p { "Once the file is mended, load this page again." }
            }
        }
    };
    let page = page.into_string();
    BoxApp::new(move |environ: Environ, start_response: StartResponse| show(page.clone(), environ, start_response))
}

async fn show(page: String, _: Environ, start_response: StartResponse) -> Result<Response> {
    Ok(start_response
        .start(500, [("content-type", "text/html; charset=utf-8"), ("cache-control", "no-store")])?
        .body(page))
}
