//! The options of `gateway serve`: the one table that flags, environment variables, the configuration file's keys and
//! the help texts come from.

use std::{fmt, path::PathBuf, str::FromStr};

use clap::{Arg, ArgAction, Args, ValueEnum, builder::BoolishValueParser};

use reference_server::access_log::{ATOMS, Format, FormatError, NAMES};

use super::{nearest::did_you_mean, target::Mount};

pub(super) const ABOUT: &str = "\
Serve applications over HTTP.

A TARGET is [PREFIX=]KIND:WHAT, mounted at the path PREFIX, or else at /:

  wsgi:MODULE:CALLABLE      a Python WSGI callable (MODULE:CALLABLE alone will do)
  wsgi:MODULE:FACTORY()     what a Python function returns
  wsgi:FILE.py:CALLABLE     a callable in a file
  cgi:FOLDER, cgi:PROGRAM   CGI programs, or one
  static:FOLDER             files
  app:NAME                  a built-in Rust App: hello, echo or environ";

pub(super) const EXAMPLES: &str = "\
Examples:
  gateway serve mysite.wsgi:application
  gateway serve /=wsgi:shop:app /static=static:public --bind 0.0.0.0:8000
  gateway serve /cgi-bin=cgi:cgi-bin /=static:site --listing --access-log -
  gateway serve --config gateway.toml --print-config

A configuration file has the long names of the options as keys, and a table of mounts. Paths in it are relative to it:
  bind = \"127.0.0.1:8000\"
  threads = 16

  [mount]
  \"/hello\" = \"app:hello\"
  \"/files\" = { target = \"static:files\", listing = true }
  \"/cgi-bin\" = { target = \"cgi:cgi-bin\", timeout = 60 }

A flag goes before an environment variable, that before the file, and that before the default.

Exit codes: 0 ended by SIGTERM or SIGINT; 1 cannot serve (address in use); 2 usage or configuration;
3 a target cannot be loaded; 130, 143 ended at once by a second signal.";

#[derive(Args, Debug)]
pub(super) struct ServeOptions {
    /// What to serve, and where: [PREFIX=]KIND:WHAT with the kinds wsgi, cgi, static and app
    #[arg(value_name = "TARGET")]
    pub(super) targets: Vec<Mount>,

    /// Address to listen on; port 0 takes a free one. PORT=N in the environment is 127.0.0.1:N
    #[arg(short, long, env = "GATEWAY_BIND", hide_env_values = true)]
    #[arg(value_name = "HOST:PORT", default_value = "127.0.0.1:8000", value_parser = address)]
    pub(super) bind: String,

    /// Folder to change to first: relative paths, and Python's imports, begin there
    #[arg(long, env = "GATEWAY_CHDIR", hide_env_values = true, value_name = "FOLDER")]
    pub(super) chdir: Option<PathBuf>,

    /// How many calls of blocking applications, Python's among them, run at once (1 to 1024). With 1 they run inside
    /// the event loop: the fastest way if none ever takes long
    #[arg(long, env = "GATEWAY_THREADS", hide_env_values = true)]
    #[arg(value_name = "N", default_value = "32", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(super) threads: u16,

    /// How long one call of a Python application may take; 0 is without end. A longer one is answered with 504, its
    /// stack is logged, and it is interrupted
    #[arg(long, env = "GATEWAY_TIMEOUT", hide_env_values = true, value_name = "SECONDS", default_value = "300")]
    pub(super) timeout: u32,

    /// Worker processes: this version runs 1
    #[arg(long, env = "GATEWAY_WORKERS", hide_env_values = true)]
    #[arg(value_name = "N", default_value = "1", value_parser = one_worker)]
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

fn address(text: &str) -> Result<String, &'static str> {
    const FORM: &str = "write HOST:PORT, as in 127.0.0.1:8000, or [::1]:8000 for IPv6";
    let (host, port) = text.rsplit_once(':').ok_or(FORM)?;
    let bracketed = host.starts_with('[') && host.ends_with(']');
    if host.is_empty() || (host.contains(':') && !bracketed) {
        return Err(FORM);
    }
    port.parse::<u16>().map_err(|_| "the port is a number from 0 to 65535")?;
    Ok(text.to_owned())
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

fn one_worker(text: &str) -> Result<u16, &'static str> {
    match text.parse() {
        Ok(1) => Ok(1),
        Ok(0) | Err(_) => Err("write a number from 1"),
        Ok(_) => Err("this version runs one worker process; --threads says how many calls it runs at once"),
    }
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

    #[test]
    fn addresses_have_host_and_port() {
        for right in ["127.0.0.1:8000", "localhost:0", "[::1]:8000"] {
            assert_eq!(address(right).as_deref(), Ok(right));
        }
        for wrong in ["", "8000", ":8000", "::1:8000", "localhost:http", "localhost:65536"] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }
}
