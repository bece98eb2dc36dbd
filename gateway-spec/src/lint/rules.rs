//! What is looked for: one table, from which findings, documentation and tests take their words.
//!
//! ```
//! use gateway_spec::{Lint, lint::rules};
//! # use gateway_spec::{Environ, Response, Result, StartResponse};
//! # async fn hello(_: Environ, start_response: StartResponse) -> Result<Response> {
//! #     Ok(start_response.start(200, [("content-type", "text/plain")])?.body("Hello!\n"))
//! # }
//!
//! // Everything but work that blocks, which this machine is too busy to judge.
//! let app = Lint::new(hello).report_to(|finding| {
//!     if finding.rule != rules::BLOCKS.id {
//!         eprintln!("{finding}");
//!     }
//! });
//! ```

use super::Side;

/// Something that is looked for.
///
/// ```
/// use gateway_spec::lint::{Rule, rules};
///
/// let Rule { id, clause, what, .. } = rules::TOO_FEW;
/// assert_eq!((id, clause), ("too-few-bytes", "G-7.6"));
/// assert_eq!(what, "the body has as many bytes as Content-Length says");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Rule {
    /// Its name: `content-type-missing`.
    pub id: &'static str,
    /// The clause of the contract that it checks.
    pub clause: &'static str,
    /// Whom it checks.
    pub side: Side,
    /// What is right.
    pub what: &'static str,
}

/// Declares the rules, and the table of all of them.
macro_rules! rules {
    ($($name:ident $id:literal $clause:literal $side:ident $what:literal;)*) => {
        $(
            #[doc = concat!("`", $id, "` (", $clause, "): ", $what, ".")]
            pub const $name: Rule = Rule { id: $id, clause: $clause, side: Side::$side, what: $what };
        )*

        /// All rules.
        ///
        /// ```
        /// use gateway_spec::lint::{RULES, Side};
        ///
        /// for rule in RULES.iter().filter(|rule| rule.side == Side::Application) {
        ///     println!("{} ({}): {}", rule.id, rule.clause, rule.what);
        /// }
        /// ```
        pub const RULES: &[Rule] = &[$($name),*];
    };
}

rules! {
    // the environ
    SCRIPT_NAME "script-name" "G-3.5" Server "SCRIPT_NAME is empty, or begins with \"/\" and is not \"/\" alone";
    ASTERISK "asterisk" "G-3.5" Server "a PATH_INFO of \"*\" comes with OPTIONS only";
    PATH "path" "G-3.4" Server "SCRIPT_NAME and PATH_INFO are the path together, and it is never empty";
    TARGET_HOST "target-host" "G-3.13" Server "the host of an absolute target is that of the request";
    HOST "host" "G-8.6" Server "a request has exactly one Host; with HTTP/1.0 it may have none";
    SERVER_NAME "server-name" "G-3.11" Server "the host is a name or an address, with or without a port";
    EMPTY_KEY "empty-key" "G-3.2" Server "a CGI key without a value is left out";
    KEY_NAME "key-name" "G-3.24" Server "a server's own key is in lower case, with its maker's name and a dot in front";
    UNKNOWN_KEY "unknown-key" "G-3.24" Server "a key in upper case is one that RFC 3875 or the contract knows";
    FRAMING "framing" "G-8.7" Server "Content-Length is one number";
    INPUT_LENGTH "input-length" "G-3.14" Server "Input yields exactly CONTENT_LENGTH bytes";

    // the call
    PANIC "panic" "G-2.15" Application "an application does not panic: what goes wrong is an error";
    FAILS "fails" "G-2.15" Application "an application answers what goes wrong by itself";
    BLOCKS "blocks" "G-2.9" Application "work that blocks is left to the host's blocking capability";
    GOES_ON "goes-on" "G-7.17" Application "work for a response ends when that is dropped";
    KEPT "kept" "G-7.17" Application "what belongs to a request is let go of when its response is over";

    // the head
    STATUS "status" "G-6.4" Application "a status is final and from 200 to 599, its reason without control characters";
    SECOND_START "second-start" "G-9.5" Application "start_response is called again only to replace what was not returned";
    HEADER "header" "G-6.7" Application "a header's name is a token, and its value has no control characters";
    HOP_BY_HOP "hop-by-hop" "G-6.9" Application "headers about the connection are the server's";
    STATUS_HEADER "status-header" "G-6.13" Application "there is no header Status: start_response takes the status";
    HEADER_END "header-end" "G-6.18" Application "a header's name does not end with \"-\" or \"_\"";
    TYPE_MISSING "content-type-missing" "G-6.14" Application "a body comes with a Content-Type";
    TYPE_UNWANTED "content-type-unwanted" "G-6.14" Application "204 and 304 come without Content-Type";
    LENGTH_UNWANTED "content-length-unwanted" "G-6.19" Application "204 comes without Content-Length";
    LENGTH "content-length" "G-7.6" Application "Content-Length is one number";

    // the body
    LENGTH_DIFFERS "content-length-differs" "G-7.18" Application "Content-Length is the length that the body has";
    TOO_FEW "too-few-bytes" "G-7.6" Application "the body has as many bytes as Content-Length says";
    TOO_MANY "too-many-bytes" "G-7.6" Application "the body has no more bytes than Content-Length says";
    SIZE_HINT "size-hint" "G-7.19" Application "a body that says how long it is says the truth";
    WRITE "write" "G-7.20" Application "a write is awaited";
    BODY_LEFT "body-left" "G-7.1" Server "a body that is wanted is asked for its blocks";
    PULLED_ON "pulled-on" "G-7.11" Server "a body that has ended or failed is not asked again";

    // what an adapter sees of a Python callable (PEP 3333), and of the host that calls it
    WSGI_ENVIRON "wsgi-environ" "G-10.1" Server "environ is a dict with every key that PEP 3333 names, of its type";
    WSGI_CALLABLE "wsgi-callable" "G-1.1" Application "a callable takes two positional arguments";
    WSGI_ENVIRON_CHANGED "wsgi-environ-changed" "G-3.25" Application "a key that is always there stays, with a value of its type";
    WSGI_START_RESPONSE "wsgi-start-response" "G-10.31" Application "start_response takes a str, a list of tuples (str, str), and what sys.exc_info() returns or nothing";
    WSGI_NO_START "wsgi-no-start" "G-6.2" Application "start_response is called before the first block, or the end";
    WSGI_RESULT "wsgi-result" "G-10.32" Application "a callable returns an iterable of bytes objects, which is no str or bytes itself";
    WSGI_BLOCK "wsgi-block" "G-10.32" Application "every block of a body is a bytes object";
    WSGI_WRITE "wsgi-write" "G-10.33" Application "write() takes a bytes object, and is not called while the iterable runs";
    WSGI_STREAM "wsgi-stream" "G-10.34" Application "wsgi.input and wsgi.errors are used by the methods that PEP 3333 names";
    WSGI_INPUT_CLOSED "wsgi-input-closed" "G-4.11" Application "wsgi.input is the server's to close";
    WSGI_ERRORS_CLOSED "wsgi-errors-closed" "G-5.3" Application "wsgi.errors is the server's to close";
    WSGI_CLOSE "wsgi-close" "G-10.35" Application "close() raises nothing";
    WSGI_AFTER_CLOSE "wsgi-after-close" "G-7.11" Server "an iterable that is closed is not asked for another block";
}
