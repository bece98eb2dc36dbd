//! What is printed at the start: what is served, where, and how to open it.

use std::{
    fmt::Write as _,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use reference_server::Listener;

use super::{
    settings::Settings,
    target::{Mount, Target},
    version,
};

/// What a path in a URL cannot have as it is (RFC 3986, section 3.3).
const NOT_IN_PATHS: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The version, the addresses, and a table of the mounts.
pub(super) fn banner<'a>(settings: &Settings, listeners: impl Iterator<Item = &'a Listener>) -> String {
    let (workers, threads) = (settings.options.workers, settings.options.threads);
    let mut text = format!("gateway {}: {}, {}\n", version(), count(workers, "worker"), count(threads, "thread"));
    let mut root = None;
    for listener in listeners {
        let _ = writeln!(text, "listening on {listener}");
        root = root.or(listener.local_addr());
    }
    // What is on a unix socket only has no URL.
    let root = root.map(|address| format!("http://{}", reachable(address))).unwrap_or_default();
    let rows: Vec<_> = settings.mounts.iter().map(|(mount, _)| (mount, url(&root, mount))).collect();
    let prefixes = rows.iter().map(|(mount, _)| mount.prefix.chars().count()).max().unwrap_or_default();
    let urls = rows.iter().map(|(_, url)| url.len()).max().unwrap_or_default();
    for (Mount { prefix, target, .. }, url) in &rows {
        let _ = writeln!(text, "  {prefix:prefixes$}  {url:urls$}  {:6}  {}", target.kind(), target.what());
    }
    text
}

fn count(number: u16, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// An address that a browser on this machine can open: "all addresses" is none.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn url(root: &str, mount: &Mount) -> String {
    let path = utf8_percent_encode(&mount.prefix, NOT_IN_PATHS);
    // A folder's own address ends with a slash.
    let slash = if matches!(mount.target, Target::Static { .. }) && mount.prefix != "/" { "/" } else { "" };
    format!("{root}{path}{slash}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(text: &str) -> Mount {
        text.parse().unwrap()
    }

    #[test]
    fn urls_can_be_opened() {
        assert_eq!(url("http://h", &mount("/a b%=app:hello")), "http://h/a%20b%25");
        assert_eq!(url("http://h", &mount("/files=static:x")), "http://h/files/");
        assert_eq!(url("http://h", &mount("static:x")), "http://h/");
        assert_eq!(reachable(([0, 0, 0, 0], 80).into()).to_string(), "127.0.0.1:80");
        assert_eq!(reachable("[::]:80".parse().unwrap()).to_string(), "[::1]:80");
        assert_eq!(reachable("10.0.0.1:80".parse().unwrap()).to_string(), "10.0.0.1:80");
    }
}
