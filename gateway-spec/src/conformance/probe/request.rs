//! A request to the probe: the environ, and the parameters in its query.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue};

use super::{
    events::{Events, Tells},
    failure,
};
use crate::{Environ, Error, Kind, Result, percent};

pub(super) struct Request {
    pub(super) environ: Environ,
    pub(super) events: Arc<Events>,
}

impl Request {
    pub(super) fn new(environ: Environ, events: Arc<Events>) -> Self {
        Request { environ, events }
    }

    /// The first segment of the path: what is asked for.
    pub(super) fn name(&self) -> String {
        let path = String::from_utf8_lossy(&self.environ.path_info()).into_owned();
        path.strip_prefix('/').and_then(|path| path.split('/').next()).unwrap_or_default().to_owned()
    }

    pub(super) fn key(&self) -> String {
        self.one("key")
    }

    pub(super) fn one(&self, name: &str) -> String {
        self.all(name).first().map(|value| String::from_utf8_lossy(value).into_owned()).unwrap_or_default()
    }

    pub(super) fn number(&self, name: &str, default: usize) -> usize {
        self.one(name).parse().unwrap_or(default)
    }

    pub(super) fn status(&self) -> String {
        let status = self.one("status");
        if status.is_empty() { "200 OK".to_owned() } else { status }
    }

    /// `?header=Name:value`..
    pub(super) fn headers(&self) -> Result<HeaderMap> {
        let mut headers = HeaderMap::new();
        for header in self.all("header") {
            let colon = header.iter().position(|&byte| byte == b':').unwrap_or(header.len());
            let name = HeaderName::from_bytes(&header[..colon]).map_err(head_error)?;
            let value = HeaderValue::from_bytes(header.get(colon + 1..).unwrap_or_default()).map_err(head_error)?;
            headers.append(name, value);
        }
        Ok(headers)
    }

    /// `?block`.., and `?size=N`.. of a pattern.
    pub(super) fn blocks(&self) -> Vec<Vec<u8>> {
        let sizes = self.all("size").into_iter().filter_map(|size| String::from_utf8_lossy(&size).parse().ok());
        let patterns = sizes.map(|size: usize| (0..=255).cycle().take(size).collect());
        self.all("block").into_iter().chain(patterns).collect()
    }

    pub(super) fn event(&self, line: impl Into<String>) {
        self.events.add(&self.key(), line);
    }

    /// A value that tells when it is dropped.
    pub(super) fn tells(&self, line: &'static str) -> Tells {
        Tells { events: self.events.clone(), key: self.key(), line }
    }

    /// Waits until `/release` is asked for, but no longer than `wait`.
    pub(super) fn released(&self, wait: Duration) -> impl Future<Output = &'static str> + Send + use<> {
        let (events, key) = (self.events.clone(), self.key());
        async move {
            events.add(&key, "held");
            if events.released(&key, wait).await { "released" } else { "timeout" }
        }
    }

    /// # Errors
    /// If it is asked for: `?fail=WHEN`.
    pub(super) fn fail(&self, when: &str) -> Result<()> {
        if self.one("fail") == when { Err(failure(&self.one("kind"))) } else { Ok(()) }
    }

    fn all(&self, name: &str) -> Vec<Vec<u8>> {
        let pairs = self.environ.query().split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter(|(key, _)| *key == name).map(|(_, value)| percent::decode(value).into_owned()).collect()
    }
}

fn head_error(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::with_kind(Kind::Head, error)
}
