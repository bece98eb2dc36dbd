//! An application that takes the environ only.

use gateway_spec::{App, Environ, Response, Result};

async fn app(_: Environ) -> Result<Response> {
    unreachable!()
}

fn is_app(_: impl App) {}

fn main() {
    is_app(app);
}
