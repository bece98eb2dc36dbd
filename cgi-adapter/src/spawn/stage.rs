//! Three low descriptors through which programs get theirs.
//!
//! A new process first shares the server's table of descriptors and then takes a copy of its beginning. If it took a copy
//! of all, starting a program would cost the more the more connections are open. So what it is to have as 0, 1 and 2 is
//! put into these three, which lie before the connections if they are made first.

use std::{
    fs::File,
    io,
    os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd},
    sync::{Mutex, MutexGuard, PoisonError},
};

use rustix::io::{DupFlags, dup3};

/// The three descriptors; they are `/dev/null` while nobody uses them.
static STAGE: Mutex<Option<[OwnedFd; 3]>> = Mutex::new(None);

/// The stage, set for one program. It is cleared when this is dropped.
pub(super) struct Stage(MutexGuard<'static, Option<[OwnedFd; 3]>>);

/// Makes the three descriptors, if there are none yet.
pub(crate) fn reserve() -> io::Result<()> {
    filled(&mut lock()).map(|_| ())
}

fn filled(stage: &mut Option<[OwnedFd; 3]>) -> io::Result<&mut [OwnedFd; 3]> {
    if stage.is_none() {
        let null = File::open("/dev/null")?;
        let copy = || rustix::io::fcntl_dupfd_cloexec(&null, 3);
        *stage = Some([copy()?, copy()?, copy()?]);
    }
    stage.as_mut().ok_or_else(|| io::ErrorKind::NotFound.into())
}

impl Stage {
    /// Sets standard input (if it is not to be empty), output and error.
    pub(super) fn set(stdin: Option<BorrowedFd<'_>>, stdout: OwnedFd, stderr: OwnedFd) -> io::Result<Self> {
        let mut stage = Stage(lock());
        let [first, second, third] = filled(&mut stage.0)?;
        if let Some(stdin) = stdin {
            dup3(stdin, first, DupFlags::CLOEXEC)?;
        }
        dup3(stdout, second, DupFlags::CLOEXEC)?;
        dup3(stderr, third, DupFlags::CLOEXEC)?;
        Ok(stage)
    }

    /// The numbers that become 0, 1 and 2.
    pub(super) fn numbers(&self) -> [RawFd; 3] {
        self.0.as_ref().map_or([-1; 3], |stage| stage.each_ref().map(AsRawFd::as_raw_fd))
    }
}

impl Drop for Stage {
    /// The pipes must have no writers but the program.
    fn drop(&mut self) {
        let mut cleared = || {
            let null = crate::stdin::null()?;
            self.0.iter_mut().flatten().try_for_each(|slot| dup3(null, slot, DupFlags::CLOEXEC))?;
            io::Result::Ok(())
        };
        if cleared().is_err() {
            // Closing them does as well; the next program makes new ones.
            *self.0 = None;
        }
    }
}

/// What is in it is right at every moment.
fn lock() -> MutexGuard<'static, Option<[OwnedFd; 3]>> {
    STAGE.lock().unwrap_or_else(PoisonError::into_inner)
}
