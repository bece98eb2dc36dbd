//! What can be said of a mount of programs.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use gateway_spec::Result;

use crate::{Capacity, Cgi, Limits, LoadError};

/// How many programs of a mount run at once unless it is said otherwise: they wait more than they compute.
const RUNNING: usize = 64;

/// How many requests wait for one of those to end.
const QUEUE: usize = 1024;

/// How a mount's programs are run.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) times: Times,
    pub(crate) stream: bool,
    pub(crate) nph: bool,
    pub(crate) indexed: bool,
    /// The folders whose files programs may have sent, without symbolic links in their paths.
    pub(crate) sendfile: Vec<PathBuf>,
    pub(crate) limits: Limits,
    /// The mount's own.
    pub(crate) capacity: Capacity,
    /// Those that it shares with other mounts.
    pub(crate) shared_capacity: Option<Capacity>,
}

/// How long programs may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    /// For the header block.
    pub(crate) head: Duration,
    /// Between two blocks of the body.
    pub(crate) idle: Duration,
    /// In all.
    pub(crate) total: Option<Duration>,
}

impl Default for Settings {
    fn default() -> Self {
        const MINUTE: Duration = Duration::from_secs(60);
        Settings {
            times: Times { head: MINUTE, idle: MINUTE, total: None },
            stream: false,
            nph: false,
            indexed: false,
            sendfile: Vec::new(),
            limits: Limits::default(),
            capacity: Capacity::new(RUNNING, QUEUE),
            shared_capacity: None,
        }
    }
}

impl Cgi {
    /// How long a program may take for its header block, and be silent afterwards. 60 seconds unless it is set.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        (self.settings.times.head, self.settings.times.idle) = (timeout, timeout);
        self
    }

    /// How long a program may take for its header block, if that is another time than the [timeout](Self::timeout).
    pub fn head_timeout(mut self, timeout: Duration) -> Self {
        self.settings.times.head = timeout;
        self
    }

    /// How long a program may run in all. It may run for ever unless this is set.
    pub fn total_timeout(mut self, timeout: Duration) -> Self {
        self.settings.times.total = Some(timeout);
        self
    }

    /// Whether a program is started before the request's body is there, and reads it as it arrives. `CONTENT_LENGTH` is
    /// then not known of a chunked body.
    pub fn stream(mut self, stream: bool) -> Self {
        self.settings.stream = stream;
        self
    }

    /// Whether programs whose names begin with `nph-` write whole HTTP responses (RFC 3875, section 5).
    pub fn nph(mut self, nph: bool) -> Self {
        self.settings.nph = nph;
        self
    }

    /// Whether the words of an indexed query become arguments (RFC 3875, section 4.4).
    pub fn indexed(mut self, indexed: bool) -> Self {
        self.settings.indexed = indexed;
        self
    }

    /// Whether programs are given the `Authorization` header, which has the client's password.
    pub fn pass_authorization(mut self, pass: bool) -> Self {
        self.variables.pass_authorization = pass;
        self
    }

    /// Whether programs run that their group or others can write to.
    pub fn allow_writable(mut self, allow: bool) -> Self {
        self.programs.allow_writable = allow;
        self
    }

    /// Has `interpreter` run the files whose names end in `suffix`. An empty path has them run themselves. All other
    /// files of the folder are no programs from then on: they are neither run nor known to be there.
    ///
    /// # Errors
    /// If there is no program at `interpreter`.
    pub fn interpreter(mut self, suffix: &str, interpreter: impl AsRef<Path>) -> Result<Self, LoadError> {
        let interpreter = Some(interpreter.as_ref()).filter(|path| !path.as_os_str().is_empty());
        self.programs.add_interpreter(suffix, interpreter)?;
        Ok(self)
    }

    /// Adds a variable to every program's environment, which else has the request's and `PATH`.
    ///
    /// # Errors
    /// If the name is one of the protocol's (`HTTP_*`, `REMOTE_USER` …), or name or value cannot be in an environment.
    pub fn variable(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Result<Self, LoadError> {
        self.variables.configure(name.into(), value.into())?;
        Ok(self)
    }

    /// Sets `DOCUMENT_ROOT`, from which `PATH_TRANSLATED` is made: the programs' folder unless it is set.
    pub fn document_root(mut self, folder: impl Into<PathBuf>) -> Self {
        self.variables.document_root = folder.into();
        self
    }

    /// Lets programs have the files in `folder` sent in their place, by the field `X-Sendfile`.
    ///
    /// # Errors
    /// If there is no such folder.
    pub fn sendfile(mut self, folder: impl AsRef<Path>) -> Result<Self, LoadError> {
        let path = folder.as_ref();
        let folder = fs::canonicalize(path).map_err(|source| LoadError::Unreadable { path: path.into(), source })?;
        self.settings.sendfile.push(folder);
        Ok(self)
    }

    /// What a program may use of the system.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.settings.limits = limits;
        self
    }

    /// How many programs run at once, and how many requests wait for that: 64 and 1024 unless it is set. Who does not
    /// even find room to wait gets a 503.
    pub fn capacity(mut self, capacity: Capacity) -> Self {
        self.settings.capacity = capacity;
        self
    }

    /// A capacity that several mounts share, each beside its own.
    pub fn shared_capacity(mut self, capacity: Capacity) -> Self {
        self.settings.shared_capacity = Some(capacity);
        self
    }
}
