//! One connection of the load, on hyper's client.

use std::{cell::RefCell, error::Error, net::SocketAddr, rc::Rc, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Request, header, request::Parts};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::sleep};

use super::{
    super::exchange::{Answer, Exchange, ExpectedBody},
    Pace, Tally,
};

/// How long a connection waits before it tries again to connect.
const PAUSE: Duration = Duration::from_millis(10);

/// One that asks for the same thing over and over.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) number: usize,
    pub(super) address: SocketAddr,
    pub(super) exchange: Rc<Exchange>,
    pub(super) request: (Parts, Bytes),
    pub(super) pace: Rc<Pace>,
    pub(super) tally: Rc<RefCell<Tally>>,
}

/// A connection that is open.
#[derive(Debug)]
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
}

/// Why an exchange is none that counts.
enum Failed {
    Wrong(String),
    Broken(String),
}

/// The head and the body of the request, made once.
///
/// # Errors
/// If what the user gave as a path can be none.
pub(super) fn request(address: SocketAddr, exchange: &Exchange) -> Result<(Parts, Bytes), String> {
    let request = Request::builder().method(&exchange.method).uri(&exchange.target);
    let mut request = request.body(()).map_err(|error| format!("cannot ask for {:?}: {error}", exchange.target))?;
    let host = HeaderValue::try_from(address.to_string()).map_err(|error| error.to_string())?;
    request.headers_mut().insert(header::HOST, host);
    request.headers_mut().extend(exchange.headers.iter().cloned());
    Ok((request.into_parts().0, exchange.body.clone()))
}

impl Client {
    /// Asks until it is dropped. A server may close a connection between two requests, which is no error; making the next
    /// one is part of what the next request waits for.
    pub(super) async fn work(self) {
        let mut connection = None;
        let mut last = None;
        loop {
            let due = self.pace.next(self.number).await;
            let done = self.exchange(&mut connection, &mut last).await;
            self.pace.done(self.number);
            match done {
                Ok(()) => self.tally.borrow_mut().answered(due.elapsed()),
                Err(Failed::Wrong(what)) => self.tally.borrow_mut().errors.wrong(what),
                Err(Failed::Broken(what)) => {
                    connection = None;
                    self.tally.borrow_mut().errors.broken(what);
                    sleep(PAUSE).await;
                }
            }
        }
    }

    /// One request, on the connection that is there or on a new one. `last` is the last answer that was right, for bodies
    /// that take longer to be looked at than to be compared.
    async fn exchange(&self, connection: &mut Option<Connection>, last: &mut Option<Bytes>) -> Result<(), Failed> {
        let open = match connection {
            Some(open) => open.sender.ready().await.is_ok(),
            None => false,
        };
        if !open {
            *connection = Some(Connection::open(self.address).await.map_err(Failed::Broken)?);
        }
        let Some(open) = connection else { return Ok(()) };
        let response = open.send(&self.request).await.map_err(Failed::Broken)?;
        let expected = &self.exchange.expected;
        let head = expected.check_head(response.status(), response.headers());
        let body = match &expected.body {
            ExpectedBody::Exactly(right) => compare(response.into_body(), right).await.map_err(Failed::Broken)?,
            _ => collect(response.into_body()).await.map_err(Failed::Broken)?,
        };
        head.map_err(Failed::Wrong)?;
        if body.is_some() && body != *last {
            expected.check_body(body.as_deref().unwrap_or_default()).map_err(Failed::Wrong)?;
            *last = body;
        }
        Ok(())
    }
}

impl Connection {
    /// # Errors
    /// What the system reports.
    pub(super) async fn open(address: SocketAddr) -> Result<Self, String> {
        let refused = |error: &dyn Error| format!("cannot connect: {}", root(error));
        let stream = TcpStream::connect(address).await.map_err(|error| refused(&error))?;
        stream.set_nodelay(true).map_err(|error| refused(&error))?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| refused(&error))?;
        tokio::task::spawn_local(connection);
        Ok(Connection { sender })
    }

    async fn send(&mut self, (head, body): &(Parts, Bytes)) -> Result<http::Response<Incoming>, String> {
        let request = Request::from_parts(head.clone(), Full::new(body.clone()));
        self.sender.send_request(request).await.map_err(|error| broken(&error))
    }

    /// One exchange, and all of its answer.
    ///
    /// # Errors
    /// What breaks the connection.
    pub(super) async fn answer(&mut self, request: (Parts, Bytes)) -> Result<Answer, String> {
        let (head, body) = self.send(&request).await?.into_parts();
        let body = collect(body).await?.unwrap_or_default();
        Ok(Answer { status: head.status, headers: head.headers, body })
    }
}

/// Reads a body and holds it against `right`, without copying it as long as it is the same. One that is not comes back.
async fn compare(mut body: Incoming, right: &Bytes) -> Result<Option<Bytes>, String> {
    let mut matched = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|error| broken(&error))?.into_data() else { continue };
        if right[matched..].starts_with(&data) {
            matched += data.len();
            continue;
        }
        let mut other = BytesMut::from(&right[..matched]);
        other.extend_from_slice(&data);
        other.extend_from_slice(&collect(body).await?.unwrap_or_default());
        return Ok(Some(other.freeze()));
    }
    Ok(if matched == right.len() { None } else { Some(right.slice(..matched)) })
}

async fn collect(body: Incoming) -> Result<Option<Bytes>, String> {
    body.collect().await.map(|body| Some(body.to_bytes())).map_err(|error| broken(&error))
}

fn broken(error: &dyn Error) -> String {
    format!("breaks the connection: {}", root(error))
}

/// What lies at the bottom of an error.
fn root(error: &dyn Error) -> String {
    std::iter::successors(Some(error), |&error| error.source()).last().map_or_else(String::new, ToString::to_string)
}
