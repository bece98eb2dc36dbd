//! The server that an application is checked with: it has no socket, and its clients do as they are told.

use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use gateway_spec::{
    App, Connection, Environ, Error, ErrorLog, Host, Input, Response, Result, Scheme, StartResponse, blocking::Blocking,
};
use http::{Method, StatusCode};
use http_body::{Body as _, Frame, SizeHint};
use tokio::{task::JoinSet, time};

use super::{
    GRACE, Log,
    requests::{self, Body, Exchange, Groups, Takes},
};

/// Calls an application.
pub(super) struct Client<A> {
    app: Arc<A>,
    connection: Arc<Connection>,
    patience: Duration,
    log: Arc<Mutex<Log>>,
}

impl<A: App> Client<A> {
    pub(super) fn new(app: A, blocking: Arc<dyn Blocking>, patience: Duration, log: Arc<Mutex<Log>>) -> Self {
        let host = Host { error_log: ErrorLog::stderr(), blocking, ..Host::default() };
        let local = Some(([127, 0, 0, 1], 8000).into());
        let remote = Some(([127, 0, 0, 1], 50_000).into());
        let connection = Arc::new(Connection::new(Arc::new(host), Scheme::Http, local, remote));
        Client { app: Arc::new(app), connection, patience, log }
    }

    /// Sends all requests, those of a group at once, and at the end one more. Returns the titles of those that were not
    /// answered in time.
    pub(super) async fn run(self, prefix: String, groups: Groups) -> Vec<String> {
        let mut unanswered = Vec::new();
        for group in groups {
            unanswered.extend(self.send(group).await);
        }
        time::sleep(GRACE).await;
        unanswered.extend(self.send(vec![requests::last(&prefix)]).await);
        unanswered
    }

    async fn send(&self, group: Vec<Exchange>) -> Vec<String> {
        {
            let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
            log.requests += group.len();
            let Some(first) = group.first() else { return Vec::new() };
            log.sent.clone_from(&first.title);
            log.is_odd = first.is_odd;
        }
        let mut tasks = JoinSet::new();
        for exchange in group {
            let (app, connection, patience) = (self.app.clone(), self.connection.clone(), self.patience);
            tasks.spawn(async move {
                let title = exchange.title.clone();
                let answered = answer(&*app, connection, exchange, patience).await;
                answered.is_none().then_some(title)
            });
        }
        let mut unanswered = Vec::new();
        while let Some(ended) = tasks.join_next().await {
            // A task that panicked did so in the application, and that is a finding.
            unanswered.extend(ended.ok().flatten());
        }
        unanswered
    }
}

/// Sends one request and does with the response what its client does. None if there is none in time.
async fn answer(
    app: &impl App,
    connection: Arc<Connection>,
    exchange: Exchange,
    patience: Duration,
) -> Option<Result<()>> {
    let Exchange { head, body, takes, .. } = exchange;
    // The requests are known to be well-formed.
    let (parts, ()) = head.body(()).ok()?.into_parts();
    let method = parts.method.clone();
    let input = match body {
        Body::None => Input::empty(),
        body => Input::new(Arriving { left: body.length(), blocks: body.blocks(), waits: true }),
    };
    let mut call = pin!(app.call(Environ::new(parts, input, connection), StartResponse::new()));
    if takes == Takes::Nothing {
        let _ = poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx))).await;
        return Some(Ok(()));
    }
    let response = match time::timeout(patience, call).await.ok()? {
        Ok(response) => response,
        Err(error) => return Some(Err(error)),
    };
    let is_bodiless = matches!(response.status().code(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if takes != Takes::Head && method != Method::HEAD && !is_bodiless {
        // Some bodies never end.
        let _ = time::timeout(patience.min(ENOUGH_TIME), read(response, takes)).await;
    }
    Some(Ok(()))
}

/// A client leaves after so much of a body.
const ENOUGH_TIME: Duration = Duration::from_secs(5);
const ENOUGH_BYTES: usize = 64 << 20;

async fn read(response: Response, takes: Takes) -> Result<()> {
    let mut body = response.into_parts().2;
    let mut taken = 0;
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        taken += frame?.data_ref().map_or(0, Bytes::len);
        if taken > ENOUGH_BYTES || takes == Takes::FirstBlock {
            break;
        }
    }
    Ok(())
}

/// A request's body, of which each block is waited for once.
struct Arriving {
    blocks: VecDeque<Result<Bytes, Error>>,
    /// What is still to come, if that is known.
    left: Option<u64>,
    waits: bool,
}

impl http_body::Body for Arriving {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        self.waits = !self.waits;
        if !self.waits {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let block = self.blocks.pop_front();
        if let (Some(Ok(block)), Some(left)) = (&block, &mut self.left) {
            *left -= block.len() as u64;
        }
        Poll::Ready(block.map(|block| block.map(Frame::data)))
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map(SizeHint::with_exact).unwrap_or_default()
    }
}
