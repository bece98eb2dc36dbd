//! The options of `gateway serve`: the one table that flags, environment variables, the configuration file's keys and
//! the help texts come from.

use std::{fmt, path::PathBuf, str::FromStr};

use clap::{Arg, ArgAction, Args, ValueEnum, builder::BoolishValueParser};

use reference_server::access_log::{ATOMS, Format, FormatError, NAMES};

use super::{
    bind::{Bind, FileMode, Owner},
    nearest::did_you_mean,
    target::Mount,
};

pub(super) const ABOUT: &str = "\
Serve applications over HTTP.

A TARGET is [PREFIX=]KIND:WHAT, mounted at the path PREFIX, or else at /:

  wsgi:MODULE:CALLABLE      a Python WSGI callable (MODULE:CALLABLE alone will do)
  wsgi:MODULE:FACTORY()     what a Python function returns
  wsgi:FILE.py:CALLABLE     a callable in a file
  cgi:FOLDER, cgi:PROGRAM   CGI programs, or one
  static:FOLDER             files
  app:NAME                  a built-in Rust App: hello, echo, environ, probe or work";

pub(super) const EXAMPLES: &str = "\
Examples:
  gateway serve mysite.wsgi:application
  gateway serve /=wsgi:shop:app /static=static:public --bind 0.0.0.0:8000
  gateway serve /cgi-bin=cgi:cgi-bin /=static:site --listing --access-log -
  gateway serve mysite.wsgi:application --workers 4 --bind unix:/run/mysite.sock --socket-owner :www-data
  gateway serve --config gateway.toml --print-config

A configuration file has the long names of the options as keys, and a table of mounts. Paths in it are relative to it:
  bind = \"127.0.0.1:8000\"
  threads = 16

  [mount]
  \"/hello\" = \"app:hello\"
  \"/files\" = { target = \"static:files\", listing = true }
  \"/cgi-bin\" = { target = \"cgi:cgi-bin\", timeout = 60 }

A flag goes before an environment variable, that before the file, and that before the default.

Signals: TERM and INT end gracefully, a second one at once; QUIT ends at once; HUP reloads configuration and code without
losing a request; USR1 opens the access log anew; USR2 replaces the program itself; TTIN and TTOU add and remove a
worker; WINCH ends the workers and keeps listening.

Exit codes: 0 ended by a signal; 1 cannot serve (address in use); 2 usage or configuration; 3 a target cannot be loaded;
130, 143 ended at once by a second signal.";

#[derive(Args, Debug)]
pub(super) struct ServeOptions {
    /// What to serve, and where: [PREFIX=]KIND:WHAT with the kinds wsgi, cgi, static and app
    #[arg(value_name = "TARGET")]
    pub(super) targets: Vec<Mount>,

    /// Address to listen on: HOST:PORT, where port 0 takes a free one, unix:PATH, or fd://N, a socket that is inherited.
    /// May be given several times. PORT=N in the environment is 127.0.0.1:N. Sockets that systemd hands over
    /// (LISTEN_FDS) go before all of them
    #[arg(short, long, env = "GATEWAY_BIND", hide_env_values = true, value_name = "ADDRESS")]
    #[arg(default_value = "127.0.0.1:8000", value_delimiter = ',', action = ArgAction::Append)]
    pub(super) bind: Vec<Bind>,

    /// Mode of unix sockets, in octal: who may connect
    #[arg(long, env = "GATEWAY_SOCKET_MODE", hide_env_values = true, value_name = "MODE", default_value = "660")]
    pub(super) socket_mode: FileMode,

    /// Owner of unix sockets, by names or numbers
    #[arg(long, env = "GATEWAY_SOCKET_OWNER", hide_env_values = true, value_name = "USER[:GROUP]")]
    pub(super) socket_owner: Option<Owner>,

    /// Folder to change to first: relative paths, and Python's imports, begin there
    #[arg(long, env = "GATEWAY_CHDIR", hide_env_values = true, value_name = "FOLDER")]
    pub(super) chdir: Option<PathBuf>,

    /// How many calls of blocking applications, Python's among them, run at once (1 to 1024). With 1 they run inside
    /// the event loop: the fastest way if none ever takes long
    #[arg(long, env = "GATEWAY_THREADS", hide_env_values = true)]
    #[arg(value_name = "N", default_value = "32", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(super) threads: u16,

    /// How many calls may wait for a thread, in order of arrival; a further one is answered with 503 at once
    #[arg(long, env = "GATEWAY_QUEUE", hide_env_values = true)]
    #[arg(value_name = "N", default_value = "1024", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) queue: u32,

    /// How long one call of a Python application may take; 0 is without end. A longer one is answered with 504, its
    /// stack is logged, and it is interrupted
    #[arg(long, env = "GATEWAY_TIMEOUT", hide_env_values = true, value_name = "SECONDS", default_value = "300")]
    pub(super) timeout: u32,

    /// Worker processes. Python uses one core in each; begin with as many as there are cores. WEB_CONCURRENCY=N in the
    /// environment says the same
    #[arg(short, long, env = "GATEWAY_WORKERS", hide_env_values = true)]
    #[arg(value_name = "N", default_value = "1", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(super) workers: u16,

    /// CGI programs that run at once, those of all mounts together; a mount has a bound of its own beside it
    #[arg(long, env = "GATEWAY_CGI_CONCURRENCY", hide_env_values = true)]
    #[arg(value_name = "N", default_value = "256", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) cgi_concurrency: u32,

    /// Virtual environment that Python imports from; else VIRTUAL_ENV, if that is set
    #[arg(long, env = "GATEWAY_VENV", hide_env_values = true, value_name = "FOLDER")]
    pub(super) venv: Option<PathBuf>,

    /// Configuration file (TOML)
    #[arg(short, long, env = "GATEWAY_CONFIG", hide_env_values = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,

    /// Log each request to FILE, or to standard output (-)
    #[arg(long, env = "GATEWAY_ACCESS_LOG", hide_env_values = true, value_name = "FILE|-")]
    pub(super) access_log: Option<PathBuf>,

    /// What a line of the access log looks like: common, combined, json, or text with gunicorn's atoms, as in
    /// '%(h)s "%(r)s" %(s)s %(L)s %({user-agent}i)s'; more of them are %(queue)s, %(app)s, %(aborted)s and %(pid)s
    #[arg(long, env = "GATEWAY_ACCESS_LOG_FORMAT", hide_env_values = true)]
    #[arg(value_name = "FORMAT", default_value = "common", value_parser = log_format)]
    pub(super) access_log_format: Format,

    /// Show what is in folders of static targets that have no index.html
    #[arg(long, env = "GATEWAY_LISTING", hide_env_values = true, value_name = "BOOL", action = ArgAction::Set)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false")]
    #[arg(value_parser = BoolishValueParser::new())]
    pub(super) listing: bool,

    /// Watch applications, and the server, for breaches of the contract; each is logged once, with the clause, and for
    /// Python with the stack
    #[arg(long, env = "GATEWAY_LINT", hide_env_values = true, value_name = "BOOL", action = ArgAction::Set)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false")]
    #[arg(value_parser = BoolishValueParser::new())]
    pub(super) lint: bool,

    /// Largest request body, in bytes or with K, M or G behind the number
    #[arg(long, env = "GATEWAY_MAX_BODY", hide_env_values = true, value_name = "SIZE", default_value = "1G")]
    pub(super) max_body: Size,

    /// How long a client may take to send a request's head
    #[arg(long, env = "GATEWAY_HEAD_TIMEOUT", hide_env_values = true, value_name = "SECONDS", default_value = "20")]
    pub(super) head_timeout: u32,

    /// How long a client may leave a connection idle, before its first request and between two
    #[arg(long, env = "GATEWAY_KEEP_ALIVE", hide_env_values = true, value_name = "SECONDS", default_value = "75")]
    pub(super) keep_alive: u32,

    /// How long a client may send nothing of a request's body that is waited for
    #[arg(long, env = "GATEWAY_BODY_TIMEOUT", hide_env_values = true, value_name = "SECONDS", default_value = "30")]
    pub(super) body_timeout: u32,

    /// How long a client may take nothing of a response
    #[arg(long, env = "GATEWAY_WRITE_TIMEOUT", hide_env_values = true, value_name = "SECONDS", default_value = "60")]
    pub(super) write_timeout: u32,

    /// How long running requests may take to finish once the server is told to end
    #[arg(long, env = "GATEWAY_GRACEFUL_TIMEOUT", hide_env_values = true)]
    #[arg(value_name = "SECONDS", default_value = "25")]
    pub(super) graceful_timeout: u32,

    /// Import Python applications once, and fork the workers from the process that has: they start at once and share
    /// memory. Applications must not start threads, or open connections, while they are imported
    #[arg(long, env = "GATEWAY_PRELOAD", hide_env_values = true, value_name = "BOOL", action = ArgAction::Set)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false")]
    #[arg(value_parser = BoolishValueParser::new())]
    pub(super) preload: bool,

    /// For development: when a Python source or the configuration file changes, workers are replaced at once; what
    /// cannot be loaded is shown in the browser, and in the log, until it is mended
    #[arg(long, env = "GATEWAY_RELOAD", hide_env_values = true, value_name = "BOOL", action = ArgAction::Set)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false")]
    #[arg(value_parser = BoolishValueParser::new())]
    pub(super) reload: bool,

    /// Replace a worker that has answered so many requests; 0 is never. What takes its place serves first
    #[arg(long, env = "GATEWAY_MAX_REQUESTS", hide_env_values = true, value_name = "N", default_value = "0")]
    pub(super) max_requests: u32,

    /// Add up to so many to --max-requests, by chance, so that workers do not all come to it at once
    #[arg(long, env = "GATEWAY_MAX_REQUESTS_JITTER", hide_env_values = true, value_name = "N", default_value = "0")]
    pub(super) max_requests_jitter: u32,

    /// Replace a worker that has lived so long; 0 is never
    #[arg(long, env = "GATEWAY_MAX_WORKER_LIFETIME", hide_env_values = true)]
    #[arg(value_name = "SECONDS", default_value = "0")]
    pub(super) max_worker_lifetime: u32,

    /// Replace a worker that has grown to so much resident memory; 0 is never
    #[arg(long, env = "GATEWAY_MAX_WORKER_RSS", hide_env_values = true, value_name = "SIZE", default_value = "0")]
    pub(super) max_worker_rss: Size,

    /// How long a connection must have idled to be closed when the server, or a worker, ends; until then its next
    /// request is answered, with Connection: close
    #[arg(long, env = "GATEWAY_DRAIN_IDLE", hide_env_values = true, value_name = "SECONDS", default_value = "5")]
    pub(super) drain_idle: u32,

    /// Replace a worker that hangs for so long: by code that keeps the interpreter to itself, for one. Its Python stacks
    /// are logged first. Slow code is no hang. 0 is never
    #[arg(long, env = "GATEWAY_WORKER_TIMEOUT", hide_env_values = true, value_name = "SECONDS", default_value = "30")]
    pub(super) worker_timeout: u32,

    /// Address of the admin listener, HOST:PORT or unix:PATH: /healthz, /readyz, /metrics for Prometheus, /status for
    /// people, /status.json. Whoever can connect can read there what is requested
    #[arg(long, env = "GATEWAY_ADMIN", hide_env_values = true, value_name = "ADDRESS")]
    pub(super) admin: Option<Bind>,

    /// What to log on standard error
    #[arg(long, env = "GATEWAY_LOG_LEVEL", hide_env_values = true, value_name = "LEVEL", default_value = "info")]
    pub(super) log_level: LogLevel,

    /// Print all options and mounts in the form of a configuration file, and where each comes from, and exit
    #[arg(long)]
    pub(super) print_config: bool,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size(pub(super) u64);

/// The options that can be set in a file, and their keys there: all but those about the file itself.
pub(super) fn keys(serve: &clap::Command) -> impl Iterator<Item = (&str, &Arg)> {
    let options = serve.get_arguments().filter(|arg| arg.get_env().is_some() && arg.get_id() != "config");
    options.filter_map(|arg| Some((arg.get_long()?, arg)))
}

impl FromStr for Size {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.trim_end_matches(|character: char| character.is_ascii_alphabetic());
        let unit: u64 = match text[digits.len()..].to_ascii_uppercase().as_str() {
            "" => 1,
            "K" => 1 << 10,
            "M" => 1 << 20,
            "G" => 1 << 30,
            _ => return Err("the units are K, M and G, as in 16M"),
        };
        let count: u64 = digits.parse().map_err(|_| "write a number of bytes, as in 1048576 or 16M")?;
        count.checked_mul(unit).map(Size).ok_or("that is more than can be counted")
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

fn log_format(text: &str) -> Result<Format, String> {
    text.parse().map_err(|error: FormatError| {
        let hint = match &error {
            FormatError::Name(name) => format!("{}; there are {}", did_you_mean(name, NAMES), NAMES.join(", ")),
            FormatError::Atom(name) => {
                let names = ATOMS.iter().map(|(name, _)| *name);
                let all: Vec<_> = names.clone().collect();
                let hint = did_you_mean(name, names);
                format!("{hint}; there are {}, {{NAME}}i, {{NAME}}o and {{KEY}}e", all.join(", "))
            }
            _ => String::new(),
        };
        format!("{error}{hint}")
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_table_is_sound() {
        crate::command::Cli::command().debug_assert();
    }

    #[test]
    fn each_option_has_a_flag_a_variable_and_a_key_of_one_name() {
        let cli = crate::command::Cli::command();
        let serve = cli.find_subcommand("serve").unwrap();
        for (key, arg) in keys(serve) {
            let variable = format!("GATEWAY_{}", key.to_ascii_uppercase().replace('-', "_"));
            assert_eq!(arg.get_env().unwrap(), variable.as_str());
        }
        assert!(keys(serve).count() >= 10);
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!("0".parse(), Ok(Size(0)));
        assert_eq!("10".parse(), Ok(Size(10)));
        assert_eq!("2k".parse(), Ok(Size(2048)));
        assert_eq!("3M".parse(), Ok(Size(3 << 20)));
        assert_eq!("1G".parse(), Ok(Size(1 << 30)));
        for wrong in ["", "K", "-1", "1.5M", "1T", "10MB", "17179869184G"] {
            assert!(wrong.parse::<Size>().is_err(), "{wrong}");
        }
    }
}
