//! A status and headers of types that are none.

use gateway_spec::StartResponse;

fn main() {
    let _ = StartResponse::new().start(4.04, ());
    let _ = StartResponse::new().start(404, "content-type: text/plain");
}
