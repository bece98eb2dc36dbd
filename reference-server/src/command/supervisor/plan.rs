//! What workers are started with: settings and sockets. A reload makes another one.

use std::{env, fs, rc::Rc};

use reference_server::Listener;

use super::{
    super::{
        failure::{Failure, Report},
        options::ServeOptions,
        settings::Settings,
    },
    sockets,
    sockets::Socket,
    zygote::Zygote,
};

/// Settings that were found to be in order, and the sockets that belong to them.
#[derive(Debug)]
pub(super) struct Plan {
    /// Which plan it is: workers remember theirs.
    pub(super) id: u64,
    pub(super) settings: Settings,
    pub(super) sockets: Vec<Rc<Socket>>,
    /// With `--preload`, the process that workers are forked from.
    pub(super) zygote: Option<Zygote>,
}

impl Plan {
    /// The plan to begin with. `handed_over` are the sockets of the supervisor before this one.
    pub(super) fn first(settings: Settings, handed_over: Option<Vec<Socket>>) -> Result<Self, Failure> {
        let open = match handed_over {
            Some(sockets) => sockets.into_iter().map(Rc::new).collect(),
            None => sockets::from_systemd()?,
        };
        Plan::new(1, settings, &open)
    }

    /// The plan after this one.
    pub(super) fn next(&self, settings: Settings) -> Result<Self, Failure> {
        Plan::new(self.id + 1, settings, &self.sockets)
    }

    fn new(id: u64, settings: Settings, open: &[Rc<Socket>]) -> Result<Self, Failure> {
        if settings.mounts.is_empty() {
            let tip = "name one, as in `gateway serve app:hello` or `gateway serve module:callable`, or a file with \
                       --config";
            return Err(Failure::Usage(Report::new("there is nothing to serve: no TARGET is given").tip(tip)));
        }
        check_folder(&settings.options)?;
        let sockets = sockets::open(&settings.options, open)?;
        Ok(Plan { id, settings, sockets, zygote: None })
    }

    pub(super) fn listeners(&self) -> impl Iterator<Item = &Listener> {
        self.sockets.iter().map(|socket| &socket.listener)
    }

    /// Stops listening: what workers have not accepted is theirs still, and nothing more comes. The files of unix
    /// sockets go, unless another process listens there too.
    pub(super) fn stop_listening(&mut self, is_shared: bool) {
        self.zygote = None;
        let sockets = std::mem::take(&mut self.sockets);
        sockets.iter().filter(|_| !is_shared).for_each(|socket| socket.end());
    }

    /// Stops listening where the plan that takes this one's place does not.
    pub(super) fn replaced_by(self, other: &Plan) {
        let is_kept = |socket: &Rc<Socket>| other.sockets.iter().any(|kept| Rc::ptr_eq(kept, socket));
        self.sockets.iter().filter(|socket| !is_kept(socket)).for_each(|socket| socket.end());
    }
}

/// Whether workers can change to their folder: a mistake that is better found before there are any.
fn check_folder(options: &ServeOptions) -> Result<(), Failure> {
    let Some(folder) = &options.chdir else { return Ok(()) };
    let here = env::current_dir().unwrap_or_default();
    let found = fs::metadata(here.join(folder).join("."));
    found.map(drop).map_err(|error| {
        Failure::Usage(Report::new(format!("cannot change to the folder {}", folder.display())).because(&error))
    })
}
