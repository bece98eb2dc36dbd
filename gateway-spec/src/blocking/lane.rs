//! What a host has to know of a job to run it well: which others it may be run with, and what goes around them.

use std::{
    fmt,
    sync::{Arc, atomic::AtomicU32},
};

/// Jobs of one kind, which behave alike: those of one application.
///
/// ```
/// # use gateway_spec::blocking::Lane;
/// /// Jobs that need a lock take it once for as many as there are.
/// static LOCK: std::sync::Mutex<()> = std::sync::Mutex::new(());
///
/// let lane = Lane::new(|batch| {
///     let _guard = LOCK.lock();
///     batch();
/// });
/// ```
pub struct Lane {
    around: Option<Around>,
    stay: Option<Stay>,
    memory: AtomicU32,
}

type Around = Box<dyn Fn(&mut dyn FnMut()) + Send + Sync>;

struct Stay {
    around: Around,
    leave: Box<dyn Fn() + Send + Sync>,
}

impl Lane {
    /// A lane whose jobs the host runs in batches, each batch inside one call of `around`: the place to enter an
    /// interpreter once for many jobs.
    ///
    /// ```
    /// # use gateway_spec::blocking::Lane;
    /// let plain = Lane::new(|batch| batch());
    /// ```
    pub fn new(around: impl Fn(&mut dyn FnMut()) + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Lane { around: Some(Box::new(around)), stay: None, memory: AtomicU32::new(0) })
    }

    /// The same for what a host may [stay in](Self::enter_to_stay): `stay` enters it, unless the thread is inside already,
    /// runs a batch, and does not leave. `leave` leaves it, if the thread is inside.
    ///
    /// ```
    /// # use gateway_spec::blocking::Lane;
    /// use std::cell::RefCell;
    /// use std::sync::{Mutex, MutexGuard};
    ///
    /// static LOCK: Mutex<()> = Mutex::new(());
    /// thread_local! {
    ///     static INSIDE: RefCell<Option<MutexGuard<'static, ()>>> = const { RefCell::new(None) };
    /// }
    ///
    /// let lock = || LOCK.lock().unwrap();
    /// let lane = Lane::with_stay(
    ///     move |batch| {
    ///         let _guard = lock();
    ///         batch();
    ///     },
    ///     move |batch| {
    ///         INSIDE.with_borrow_mut(|inside| drop(inside.get_or_insert_with(lock)));
    ///         batch();
    ///     },
    ///     || INSIDE.set(None),
    /// );
    /// # lane.enter_to_stay(|| ()); lane.enter_to_stay(|| ()); lane.leave(); lane.enter(|| ());
    /// ```
    pub fn with_stay(
        around: impl Fn(&mut dyn FnMut()) + Send + Sync + 'static,
        stay: impl Fn(&mut dyn FnMut()) + Send + Sync + 'static,
        leave: impl Fn() + Send + Sync + 'static,
    ) -> Arc<Self> {
        let stay = Stay { around: Box::new(stay), leave: Box::new(leave) };
        Arc::new(Lane { around: Some(Box::new(around)), stay: Some(stay), memory: AtomicU32::new(0) })
    }

    /// A lane whose jobs need nothing around them. They never [wait](super::Blocking::wait), so that a host can run them
    /// wherever it is.
    ///
    /// ```
    /// # use gateway_spec::blocking::Lane;
    /// assert!(Lane::plain().is_plain());
    /// ```
    pub fn plain() -> Arc<Self> {
        Arc::new(Lane { around: None, stay: None, memory: AtomicU32::new(0) })
    }

    /// Whether this is a [plain](Self::plain) lane.
    ///
    /// ```
    /// # use gateway_spec::blocking::Lane;
    /// assert!(!Lane::new(|batch| batch()).is_plain());
    /// ```
    pub fn is_plain(&self) -> bool {
        self.around.is_none()
    }

    /// Runs a batch.
    ///
    /// ```
    /// # use gateway_spec::blocking::Lane;
    /// let mut jobs = 0;
    /// Lane::new(|batch| batch()).enter(|| jobs += 1);
    /// assert_eq!(jobs, 1);
    /// ```
    pub fn enter(&self, mut batch: impl FnMut()) {
        match &self.around {
            Some(around) => around(&mut batch),
            None => batch(),
        }
    }

    /// Runs a batch and stays inside, until [`leave`](Self::leave): for a host that runs small jobs on one thread with
    /// little else between them, since to enter may cost as much as such a job.
    ///
    /// ```
    /// # use gateway_spec::blocking::Lane;
    /// /// One batch after the other; others are kept out until the last is done.
    /// fn run_all(lane: &Lane, batches: Vec<Box<dyn FnMut()>>) {
    ///     batches.into_iter().for_each(|batch| lane.enter_to_stay(batch));
    ///     lane.leave();
    /// }
    /// ```
    pub fn enter_to_stay(&self, mut batch: impl FnMut()) {
        match &self.stay {
            Some(stay) => (stay.around)(&mut batch),
            None => self.enter(batch),
        }
    }

    /// Leaves what the calling thread has stayed in. Does nothing if it is not inside.
    ///
    /// ```
    /// # use gateway_spec::blocking::Lane;
    /// Lane::new(|batch| batch()).leave();
    /// ```
    pub fn leave(&self) {
        if let Some(stay) = &self.stay {
            (stay.leave)();
        }
    }

    /// A word in which the host remembers how the jobs of this lane behave. Zero at first.
    ///
    /// ```
    /// # use gateway_spec::blocking::Lane;
    /// use std::sync::atomic::Ordering;
    ///
    /// /// A host that counts what a lane's jobs were like.
    /// fn was_slow(lane: &Lane) -> u32 {
    ///     lane.memory().fetch_add(1, Ordering::Relaxed)
    /// }
    /// ```
    pub fn memory(&self) -> &AtomicU32 {
        &self.memory
    }
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane").field("memory", &self.memory).finish_non_exhaustive()
    }
}
