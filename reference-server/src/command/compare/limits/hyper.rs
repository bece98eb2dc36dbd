//! The work on hyper alone: no guards, no timeouts, no contract. What it costs, HTTP itself costs.

use std::{convert::Infallible, fmt::Write as _, io, net::Ipv4Addr};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use http_body::{Body, Frame};
use http_body_util::{BodyExt as _, Either, Full, combinators::UnsyncBoxBody};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, runtime::Builder, task::LocalSet, time::sleep};

use super::super::work::{BLOCK, BLOCKS, HELLO, NAP, PAGE, Work};

type Answer = Response<Either<Full<Bytes>, UnsyncBoxBody<Bytes, Infallible>>>;

/// Serves for ever.
pub(super) fn serve(port: u16) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        println!("listening on http://{}", listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer));
            // How a connection ends is its client's business.
            tokio::task::spawn_local(connection);
        }
    })
}

async fn answer(request: Request<Incoming>) -> Result<Answer, hyper::Error> {
    let body = match Work::at(request.uri().path()) {
        Some(Work::Page) => Bytes::from_static(PAGE),
        Some(Work::Echo(_)) => request.into_body().collect().await?.to_bytes(),
        Some(Work::Stream) => return Ok(with_body(Either::Right(UnsyncBoxBody::new(Blocks(BLOCKS))))),
        Some(Work::Environ) => environ(&request).into(),
        Some(Work::Sleep) => {
            sleep(NAP).await;
            Bytes::from_static(HELLO)
        }
        Some(Work::Hello) | None => Bytes::from_static(HELLO),
    };
    Ok(with_body(Either::Left(Full::new(body))))
}

fn with_body(body: Either<Full<Bytes>, UnsyncBoxBody<Bytes, Infallible>>) -> Answer {
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

/// There is no environ here; what stands for it is the request, in the same form.
fn environ(request: &Request<Incoming>) -> String {
    let uri = request.uri();
    let mut text = format!(
        "REQUEST_METHOD={}\nPATH_INFO={}\nQUERY_STRING={}\nSERVER_PROTOCOL={:?}\n",
        request.method(),
        uri.path(),
        uri.query().unwrap_or_default(),
        request.version(),
    );
    for (name, value) in request.headers() {
        let name = name.as_str().to_ascii_uppercase().replace('-', "_");
        // Writing to a String cannot fail.
        let _ = writeln!(text, "HTTP_{name}={}", String::from_utf8_lossy(value.as_bytes()));
    }
    text
}

/// So many blocks, one at a time.
struct Blocks(usize);

impl Body for Blocks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let left = self.0.checked_sub(1);
        self.0 = left.unwrap_or(0);
        std::task::Poll::Ready(left.map(|_| Ok(Frame::data(Bytes::from_static(BLOCK)))))
    }
}
