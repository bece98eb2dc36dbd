//! What to listen on, as it is written on the command line and in the configuration file.

use std::{fmt, path::PathBuf, str::FromStr};

use nix::unistd::{Group, User};

/// An address of `--bind`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Bind {
    /// `HOST:PORT`.
    Port(String),
    /// `unix:PATH`.
    Path(PathBuf),
    /// `fd://N`: a socket that listens already.
    Descriptor(i32),
}

impl FromStr for Bind {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(path) = text.strip_prefix("unix:") {
            return match path {
                "" => Err("a unix socket needs a path, as in unix:/run/gateway.sock"),
                path => Ok(Bind::Path(path.into())),
            };
        }
        if let Some(number) = text.strip_prefix("fd://") {
            let number = number.parse().ok().filter(|number| *number >= 0);
            return number.map(Bind::Descriptor).ok_or("write the descriptor's number, as in fd://3");
        }
        let (host, port) = text.rsplit_once(':').ok_or("write HOST:PORT, as in 127.0.0.1:8000")?;
        if host.is_empty() || (host.contains(':') && !(host.starts_with('[') && host.ends_with(']'))) {
            return Err("write HOST:PORT, as in 0.0.0.0:8000 or [::]:8000 for all addresses");
        }
        port.parse::<u16>().map_err(|_| "the port is a number from 0 to 65535")?;
        Ok(Bind::Port(text.to_owned()))
    }
}

impl fmt::Display for Bind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bind::Port(address) => f.write_str(address),
            Bind::Path(path) => write!(f, "unix:{}", path.display()),
            Bind::Descriptor(number) => write!(f, "fd://{number}"),
        }
    }
}

/// The permission bits of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileMode(pub(super) u32);

impl FromStr for FileMode {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mode = u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o777);
        mode.map(FileMode).ok_or("write a mode in octal, as in 660")
    }
}

/// A user, a group, or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) user: Option<u32>,
    pub(super) group: Option<u32>,
}

impl FromStr for Owner {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (user, group) = text.split_once(':').unwrap_or((text, ""));
        let user = named(user, "user", |name| Some(User::from_name(name).ok()??.uid.as_raw()))?;
        let group = named(group, "group", |name| Some(Group::from_name(name).ok()??.gid.as_raw()))?;
        if user.is_none() && group.is_none() {
            return Err("write USER, USER:GROUP or :GROUP".into());
        }
        Ok(Owner { user, group })
    }
}

/// The number of a user or group that is given by name or by number; nobody's if it is empty.
fn named(text: &str, kind: &str, look_up: impl Fn(&str) -> Option<u32>) -> Result<Option<u32>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    look_up(text).or_else(|| text.parse().ok()).map(Some).ok_or_else(|| format!("there is no {kind} {text:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_host_and_port_or_a_path_or_a_descriptor() {
        for right in ["127.0.0.1:8000", "localhost:0", "[::1]:8000", "unix:/run/a.sock", "unix:a", "fd://3"] {
            assert_eq!(right.parse::<Bind>().map(|bind| bind.to_string()).as_deref(), Ok(right));
        }
        for wrong in
            ["", "8000", ":8000", "::1:8000", "localhost:http", "localhost:65536", "unix:", "fd://x", "fd://-1"]
        {
            assert!(wrong.parse::<Bind>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn modes_are_octal_and_owners_have_names_or_numbers() {
        assert_eq!("660".parse(), Ok(FileMode(0o660)));
        assert!("1000".parse::<FileMode>().is_err() && "888".parse::<FileMode>().is_err());
        assert_eq!("root:0".parse(), Ok(Owner { user: Some(0), group: Some(0) }));
        assert_eq!(":7".parse(), Ok(Owner { user: None, group: Some(7) }));
        assert!("no-such-user-at-all".parse::<Owner>().is_err() && "".parse::<Owner>().is_err());
    }
}
