//! What goes wrong, as people read it, and as scripts do.

use std::{error::Error, fmt, process::ExitCode};

/// Why the command ends without having done what it was asked to.
#[derive(Debug)]
pub(super) enum Failure {
    /// The command line cannot be understood; or help or the version was asked for, which is no failure.
    Arguments(clap::Error),
    /// The command line, the environment or the configuration file asks for what cannot be.
    Usage(Report),
    /// The system refuses something.
    Runtime(Report),
    /// Targets cannot be loaded.
    Load(Vec<Report>),
    /// A worker has said so: its exit code, and the report that it would have printed.
    Worker(u8, String),
}

/// What happened, why, and what to do about it.
#[derive(Debug)]
pub(super) struct Report {
    what: String,
    /// What another program says in several lines: a traceback.
    quote: Option<String>,
    causes: Vec<String>,
    tip: Option<String>,
}

impl Failure {
    /// Tells the person at the terminal.
    pub(super) fn print(&self) {
        match self {
            Failure::Arguments(error) => {
                // With standard output or error closed there is nobody to tell.
                let _ = error.print();
            }
            failure => eprint!("{failure}"),
        }
    }

    pub(super) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code())
    }

    pub(super) fn code(&self) -> u8 {
        match self {
            Failure::Arguments(error) if error.exit_code() == 0 => 0,
            Failure::Runtime(_) => 1,
            Failure::Arguments(_) | Failure::Usage(_) => 2,
            Failure::Load(_) => 3,
            Failure::Worker(code, _) => *code,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Arguments(error) => write!(f, "{error}"),
            Failure::Usage(report) | Failure::Runtime(report) => write!(f, "{report}"),
            Failure::Load(reports) => reports.iter().try_for_each(|report| write!(f, "{report}")),
            Failure::Worker(_, report) => f.write_str(report),
        }
    }
}

impl From<clap::Error> for Failure {
    fn from(error: clap::Error) -> Self {
        Failure::Arguments(error)
    }
}

impl Report {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Report { what: what.into(), quote: None, causes: Vec::new(), tip: None }
    }

    /// Adds an error and its sources.
    pub(super) fn because(mut self, error: &dyn Error) -> Self {
        let chain = std::iter::successors(Some(error), |&error| error.source());
        self.causes.extend(chain.map(ToString::to_string));
        self
    }

    #[cfg(feature = "python")]
    pub(super) fn quote(mut self, text: Option<&str>) -> Self {
        self.quote = text.map(str::to_owned);
        self
    }

    pub(super) fn tip(mut self, tip: impl Into<String>) -> Self {
        self.tip = Some(tip.into());
        self
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "error: {}", self.what)?;
        for line in self.quote.iter().flat_map(|quote| quote.lines()) {
            writeln!(f, "  | {line}")?;
        }
        for cause in &self.causes {
            writeln!(f, "  cause: {cause}")?;
        }
        match &self.tip {
            Some(tip) => writeln!(f, "  tip: {tip}"),
            None => Ok(()),
        }
    }
}
