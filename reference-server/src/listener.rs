//! Where connections come from: a TCP port, or a unix socket.

use std::{
    fmt, fs, io,
    net::{SocketAddr, ToSocketAddrs},
    os::{
        fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd},
        unix::{fs::FileTypeExt as _, net::UnixStream},
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::{Mode, chmod, chown},
    net::{SocketAddrAny, SocketFlags, acceptfrom_with, getsockname},
    process::{Gid, Uid},
};
use socket2::{Domain, SockAddr, SockRef, Socket, Type};
use tokio::{io::Interest, net::UnixDatagram};
use uapi::c::{IPPROTO_TCP, TCP_DEFER_ACCEPT};

use crate::{Error, kept_back};

/// How many connections the kernel keeps until they are accepted.
const BACKLOG: i32 = 2048;

/// The kernel keeps a connection to itself until its first bytes are there (`TCP_DEFER_ACCEPT`), or for so many
/// seconds: then a server need not wake up for the connection, and once more for the request.
const SILENCE: i32 = 1;

/// A socket that listens.
#[derive(Debug)]
pub struct Listener {
    socket: OwnedFd,
    place: Place,
}

#[derive(Clone, Debug)]
enum Place {
    Port(SocketAddr),
    /// A unix socket; one without a path is abstract, or has no name.
    Path(Option<PathBuf>),
}

/// Who may connect to a unix socket: its mode and owner, as those of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SocketAccess {
    /// The mode; without one, what the umask leaves.
    pub mode: Option<u32>,
    /// The user that owns it, if that is to be another than the process's.
    pub user: Option<u32>,
    /// The group that owns it, if that is to be another than the process's.
    pub group: Option<u32>,
}

impl Listener {
    /// Listens on `address`, `HOST:PORT` or `unix:PATH`. Port 0 takes a free one.
    ///
    /// # Errors
    /// [`Error::Address`] if there is no such address, or it is taken.
    pub fn bind(address: impl fmt::Display) -> Result<Self, Error> {
        let address = address.to_string();
        let bound = match address.strip_prefix("unix:") {
            Some(path) => bind_path(Path::new(path), SocketAccess::default()),
            None => bind_name(&address),
        };
        bound.map_err(|source| Error::Address { address, source })
    }

    /// Listens on a unix socket at `path`. What a process that is gone has left there is replaced.
    ///
    /// # Errors
    /// [`Error::Address`] if the socket cannot be made, or another process listens on it.
    pub fn unix(path: &Path, access: SocketAccess) -> Result<Self, Error> {
        bind_path(path, access).map_err(|source| Error::Address { address: format!("unix:{}", path.display()), source })
    }

    /// The TCP address that is listened on.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        match self.place {
            Place::Port(address) => Some(address),
            Place::Path(_) => None,
        }
    }

    /// The same socket once more.
    ///
    /// # Errors
    /// What the system reports.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Listener { socket: self.socket.try_clone()?, place: self.place.clone() })
    }

    /// Has the kernel show each connection from now on when it is made, whether something was said on it or not: for those
    /// who are about to stop listening. What is not shown by then would be reset.
    pub fn show_at_once(&self) {
        self.show_after(0);
    }

    /// A kernel that cannot do this does without.
    fn show_after(&self, seconds: i32) {
        if self.local_addr().is_some() {
            let _ = uapi::setsockopt(self.socket.as_raw_fd(), IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds);
        }
    }

    /// The path of the unix socket that is listened on.
    pub fn path(&self) -> Option<&Path> {
        match &self.place {
            Place::Path(path) => path.as_deref(),
            Place::Port(_) => None,
        }
    }

    pub(crate) fn accepting(self) -> io::Result<Accepting> {
        let local = self.local_addr();
        Ok(Accepting {
            socket: UnixDatagram::from_std(self.socket.into())?,
            port: local.map(|local| local.port()),
            local: local.filter(|local| !local.ip().is_unspecified()),
        })
    }
}

/// A socket that somebody else has made listen: systemd, or a process before this one.
impl TryFrom<OwnedFd> for Listener {
    type Error = io::Error;

    fn try_from(socket: OwnedFd) -> io::Result<Self> {
        let wrong = |what| Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        let known = SockRef::from(&socket);
        if !known.is_listener()? {
            return wrong("this descriptor is no socket that listens");
        }
        let address = known.local_addr()?;
        let place = match address.as_socket() {
            Some(address) => Place::Port(address),
            None if address.is_unix() => Place::Path(address.as_pathname().map(Path::to_owned)),
            None => return wrong("this socket is neither one of TCP nor a unix socket"),
        };
        known.set_nonblocking(true)?;
        Ok(Listener { socket, place })
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Port(address) => write!(f, "http://{address}"),
            Place::Path(Some(path)) => write!(f, "unix:{}", path.display()),
            Place::Path(None) => f.write_str("a unix socket without a path"),
        }
    }
}

fn bind_name(address: &str) -> io::Result<Listener> {
    let mut last = io::Error::new(io::ErrorKind::InvalidInput, "the name has no address");
    for address in address.to_socket_addrs()? {
        match bind_port(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn bind_port(address: SocketAddr) -> io::Result<Listener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // A restart must not wait for the connections of the last run to time out.
    socket.set_reuse_address(true)?;
    // Connections inherit this. Answers are written whole, so nothing is gained by waiting for more.
    socket.set_tcp_nodelay(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    let listener = Listener::try_from(OwnedFd::from(socket))?;
    listener.show_after(SILENCE);
    Ok(listener)
}

fn bind_path(path: &Path, access: SocketAccess) -> io::Result<Listener> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    let address = SockAddr::unix(path)?;
    match socket.bind(&address) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_left_over(path) => {
            fs::remove_file(path)?;
            socket.bind(&address)?;
        }
        bound => bound?,
    }
    // Until it listens nobody can connect, whatever the umask has left.
    if access.user.is_some() || access.group.is_some() {
        chown(path, access.user.map(Uid::from_raw), access.group.map(Gid::from_raw))?;
    }
    if let Some(mode) = access.mode {
        chmod(path, Mode::from_raw_mode(mode))?;
    }
    socket.listen(BACKLOG)?;
    OwnedFd::from(socket).try_into()
}

/// Whether there is a socket that nobody listens on any more.
fn is_left_over(path: &Path) -> bool {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket());
    is_socket && UnixStream::connect(path).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

/// A [`Listener`] in an event loop.
#[derive(Debug)]
pub(crate) struct Accepting {
    /// The type is wrong in name only: this one of tokio's tells when there is something to be had, whatever it is.
    socket: UnixDatagram,
    /// None if it is a unix socket.
    port: Option<u16>,
    /// The address of all its connections, if they share one.
    local: Option<SocketAddr>,
}

/// A connection that was accepted, with the addresses of its ends; a unix socket has none.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) socket: OwnedFd,
    pub(crate) local: Option<SocketAddr>,
    pub(crate) remote: Option<SocketAddr>,
}

impl Accepting {
    /// Waits until there is a connection, or until somebody else was quicker.
    pub(crate) async fn ready(&self) -> io::Result<()> {
        self.socket.readable().await
    }

    /// Takes a connection; [`io::ErrorKind::WouldBlock`] if there is none.
    pub(crate) fn accept(&self) -> io::Result<Accepted> {
        let accept = || Ok(acceptfrom_with(&self.socket, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC)?);
        self.accepted(self.socket.try_io(Interest::READABLE, accept)?)
    }

    /// The same without having been told that there is one.
    pub(crate) fn accept_unasked(&self) -> io::Result<Accepted> {
        self.accepted(acceptfrom_with(&self.socket, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC)?)
    }

    /// Whether the kernel keeps connections back until their first bytes are there. Those would not learn that nobody
    /// listens any more, until they say something.
    pub(crate) fn keeps_back(&self) -> bool {
        // A kernel that cannot tell is not waited for.
        self.port.is_some_and(|port| kept_back::any(port).unwrap_or(false))
    }

    fn accepted(&self, (socket, remote): (OwnedFd, Option<SocketAddrAny>)) -> io::Result<Accepted> {
        let remote = remote.and_then(|remote| SocketAddr::try_from(remote).ok());
        // A listener on one address needs not ask each connection for it.
        let ask = || getsockname(&socket).ok().and_then(|local| SocketAddr::try_from(local).ok());
        let local = self.local.or_else(|| self.port.and_then(|_| ask()));
        Ok(Accepted { socket, local, remote })
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write, net::TcpStream};

    use super::*;

    #[tokio::test]
    async fn a_connection_is_accepted_when_its_first_bytes_are_there() {
        let listener = Listener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let accepting = listener.accepting().unwrap();
        let mut client = TcpStream::connect(address).unwrap();
        assert_eq!(accepting.accept_unasked().unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert!(accepting.keeps_back());
        client.write_all(b"G").unwrap();
        accepting.ready().await.unwrap();
        assert_eq!(accepting.accept().unwrap().remote, Some(client.local_addr().unwrap()));
        assert!(!accepting.keeps_back());
    }

    #[tokio::test]
    async fn a_connection_is_accepted_at_once_if_that_is_asked_for() {
        let listener = Listener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        listener.show_at_once();
        let accepting = listener.accepting().unwrap();
        let client = TcpStream::connect(address).unwrap();
        accepting.ready().await.unwrap();
        assert_eq!(accepting.accept().unwrap().remote, Some(client.local_addr().unwrap()));
    }
}
