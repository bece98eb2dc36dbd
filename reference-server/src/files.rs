//! Files of a directory, as an App.

mod listing;
mod resolve;

use std::{
    fs::{File, Metadata},
    future::{Ready, ready},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use gateway_spec::{App, Body, Environ, Error, FileRange, Response, Result, StartResponse};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header, request::Parts};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, percent_encode, utf8_percent_encode};
use tower_http::services::fs::{Backend, ServeDir, TokioFile};

use resolve::{Root, SitePath};

/// An App that serves the files below a directory: whole, in ranges, and only if they have changed.
///
/// * Nothing outside the directory is served, whatever the path says and wherever a symbolic link leads; and nothing
///   but regular files.
/// * Names that begin with `.` or end with `~` are not served. A symbolic link with another name may lead to them.
/// * A directory is its `index.html`; or its [listing], if that is switched on; or absent.
/// * Text is declared to be UTF-8.
///
/// It has to be called inside a tokio runtime, whose blocking threads do what waits for the disk.
///
/// [listing]: Files::listing
#[derive(Clone, Debug)]
pub struct Files {
    root: Arc<Root>,
    listing: bool,
}

impl Files {
    /// Serves the directory `root`.
    ///
    /// # Errors
    /// If `root` is no directory, or cannot be looked up.
    pub fn new(root: impl AsRef<Path>) -> io::Result<Self> {
        Ok(Files { root: Arc::new(Root::new(root.as_ref())?), listing: false })
    }

    /// Whether a directory without an `index.html` shows what is in it. It does not unless it is told to.
    pub fn listing(mut self, listing: bool) -> Self {
        self.listing = listing;
        self
    }

    /// What there is at `path`. Blocks for as long as the disk does.
    fn find(&self, path: &SitePath, script_name: &str) -> io::Result<Found> {
        let Some((file, metadata)) = self.root.open(path)? else { return Ok(Found::Nothing) };
        if metadata.is_file() {
            let name = path.names().last().cloned().unwrap_or_default();
            return Ok(if path.has_slash { Found::Nothing } else { Found::File { name, file, metadata } });
        }
        let index = self.root.open(&path.join(INDEX))?.filter(|(_, metadata)| metadata.is_file());
        match index {
            // Where the files are mounted is no secret; whether a directory is there may be one.
            _ if !path.has_slash && (index.is_some() || self.listing || path.names().is_empty()) => {
                Ok(Found::Directory)
            }
            Some((file, metadata)) => Ok(Found::File { name: INDEX.to_vec(), file, metadata }),
            None if self.listing && path.has_slash => {
                let entries = listing::read(&self.root, path, &file)?;
                Ok(Found::Listing(listing::page(script_name, path, &entries).into_string()))
            }
            None => Ok(Found::Nothing),
        }
    }
}

const INDEX: &[u8] = b"index.html";

/// What a path leads to.
enum Found {
    Nothing,
    File {
        name: Vec<u8>,
        file: File,
        metadata: Metadata,
    },
    /// A directory whose path lacks the slash at its end, without which relative links in it go astray.
    Directory,
    Listing(String),
}

impl App for Files {
    async fn call(&self, environ: Environ, start_response: StartResponse) -> Result<Response> {
        match *environ.method() {
            Method::GET | Method::HEAD => {}
            Method::OPTIONS => return Ok(start_response.start(StatusCode::NO_CONTENT, [ALLOW])?.body(())),
            _ => return message(&environ, start_response, StatusCode::METHOD_NOT_ALLOWED, [ALLOW]),
        }
        let Some(path) = SitePath::parse(environ.raw_path_info()) else {
            return message(&environ, start_response, StatusCode::NOT_FOUND, []);
        };
        let (files, sought, script_name) = (self.clone(), path.clone(), environ.script_name().into_owned());
        let found = tokio::task::spawn_blocking(move || files.find(&sought, &script_name));
        match found.await.map_err(Error::new)?? {
            Found::Nothing => message(&environ, start_response, StatusCode::NOT_FOUND, []),
            Found::Directory => {
                let location = HeaderValue::try_from(with_slash(&environ, &path)).map_err(Error::new)?;
                message(&environ, start_response, StatusCode::MOVED_PERMANENTLY, [(header::LOCATION, location)])
            }
            Found::Listing(page) => {
                let policy = HeaderValue::from_static(listing::POLICY);
                let headers = [(header::CONTENT_SECURITY_POLICY, policy)];
                text(&environ, start_response, StatusCode::OK, "text/html; charset=utf-8", page, headers)
            }
            Found::File { name, file, metadata } => {
                let (request, _) = environ.into_request().into_parts();
                let (status, headers) = head(&request, &name, &metadata).await?;
                let body = match request.method {
                    Method::HEAD => Body::empty(),
                    _ => part(status, &headers, file, metadata.len())?,
                };
                Ok(start_response.start(status, headers)?.body(body))
            }
        }
    }
}

type Header = (header::HeaderName, HeaderValue);

const ALLOW: Header = (header::ALLOW, HeaderValue::from_static("GET, HEAD, OPTIONS"));
const NOSNIFF: Header = (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));

/// A response that says in its body no more than its status does.
fn message<const N: usize>(
    environ: &Environ,
    start_response: StartResponse,
    status: StatusCode,
    headers: [Header; N],
) -> Result<Response> {
    text(environ, start_response, status, "text/plain; charset=utf-8", format!("{status}\n"), headers)
}

fn text<const N: usize>(
    environ: &Environ,
    start_response: StartResponse,
    status: StatusCode,
    content_type: &'static str,
    text: String,
    headers: [Header; N],
) -> Result<Response> {
    let mut all = HeaderMap::from_iter(headers);
    all.extend([NOSNIFF, (header::CONTENT_TYPE, HeaderValue::from_static(content_type))]);
    all.insert(header::CONTENT_LENGTH, text.len().into());
    let body = if environ.method() == Method::HEAD { Body::empty() } else { text.into() };
    Ok(start_response.start(status, all)?.body(body))
}

/// All that a name may need to be one segment of a path: not even a `:` is left, which would end a scheme.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The path from the server's root to `names` below the mount, encoded, with one slash before each name and one at its
/// end. Since it is put together anew, it cannot begin with the `//` that would make a host of the first name.
fn directory_path(script_name: &str, names: &[Vec<u8>]) -> String {
    let mount = script_name.split('/').filter(|name| !name.is_empty()).map(str::as_bytes);
    let mut path = String::from("/");
    for name in mount.chain(names.iter().map(Vec::as_slice)) {
        path.extend(percent_encode(name, SEGMENT));
        path.push('/');
    }
    path
}

/// Where a directory without its slash is to be found: there, with the slash and the query.
fn with_slash(environ: &Environ, path: &SitePath) -> String {
    let mut target = directory_path(&environ.script_name(), path.names());
    if !environ.query().is_empty() {
        target.push('?');
        target.extend(utf8_percent_encode(environ.query(), CONTROLS));
    }
    target
}

/// Status and headers for a file. [`ServeDir`] decides: preconditions, range, type and validators are its trade.
async fn head(request: &Parts, name: &[u8], metadata: &Metadata) -> Result<(StatusCode, HeaderMap)> {
    let (mut status, mut headers) = serve(request, name, metadata, None).await?;
    // Range is defined for GET only (RFC 9110, section 14.2), and comes after the preconditions (section 13.2.2). Of an
    // empty file there is no part to send, so it is sent whole.
    if let Some(range) = request.headers.get(header::RANGE).filter(|range| is_in_bytes(range))
        && request.method == Method::GET
        && status == StatusCode::OK
        && metadata.len() > 0
        && request.headers.get(header::IF_RANGE).is_none_or(|validator| is_current(validator, &headers))
    {
        (status, headers) = serve(request, name, metadata, Some(range)).await?;
    }
    headers.extend([NOSNIFF]);
    if let Some(content_type) = headers.get_mut(header::CONTENT_TYPE)
        && content_type.as_bytes().starts_with(b"text/")
    {
        let text = [content_type.as_bytes(), b"; charset=utf-8"].concat();
        *content_type = HeaderValue::try_from(text).map_err(Error::new)?;
    }
    Ok((status, headers))
}

async fn serve(
    request: &Parts,
    name: &[u8],
    metadata: &Metadata,
    range: Option<&HeaderValue>,
) -> Result<(StatusCode, HeaderMap)> {
    // The name tells the type; a HEAD makes it look at the metadata only, and leaves the one open file to us.
    let path = format!("/{}", utf8_percent_encode(&String::from_utf8_lossy(name), SEGMENT));
    let mut asked = Request::head(path).body(()).map_err(Error::new)?;
    for condition in [header::IF_MATCH, header::IF_NONE_MATCH, header::IF_MODIFIED_SINCE, header::IF_UNMODIFIED_SINCE] {
        if let Some(value) = request.headers.get(&condition) {
            asked.headers_mut().insert(condition, value.clone());
        }
    }
    asked.headers_mut().extend(range.map(|range| (header::RANGE, range.clone())));
    let mut service = ServeDir::with_backend("", OpenedFile(metadata.clone())).ignore_multi_range_requests(true);
    let (head, _) = service.try_call(asked).await?.into_parts();
    Ok((head.status, head.headers))
}

/// Whether a Range header is in the one unit that we understand; others are ignored (RFC 9110, section 14.2).
fn is_in_bytes(range: &HeaderValue) -> bool {
    range.as_bytes().get(..6).is_some_and(|unit| unit.eq_ignore_ascii_case(b"bytes="))
}

/// Whether If-Range names what `headers` are about: its ETag, or its exact date (RFC 9110, section 13.1.5). A weak ETag
/// is never equal, since ours are strong.
fn is_current(validator: &HeaderValue, headers: &HeaderMap) -> bool {
    [header::ETAG, header::LAST_MODIFIED].iter().any(|name| headers.get(name) == Some(validator))
}

/// The part of the file that a response with this head has as its body.
fn part(status: StatusCode, headers: &HeaderMap, file: File, len: u64) -> Result<Body> {
    match status {
        StatusCode::OK => Ok(FileRange::new(file, 0, len).into()),
        StatusCode::PARTIAL_CONTENT => {
            let range = headers.get(header::CONTENT_RANGE).and_then(|range| range.to_str().ok());
            let range = range.and_then(first_and_last).filter(|(first, last)| first <= last && *last < len);
            let (first, last) = range.ok_or_else(|| Error::new("a 206 without a range of the file"))?;
            Ok(FileRange::new(file, first, last - first + 1).into())
        }
        _ => Ok(Body::empty()),
    }
}

/// The numbers of `bytes FIRST-LAST/LENGTH` (RFC 9110, section 14.4).
fn first_and_last(content_range: &str) -> Option<(u64, u64)> {
    let (range, _) = content_range.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    Some((first.parse().ok()?, last.parse().ok()?))
}

/// A file that is open already, as a [`Backend`] that knows no other.
#[derive(Clone)]
struct OpenedFile(Metadata);

impl Backend for OpenedFile {
    type File = TokioFile;
    type Metadata = Metadata;
    type OpenFuture = Ready<io::Result<TokioFile>>;
    type MetadataFuture = Ready<io::Result<Metadata>>;

    fn open(&self, _path: PathBuf) -> Self::OpenFuture {
        ready(Err(io::ErrorKind::Unsupported.into()))
    }

    fn metadata(&self, _path: PathBuf) -> Self::MetadataFuture {
        ready(Ok(self.0.clone()))
    }
}

#[cfg(test)]
mod tests;
