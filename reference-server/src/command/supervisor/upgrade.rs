//! USR2: the program itself is replaced by what is on the disk now, without losing a request.
//!
//! The new supervisor is handed the sockets that this one listens on and starts workers of its own. When they are READY
//! it says so, and this one drains and ends.

use std::{
    env,
    ffi::OsString,
    os::fd::{AsFd as _, OwnedFd},
    path::PathBuf,
};

use reference_server::Listener;
use rustix::process::{Pid, getpid};

use super::{
    super::{
        control::{Control, Message},
        failure::Failure,
        serve::cannot,
    },
    Predecessor, Supervisor, child, ends,
    orders::Ending,
    sockets::Socket,
};

/// The first argument of a supervisor that takes over from another.
pub(in super::super) const TAKE_OVER: &str = "take-over";

/// What stands before the address of the admin listener's socket where sockets are handed over.
const ADMIN: &str = "admin ";

/// Both sides of an upgrade: this process may have come by one, and may go by one.
#[derive(Debug)]
pub(super) struct Upgrade {
    /// Where the program was found when this process began: that it is another one now is the point.
    program: Option<PathBuf>,
    /// Who waits for this process to serve.
    predecessor: Option<Control>,
    is_successor: bool,
    successor: Option<(Pid, Option<Control>)>,
    taken_over: bool,
}

impl Upgrade {
    pub(super) fn new(predecessor: Option<Control>) -> Self {
        Upgrade {
            program: env::current_exe().ok(),
            is_successor: predecessor.is_some(),
            predecessor,
            successor: None,
            taken_over: false,
        }
    }

    pub(super) fn is_successor(&self) -> bool {
        self.is_successor
    }

    /// Whether another process listens on this one's sockets too: the supervisor before this one, as long as it waits,
    /// or the one after it.
    pub(super) fn shares_sockets(&self) -> bool {
        self.taken_over || self.is_under_way()
    }

    fn is_under_way(&self) -> bool {
        self.predecessor.is_some() || self.successor.is_some()
    }

    pub(super) fn control(&self) -> Option<&Control> {
        self.successor.as_ref()?.1.as_ref()
    }

    /// A process that is no worker has ended.
    pub(super) fn ended(&mut self, pid: Pid, cause: &str) {
        if self.successor.as_ref().is_some_and(|(successor, _)| *successor == pid) {
            self.successor = None;
            if !self.taken_over {
                tracing::error!("the new supervisor (process {pid}) {cause}; this one goes on");
            }
        }
    }
}

/// What a supervisor that this process takes over from has handed over.
///
/// # Errors
/// Nobody has: the command was typed by hand.
pub(in super::super) fn take_over() -> Result<Predecessor, Failure> {
    let (control, addresses, descriptors) =
        Control::from_stdin().map_err(|error| cannot("take over from another process", &error))?;
    let socket = |(address, socket): (&str, OwnedFd)| {
        let listener = Listener::try_from(socket).map_err(|error| cannot("take a socket over", &error))?;
        Ok(Socket::handed_over(address.to_owned(), listener))
    };
    let mut sockets = addresses.lines().zip(descriptors).map(socket).collect::<Result<Vec<_>, Failure>>()?;
    // It comes last, if there is one.
    let admin = sockets.pop_if(|socket| socket.address.starts_with(ADMIN));
    let admin = admin.map(|socket| Socket::handed_over(socket.address[ADMIN.len()..].to_owned(), socket.listener));
    Ok(Predecessor { control, sockets, admin })
}

impl Supervisor {
    pub(super) fn begin_upgrade(&mut self) {
        if self.ending.is_some() {
            return;
        }
        // Whoever takes over from one that has not taken over yet would leave the first of the three alone.
        if self.upgrade.is_under_way() {
            return tracing::warn!("one new supervisor at a time: an upgrade is under way");
        }
        if getpid().is_init() {
            return tracing::error!("process 1 cannot be replaced by another: its end is the end of all; use HUP");
        }
        let Some(program) = &self.upgrade.program else {
            return tracing::error!("nobody knows where this program is on the disk");
        };
        let mut command = child::command(program, self.args.first().map(OsString::as_os_str));
        command.arg(TAKE_OVER).args(self.args.iter().skip(1));
        for variable in ["NOTIFY_SOCKET", "WATCHDOG_USEC"] {
            if let Some(value) = env::var_os(variable) {
                command.env(variable, value);
            }
        }
        let mut addresses: Vec<_> = self.plan.sockets.iter().map(|socket| socket.address.clone()).collect();
        let mut sockets: Vec<_> = self.plan.listeners().map(|listener| listener.as_fd()).collect();
        if let Some(admin) = &self.admin {
            addresses.push(format!("{ADMIN}{}", admin.socket().address));
            sockets.push(admin.socket().listener.as_fd());
        }
        match child::start(&mut command, addresses.join("\n"), &sockets) {
            Ok((pid, control)) => {
                tracing::info!("{} is started as the new supervisor, process {pid}", program.display());
                self.upgrade.successor = Some((pid, Some(control)));
            }
            Err(error) => tracing::error!("cannot start {}: {error}", program.display()),
        }
    }

    /// Tells the supervisor whose place this one takes that it may go, once there are as many workers as it has.
    pub(super) fn relieve_predecessor(&mut self) {
        let ready = self.workers.iter().filter(|worker| worker.is_ready()).count();
        if ready >= self.wanted.into()
            && let Some(predecessor) = self.upgrade.predecessor.take()
        {
            predecessor.send(&Message::Ready);
            if let Some(Err(error)) = self.admin.as_mut().map(|admin| admin.start(&self.roster)) {
                tracing::error!("cannot start the admin listener: {error}");
            }
        }
    }

    /// Learns what the new supervisor says.
    pub(super) fn hear_upgrade(&mut self) {
        let Some((pid, control)) = &mut self.upgrade.successor else { return };
        let pid = *pid;
        match ends::hear(control) {
            Some(Message::Ready) => {
                tracing::info!("the new supervisor (process {pid}) is READY; this one (process {}) ends", getpid());
                self.upgrade.taken_over = true;
                self.admin.as_ref().inspect(|admin| admin.stop());
                self.systemd.main_pid(pid);
                self.end_gracefully(Ending::Relieved);
            }
            Some(Message::Failed(_, report)) => {
                tracing::error!("the new supervisor (process {pid}) cannot start:\n{}", report.trim_end());
            }
            _ => {}
        }
    }
}
