//! `--preload`: workers are forked from a process that has imported the applications.

use std::{
    ffi::OsString,
    io,
    os::fd::{AsFd as _, BorrowedFd},
    time::Duration,
};

use rustix::process::{Pid, Signal, getpid, kill_process, set_child_subreaper};

use super::{
    super::{
        control::{Control, Message},
        target::Target,
        zygote::ZYGOTE,
    },
    Supervisor, child, ends,
    plan::Plan,
    worker::memory,
};

/// How long a zygote may take to fork: it has nothing else to do.
const PATIENCE: Duration = Duration::from_secs(5);

/// A zygote process. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Zygote {
    pid: Pid,
    control: Option<Control>,
    is_ready: bool,
    /// What it said of its failure before it ended.
    failed: Option<(u8, String)>,
    is_gone: bool,
}

impl Zygote {
    fn start(plan: &Plan, args: &[OsString]) -> io::Result<Self> {
        // Workers are orphans from the beginning, and this process is who takes orphans in.
        set_child_subreaper(Some(getpid()))?;
        let config = memory("gateway-config", plan.settings.file.as_deref().unwrap_or_default().as_bytes())?;
        let mut command = child::command(child::SELF, args.first().map(OsString::as_os_str));
        command.arg(ZYGOTE).args(args.iter().skip(1));
        let (pid, control) = child::start(&mut command, String::new(), &[config.as_fd()])?;
        tracing::debug!("process {pid} imports the applications");
        Ok(Zygote { pid, control: Some(control), is_ready: false, failed: None, is_gone: false })
    }

    pub(super) fn control(&self) -> Option<&Control> {
        self.control.as_ref()
    }

    /// Has a worker forked. It gets an end to talk over, then `descriptors`. It is the worker that answers: one that comes
    /// too late is nobody else's, and ends because nobody hears it.
    pub(super) fn fork(&mut self, begin: String, descriptors: &[BorrowedFd<'_>]) -> io::Result<(Pid, Control)> {
        let (ours, theirs) = Control::pair()?;
        let zygote = self.control.as_ref().ok_or(io::ErrorKind::BrokenPipe)?;
        zygote.send_with(&Message::Begin(begin), &[&[theirs.as_fd()], descriptors].concat())?;
        // It is closed as soon as nobody is left who could answer.
        drop(theirs);
        ours.wait(Some(PATIENCE));
        match ours.receive()? {
            Some(Message::Forked(pid)) => {
                let pid = Pid::from_raw(pid.cast_signed()).ok_or(io::ErrorKind::InvalidData)?;
                Ok((pid, ours))
            }
            _ => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
}

impl Drop for Zygote {
    fn drop(&mut self) {
        if !self.is_gone {
            // It may be importing still, and would not notice for long that nobody wants it.
            let _ = kill_process(self.pid, Signal::KILL);
        }
    }
}

impl Plan {
    /// Whether workers are forked. Those who develop want them to import what is new.
    fn preloads(&self) -> bool {
        let options = &self.settings.options;
        let is_python = self.settings.mounts.iter().any(|(mount, _)| matches!(mount.target, Target::Wsgi { .. }));
        options.preload && !options.reload && is_python
    }
}

impl Supervisor {
    /// Whether workers can be started: where they are to be forked, whether there is who forks them. Sees to it that
    /// there will be.
    pub(super) fn can_start(&mut self) -> bool {
        if !self.plan.preloads() {
            return true;
        }
        if self.plan.zygote.is_none() && self.zygote_pause.is_over() && (self.has_served || self.failure.is_none()) {
            match Zygote::start(&self.plan, &self.args) {
                Ok(zygote) => self.plan.zygote = Some(zygote),
                Err(error) => self.zygote_failed(1, format!("error: cannot start the process to fork from: {error}\n")),
            }
        }
        self.plan.zygote.as_ref().is_some_and(|zygote| zygote.is_ready)
    }

    pub(super) fn hear_zygote(&mut self) {
        let Some(zygote) = &mut self.plan.zygote else { return };
        while let Some(message) = ends::hear(&mut zygote.control) {
            match message {
                Message::Ready => zygote.is_ready = true,
                Message::Failed(code, report) => zygote.failed = Some((code, report)),
                other => tracing::debug!("the zygote says {other:?}"),
            }
        }
    }

    /// A process that is no worker has ended.
    pub(super) fn zygote_ended(&mut self, pid: Pid, cause: &str) {
        // The zygote of a plan that is gone is killed by this process.
        if self.plan.zygote.as_ref().is_none_or(|zygote| zygote.pid != pid) {
            return;
        }
        self.hear_zygote();
        let Some(mut zygote) = self.plan.zygote.take() else { return };
        zygote.is_gone = true;
        let (code, report) = zygote.failed.take().unwrap_or_else(|| {
            (3, format!("error: the process that imports the applications (process {pid}) {cause}\n"))
        });
        if !zygote.is_ready && self.trial_fails(self.plan.id, &report) {
            return;
        }
        self.zygote_failed(code, report);
    }

    fn zygote_failed(&mut self, code: u8, report: String) {
        let pause = self.zygote_pause.failed(None);
        if self.has_served {
            tracing::error!(
                "nobody can be forked from until another has imported the applications, in {pause:?}\n{report}"
            );
        }
        self.start_failed(code, report);
    }
}
