//! Who is compared: the adapters, and below and above them the limits.

use std::{ffi::OsString, path::PathBuf};

use super::{
    super::{nearest::did_you_mean, target::Mount},
    programs::{Folder, Program},
};

/// Somebody who is given work.
#[derive(Clone, Debug)]
pub(super) struct Contender {
    /// The name on the command line and in saved runs.
    pub(super) name: String,
    /// The name for people.
    pub(super) label: String,
    pub(super) kind: Kind,
    pub(super) launch: Launch,
    /// What comes before the path of the work.
    pub(super) base: String,
}

/// In what capacity somebody takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing could be cheaper.
    Limit,
    /// An adapter of ours.
    Adapter,
    /// An application of the user's.
    Own,
    /// Another server.
    Peer,
}

/// How it is started.
#[derive(Clone, Debug)]
pub(super) enum Launch {
    /// `gateway serve` with this target and these many threads; it takes any number of workers.
    Serve { target: OsString, threads: Option<u16> },
    /// Only hyper.
    Hyper,
    /// Only a program, without HTTP.
    Spawn { program: PathBuf },
    /// A command of somebody else's; `{port}` in its arguments is the port.
    Peer { command: Vec<OsString>, environment: Vec<(&'static str, OsString)> },
}

/// The ways of running an application that are compared when nothing else is asked for, in the order of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Adapter {
    Hyper,
    Rust,
    Inline,
    Pool,
    Cgi(Program),
    Spawn(Program),
}

/// Their names on the command line, and for people.
const ADAPTERS: [(Adapter, &str, &str); 11] = [
    (Adapter::Hyper, "hyper", "bare hyper (limit)"),
    (Adapter::Rust, "rust", "Rust App"),
    (Adapter::Inline, "wsgi-inline", "WSGI, inline"),
    (Adapter::Pool, "wsgi-pool", "WSGI, pool of threads"),
    (Adapter::Spawn(Program::Static), "spawn-static", "bare spawn, static C (limit)"),
    (Adapter::Spawn(Program::Dynamic), "spawn-dynamic", "bare spawn, dynamic C (limit)"),
    (Adapter::Cgi(Program::Static), "cgi-static", "CGI, static C"),
    (Adapter::Cgi(Program::Dynamic), "cgi-dynamic", "CGI, dynamic C"),
    (Adapter::Cgi(Program::Shell), "cgi-sh", "CGI, sh"),
    (Adapter::Cgi(Program::Perl), "cgi-perl", "CGI, Perl"),
    (Adapter::Cgi(Program::Python), "cgi-python", "CGI, Python"),
];

impl Adapter {
    pub(super) const ALL: [Adapter; ADAPTERS.len()] = {
        let mut all = [Adapter::Hyper; ADAPTERS.len()];
        let mut at = 0;
        while at < all.len() {
            all[at] = ADAPTERS[at].0;
            at += 1;
        }
        all
    };

    /// What to name on the command line: one by its name, or all with the same first word, as `cgi`.
    ///
    /// # Errors
    /// What to tell the person who wrote `name`.
    pub(super) fn named(name: &str) -> Result<Vec<Self>, String> {
        let is_named = |full: &str| full == name || full.split_once('-').is_some_and(|(first, _)| first == name);
        let named: Vec<_> = ADAPTERS.iter().filter(|(_, full, _)| is_named(full)).map(|(it, ..)| *it).collect();
        if named.is_empty() {
            let names = ADAPTERS.map(|(_, name, _)| name);
            let hint = did_you_mean(name, names.into_iter().chain(["wsgi", "cgi", "spawn"]));
            let names = names.join(", ");
            return Err(format!(
                "there is no adapter {name:?}{hint}; there are {names}, and wsgi, cgi and spawn for all of a kind"
            ));
        }
        Ok(named)
    }

    pub(super) fn name(self) -> &'static str {
        self.entry().1
    }

    fn entry(self) -> (Adapter, &'static str, &'static str) {
        // The table has every adapter, which a test makes sure of.
        ADAPTERS.into_iter().find(|(adapter, ..)| *adapter == self).unwrap_or(ADAPTERS[0])
    }

    /// # Errors
    /// What it lacks on this machine.
    pub(super) fn contender(self, folder: &Folder) -> Result<Contender, String> {
        let (_, name, label) = self.entry();
        let wsgi = |threads| {
            let mut target = OsString::from("wsgi:");
            target.push(folder.wsgi());
            target.push(":application");
            Launch::Serve { target, threads }
        };
        let launch = match self {
            Adapter::Hyper => Launch::Hyper,
            Adapter::Rust => Launch::Serve { target: "app:work".into(), threads: None },
            Adapter::Inline => wsgi(Some(1)),
            Adapter::Pool => wsgi(None),
            Adapter::Spawn(program) => Launch::Spawn { program: folder.program(program)? },
            Adapter::Cgi(program) => {
                let mut target = OsString::from("cgi:");
                target.push(folder.program(program)?);
                Launch::Serve { target, threads: None }
            }
        };
        let kind = if matches!(self, Adapter::Hyper | Adapter::Spawn(_)) { Kind::Limit } else { Kind::Adapter };
        Ok(Contender { name: name.into(), label: label.into(), kind, launch, base: String::new() })
    }
}

impl Kind {
    /// For the report.
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Limit => "limit",
            Kind::Adapter => "adapter",
            Kind::Own => "own",
            Kind::Peer => "peer",
        }
    }
}

impl Contender {
    /// An application of the user's, as `gateway serve` runs it.
    pub(super) fn own(text: &str, mount: &Mount) -> Self {
        Contender {
            name: text.into(),
            label: text.into(),
            kind: Kind::Own,
            launch: Launch::Serve { target: text.into(), threads: None },
            base: mount.prefix.trim_end_matches('/').into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_adapter_is_found_by_its_name() {
        for adapter in Adapter::ALL {
            assert_eq!(adapter.entry().0, adapter);
            assert!(Adapter::named(adapter.name()).unwrap().contains(&adapter));
        }
        assert_eq!(Adapter::named("wsgi"), Ok(vec![Adapter::Inline, Adapter::Pool]));
        assert_eq!(Adapter::named("cgi").unwrap().len(), 5);
        assert!(Adapter::named("cgi-pyhton").unwrap_err().contains("did you mean \"cgi-python\"?"));
    }

    #[test]
    fn an_application_of_ones_own_is_asked_for_below_its_prefix() {
        let contender = |text: &str| Contender::own(text, &text.parse().unwrap());
        assert_eq!(contender("/app=app:hello").base, "/app");
        assert_eq!(contender("app:hello").base, "");
    }
}
