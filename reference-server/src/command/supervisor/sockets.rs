//! The sockets that a supervisor listens on, and that all its workers accept from.

use std::{
    env, fs, io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    rc::Rc,
};

use reference_server::{Error, Listener, SocketAccess};
use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};

use super::super::{
    bind::Bind,
    failure::{Failure, Report},
    options::ServeOptions,
    serve::not_listening,
};

/// A socket that listens, and the address that was asked for: after a reload it is the same, even if port 0 was.
#[derive(Debug)]
pub(in super::super) struct Socket {
    pub(in super::super) address: String,
    pub(in super::super) listener: Listener,
    /// Whether it was opened by this server, or one before it, and nobody else has a use for it.
    is_ours: bool,
}

impl Socket {
    pub(super) fn handed_over(address: String, listener: Listener) -> Self {
        let is_ours = !address.starts_with(SYSTEMD) && !address.starts_with(DESCRIPTOR);
        Socket { address, listener, is_ours }
    }

    /// Nobody listens there any more but the workers that accept what has come: the socket's file goes.
    pub(super) fn end(&self) {
        if !self.is_ours {
            return;
        }
        self.listener.show_at_once();
        if let Some(path) = self.listener.path() {
            // Whoever was quicker has done the same.
            let _ = fs::remove_file(path);
        }
    }
}

/// Listens on all addresses of the options. Those that `open` has already are kept.
///
/// # Errors
/// [`Failure::Runtime`] that names the address.
pub(super) fn open(options: &ServeOptions, open: &[Rc<Socket>]) -> Result<Vec<Rc<Socket>>, Failure> {
    let handed_over: Vec<_> = open.iter().filter(|socket| socket.address.starts_with(SYSTEMD)).cloned().collect();
    if !handed_over.is_empty() {
        return Ok(handed_over);
    }
    let mut sockets = Vec::new();
    for bind in &options.bind {
        let address = address(bind, options);
        let known = open.iter().find(|socket| socket.address == address);
        sockets.push(match known {
            Some(socket) => socket.clone(),
            None => Rc::new(listen(bind, options)?),
        });
    }
    Ok(sockets)
}

/// What the address of a socket begins with that systemd has opened, and of one that was inherited otherwise.
const SYSTEMD: &str = "systemd:";
const DESCRIPTOR: &str = "fd://";

/// The sockets that systemd hands over, if it does.
///
/// # Errors
/// [`Failure::Runtime`] if one of them is no socket that listens.
pub(super) fn from_systemd() -> Result<Vec<Rc<Socket>>, Failure> {
    // Without the variables, or with those of another process, there are none.
    let numbers: Vec<_> = sd_notify::listen_fds().map(Iterator::collect).unwrap_or_default();
    let socket = |number| {
        let address = format!("{SYSTEMD}{number}");
        let listener = inherited(number).map_err(|source| not_inherited(&address, source))?;
        Ok(Rc::new(Socket { address, listener, is_ours: false }))
    };
    numbers.into_iter().map(socket).collect()
}

pub(super) fn listen(bind: &Bind, options: &ServeOptions) -> Result<Socket, Failure> {
    let address = address(bind, options);
    let owner = options.socket_owner;
    let access = SocketAccess {
        mode: Some(options.socket_mode.0),
        user: owner.and_then(|owner| owner.user),
        group: owner.and_then(|owner| owner.group),
    };
    let listener = match bind {
        Bind::Port(address) => Listener::bind(address).map_err(not_listening)?,
        Bind::Path(path) => Listener::unix(&absolute(path, options), access).map_err(not_listening)?,
        Bind::Descriptor(number) => inherited(*number).map_err(|source| not_inherited(&address, source))?,
    };
    Ok(Socket { is_ours: !matches!(bind, Bind::Descriptor(_)), address, listener })
}

/// What an address is known by.
pub(super) fn address(bind: &Bind, options: &ServeOptions) -> String {
    match bind {
        Bind::Path(path) => Bind::Path(absolute(path, options)).to_string(),
        other => other.to_string(),
    }
}

/// Paths begin where `--chdir` says, which the supervisor itself does not go to.
fn absolute(path: &Path, options: &ServeOptions) -> PathBuf {
    let here = env::current_dir().unwrap_or_default();
    here.join(options.chdir.as_deref().unwrap_or(Path::new(""))).join(path)
}

/// A descriptor of this process by its number, which could be anything: the kernel is asked for another of the same.
fn inherited(number: i32) -> io::Result<Listener> {
    let this = pidfd_open(getpid(), PidfdFlags::empty())?;
    let socket: OwnedFd = pidfd_getfd(this, number, PidfdGetfdFlags::empty())?;
    socket.try_into()
}

fn not_inherited(address: &str, source: io::Error) -> Failure {
    let report =
        Report::new(Error::Address { address: address.to_owned(), source: io::ErrorKind::Other.into() }.to_string());
    let tip = "the descriptor must be a socket that listens, and be inherited from whoever starts this process";
    Failure::Runtime(report.because(&source).tip(tip))
}
