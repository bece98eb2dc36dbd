//! Limits and times of a server.

use std::time::Duration;

/// How much a client may send, and how long it may take over it.
///
/// Times are kept to within half a second: one clock serves all connections.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Largest request body in bytes; a larger one is answered with 413.
    pub body: u64,
    /// Longest request target in bytes; a longer one is answered with 414.
    pub target: usize,
    /// Largest request head in bytes; a larger one, or one of more than 100 fields, is answered with 431.
    pub head: usize,
    /// Most connections at once; further ones wait in the listener's backlog.
    pub connections: usize,
    /// Time for a request's head, from its first byte.
    pub head_time: Duration,
    /// Time that a connection may idle between requests, and before its first.
    pub idle_time: Duration,
    /// Time without a byte of a request's body while the application waits for one.
    pub body_time: Duration,
    /// Slowest rate of a request's body in bytes per second, once it has been waited for 20 s in all.
    pub body_rate: u64,
    /// Time in which the client takes nothing of a response.
    pub write_time: Duration,
    /// Time in which a client that has sent FIN still gets its answer, from its FIN or the last byte written.
    pub half_close_time: Duration,
    /// Time that a connection must have idled to be closed at a shutdown. One that was used a moment ago may have its
    /// next request on the way, which would be lost; until then it is answered, with `Connection: close`.
    pub drain_idle_time: Duration,
    /// Time in which running requests may finish at a shutdown.
    pub graceful_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            body: 1 << 30,
            target: 8 * 1024,
            head: 40 * 1024,
            connections: 16_384,
            head_time: Duration::from_secs(20),
            idle_time: Duration::from_secs(75),
            body_time: Duration::from_secs(30),
            body_rate: 500,
            write_time: Duration::from_secs(60),
            half_close_time: Duration::from_secs(1),
            drain_idle_time: Duration::from_secs(5),
            graceful_time: Duration::from_secs(25),
        }
    }
}
