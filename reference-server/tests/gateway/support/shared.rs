//! Servers that tests share while they run at the same time.

use std::sync::{Arc, Mutex, Weak};

use super::server::{Server, lock};

/// A server that tests share while they run at the same time. The last of them stops it.
pub(crate) struct Shared {
    server: Mutex<Weak<Server>>,
    start: fn() -> Server,
}

/// Two such servers: one with threads for Python, and one that calls Python inside its event loop.
pub(crate) struct BothWays {
    threads: Shared,
    inline: Shared,
}

impl Shared {
    pub(crate) const fn new(start: fn() -> Server) -> Self {
        Shared { server: Mutex::new(Weak::new()), start }
    }

    pub(crate) fn server(&self) -> Arc<Server> {
        let mut shared = lock(&self.server);
        if let Some(server) = shared.upgrade() {
            return server;
        }
        let server = Arc::new((self.start)());
        *shared = Arc::downgrade(&server);
        server
    }
}

impl BothWays {
    pub(crate) const fn new(threads: fn() -> Server, inline: fn() -> Server) -> Self {
        BothWays { threads: Shared::new(threads), inline: Shared::new(inline) }
    }

    /// Runs a case with each of them.
    pub(crate) fn each(&self, case: impl Fn(Arc<Server>)) {
        case(self.threads.server());
        case(self.inline.server());
    }
}
