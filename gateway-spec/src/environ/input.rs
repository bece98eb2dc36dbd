//! The request's body: its length, and who reads it.

use http::{HeaderMap, HeaderValue, header};

use super::Environ;
use crate::{Input, Result};

/// The body.
impl Environ {
    /// The request's body.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// async fn app(mut environ: Environ, start_response: StartResponse) -> Result<Response> {
    ///     let mut bytes = 0;
    ///     while let Some(block) = environ.input().chunk().await {
    ///         bytes += block?.len();
    ///     }
    ///     Ok(start_response.start(200, ())?.body(format!("{bytes} bytes\n")))
    /// }
    /// # fn is_app(_: impl App) {}
    /// # is_app(app);
    /// ```
    pub fn input(&mut self) -> &mut Input {
        &mut self.0.input
    }

    /// Takes the request's body out, leaving an empty one: to keep it longer than the environ.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// // Sends back what comes in, as it comes in.
    /// async fn app(mut environ: Environ, start_response: StartResponse) -> Result<Response> {
    ///     let mut input = environ.take_input();
    ///     Ok(start_response.start(200, ())?.write(async move |mut out| {
    ///         while let Some(block) = input.chunk().await {
    ///             out.write(block?).await?;
    ///         }
    ///         Ok(())
    ///     }))
    /// }
    /// # fn is_app(_: impl App) {}
    /// # is_app(app);
    /// ```
    pub fn take_input(&mut self) -> Input {
        std::mem::replace(&mut self.0.input, Input::empty())
    }

    /// The body's length in bytes: None if there is no body, or its length is not known before its end.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// fn is_large(environ: &Environ) -> bool {
    ///     environ.content_length().is_none_or(|length| length > 1 << 20)
    /// }
    /// ```
    pub fn content_length(&self) -> Option<u64> {
        let headers = &self.0.parts.headers;
        match self.0.input.len() {
            // "Content-Length: 0" is a body of no bytes; a request without it has none.
            Some(0) if !headers.contains_key(header::CONTENT_LENGTH) => None,
            Some(length) if self.0.input.is_received() => Some(length),
            _ => declared_length(headers),
        }
    }

    /// Whether the client waits for `100 Continue` before it sends the body: the server sends that when the body is first
    /// read (RFC 9110, section 10.1.1).
    ///
    /// ```
    /// # use gateway_spec::*;
    /// async fn app(mut environ: Environ, start_response: StartResponse) -> Result<Response> {
    ///     if environ.expects_continue() && environ.content_length() > Some(1 << 20) {
    ///         // Nothing was read, so the client is not told to go on.
    ///         return Ok(start_response.start(413, ())?.body("Too large\n"));
    ///     }
    ///     let body = environ.input().read_all(1 << 20).await?;
    ///     Ok(start_response.start(200, ())?.body(body))
    /// }
    /// # fn is_app(_: impl App) {}
    /// # is_app(app);
    /// ```
    pub fn expects_continue(&self) -> bool {
        !self.0.input.is_received() && self.0.parts.headers.contains_key(header::EXPECT)
    }

    /// Receives the body whole, as [`Input::spool`] does, so that CONTENT_LENGTH is known and exact.
    ///
    /// ```
    /// # use gateway_spec::*;
    /// async fn app(mut environ: Environ, start_response: StartResponse) -> Result<Response> {
    ///     environ.spool_input(512 * 1024).await?;
    ///     // Chunked or not, the length is known now.
    ///     let length = environ.content_length().unwrap_or_default();
    ///     Ok(start_response.start(200, ())?.body(format!("{length} bytes\n")))
    /// }
    /// # fn is_app(_: impl App) {}
    /// # is_app(app);
    /// ```
    ///
    /// # Errors
    /// Those of [`Input::spool`].
    pub async fn spool_input(&mut self, memory: usize) -> Result<()> {
        if self.0.input.is_received() {
            return Ok(());
        }
        self.0.input = self.take_input().spool(memory, &self.0.connection.host().blocking).await?;
        if self.0.input.is_empty() && self.0.parts.headers.contains_key(header::TRANSFER_ENCODING) {
            // A chunked body of no bytes is a body.
            self.0.parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        Ok(())
    }
}

/// The body's length as the client has declared it. None if what it says is no number.
pub(super) fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
