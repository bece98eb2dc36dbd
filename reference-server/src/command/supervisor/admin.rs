//! The admin listener's socket, and the roll that is called for it.

use std::{io, sync::Arc};

use rustix::process::{Pid, WaitStatus};

use super::{
    super::{
        admin::{self, Serving},
        failure::Failure,
        options::ServeOptions,
        roster::{Member, Roster},
    },
    Supervisor,
    sockets::{self, Socket},
    worker::{State, Worker},
};

/// The admin listener.
#[derive(Debug)]
pub(super) struct Admin {
    socket: Socket,
    serving: Option<Serving>,
}

impl Admin {
    /// Listens where the options say, if they do; on the socket that the supervisor before this one has handed over, if
    /// that is the same. Nothing is answered yet.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub(super) fn listen(options: &ServeOptions, handed_over: Option<Socket>) -> Result<Option<Self>, Failure> {
        let Some(bind) = &options.admin else { return Ok(None) };
        let address = sockets::address(bind, options);
        let socket = match handed_over.filter(|socket| socket.address == address) {
            Some(socket) => socket,
            None => sockets::listen(bind, options)?,
        };
        Ok(Some(Admin { socket, serving: None }))
    }

    /// Answers from here on.
    ///
    /// # Errors
    /// What the system reports.
    pub(super) fn start(&mut self, roster: &Arc<Roster>) -> io::Result<()> {
        self.serving = Some(admin::start(self.socket.listener.try_clone()?, roster.clone())?);
        Ok(())
    }

    pub(super) fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Where it can be asked: a URL to open, if it has one.
    pub(super) fn place(&self) -> String {
        let listener = &self.socket.listener;
        if listener.local_addr().is_some() { format!("{listener}/status") } else { listener.to_string() }
    }

    /// Answers no more: another process does.
    pub(super) fn stop(&self) {
        self.serving.iter().for_each(Serving::stop);
    }
}

impl Supervisor {
    /// Notes how things stand, for whoever asks.
    pub(super) fn call_the_roll(&self) {
        let member = |worker: &Worker| Member {
            seat: worker.seat,
            pid: number(worker.pid),
            duty: worker.duty(),
            started: worker.started,
            scoreboard: worker.scoreboard.clone(),
        };
        let mut members: Vec<_> = self.workers.iter().map(member).collect();
        members.sort_by_key(|member| (member.seat, member.pid));
        self.roster.turn(members, self.wanted, self.ending.is_some());
    }

    /// Counts the end of a worker by its cause.
    pub(super) fn count_end(&self, worker: &Worker, status: WaitStatus) {
        self.roster.ended(self.cause_of_end(worker, status), &worker.scoreboard);
    }

    fn cause_of_end(&self, worker: &Worker, status: WaitStatus) -> &'static str {
        let is_draining = matches!(worker.state, State::Draining { .. } | State::Killed);
        match () {
            () if worker.is_hung() => "hung",
            () if worker.state == State::Starting => "start",
            () if is_draining && self.ending.is_some() => "shutdown",
            () if is_draining && worker.plan != self.plan.id => "reload",
            () if is_draining && worker.seat > self.wanted => "fewer",
            () if is_draining => "recycled",
            () if status.exit_status().is_some() => "exit",
            () => "signal",
        }
    }

    /// Forgets the admin listener at the end: its socket's file goes, unless another process listens there too.
    pub(super) fn stop_admin(&self) {
        if let Some(admin) = self.admin.as_ref().filter(|_| !self.upgrade.shares_sockets()) {
            admin.socket.end();
        }
    }
}

pub(super) fn number(pid: Pid) -> u32 {
    pid.as_raw_nonzero().get().unsigned_abs()
}
