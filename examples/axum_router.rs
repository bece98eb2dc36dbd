//! An axum router as an application, next to one of ours: `cargo run -p examples --example axum_router`, then
//! `curl http://127.0.0.1:8000/notes/7`, `curl -d '["a", "b"]' -H 'Content-Type: application/json'
//! http://127.0.0.1:8000/notes/` and `curl http://127.0.0.1:8000/`

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{
    Extension, Json, Router,
    extract::{OriginalUri, Path, Request, State},
    routing::get,
};
use gateway_spec::{
    App, Environ, Response, Result, StartResponse,
    tower::{FromTower, Origin},
};
use reference_server::Mounts;
use tower::ServiceBuilder;
use tower_http::set_header::SetResponseHeaderLayer;

/// How many notes were taken.
type Count = State<Arc<AtomicUsize>>;

async fn read(Path(id): Path<u32>, OriginalUri(uri): OriginalUri) -> String {
    format!("note {id} of {uri}\n")
}

async fn take(State(count): Count, Extension(origin): Extension<Origin>, Json(notes): Json<Vec<String>>) -> String {
    let sum = count.fetch_add(notes.len(), Ordering::Relaxed) + notes.len();
    format!("{} has {sum} notes\n", origin.script_name())
}

/// axum's own name for what it finds of the path before the mount.
fn with_original_uri(mut request: Request<gateway_spec::Input>) -> Request<gateway_spec::Input> {
    if let Some(uri) = request.extensions().get::<Origin>().map(|origin| origin.uri().clone()) {
        request.extensions_mut().insert(OriginalUri(uri));
    }
    request
}

async fn start_page(_: Environ, start_response: StartResponse) -> Result<Response> {
    Ok(start_response.start(200, [("content-type", "text/plain; charset=utf-8")])?.body("Notes are at /notes/\n"))
}

/// The router sees `/7` where the client has asked for `/notes/7`.
pub(crate) fn app() -> impl App {
    let no_store = SetResponseHeaderLayer::if_not_present(
        axum::http::header::CACHE_CONTROL,
        axum::http::HeaderValue::from_static("no-store"),
    );
    let router = Router::new()
        .route("/", axum::routing::post(take))
        .route("/{id}", get(read))
        .layer(no_store)
        .with_state(Arc::default());
    let notes = FromTower::new(ServiceBuilder::new().map_request(with_original_uri).service(router));
    Mounts::new().mount("/", start_page).mount("/notes", notes)
}

#[tokio::main]
async fn main() -> Result<(), reference_server::Error> {
    reference_server::serve("127.0.0.1:8000", app()).await
}
