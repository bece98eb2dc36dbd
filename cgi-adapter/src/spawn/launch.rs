//! A new process from the kernel: what `posix_spawn` does, without what it does too much.
//!
//! The child borrows the server's memory until it executes the program (`CLONE_VM`), while the thread that started it
//! waits (`CLONE_VFORK`): nothing is copied, however large the server is. It has a stack of its own and calls nothing but
//! the system. `posix_spawn` would reset some 120 signals one by one, copy the whole table of descriptors, and knows no
//! resource limits; here the kernel resets the signals (`CLONE_CLEAR_SIGHAND`) and the copy ends behind the stage.
#![allow(unsafe_code, reason = "there is no safe interface for clone")]

use std::{
    ffi::{CStr, c_char, c_int, c_void},
    io,
    mem::{self, MaybeUninit},
    os::fd::RawFd,
    ptr,
    sync::atomic::{AtomicBool, AtomicI32, Ordering::Relaxed},
};

use rustix::process::Pid;

use crate::{limits::Rlimit, strings::Strings};

/// What is to run, and how.
pub(super) struct Plan<'a> {
    pub(super) program: &'a CStr,
    pub(super) folder: &'a CStr,
    pub(super) arguments: &'a Strings,
    pub(super) variables: &'a Strings,
    pub(super) limits: &'a [Rlimit],
    /// What becomes 0, 1 and 2. None of them is one of these.
    pub(super) descriptors: [RawFd; 3],
}

/// Starts a program, as the leader of a process group. It runs when this returns.
///
/// # Errors
/// What the system said to any of the steps, those of the child too.
pub(super) fn launch(plan: &Plan<'_>) -> io::Result<Pid> {
    let errno = match attempt(plan, SHARES.load(Relaxed)) {
        Err(errno) if errno == CANNOT_SHARE => {
            SHARES.store(false, Relaxed);
            attempt(plan, false)
        }
        result => result,
    };
    errno.map_err(io::Error::from_raw_os_error)
}

/// Whether a child can take a copy of the first descriptors only; a sandbox may forbid the call that does.
static SHARES: AtomicBool = AtomicBool::new(true);

/// Whether the kernel resets signals for us; Docker's sandbox, for one, forbids the call that does.
static CLEARS: AtomicBool = AtomicBool::new(cfg!(target_arch = "x86_64"));

/// Not an error of the system's.
const CANNOT_SHARE: c_int = -1;

/// The flag that has the kernel reset signals, as linux/sched.h has it.
#[cfg(target_arch = "x86_64")]
const CLONE_CLEAR_SIGHAND: u64 = 1 << 32;

/// The child's stack. It makes system calls and no others.
const STACK: usize = 16 * 1024;

/// All that the child needs, so that it allocates nothing.
struct Orders<'a> {
    plan: &'a Plan<'a>,
    arguments: *const *const c_char,
    variables: *const *const c_char,
    shares: bool,
    cleared: bool,
    /// Written by a child that cannot execute the program.
    errno: AtomicI32,
}

fn attempt(plan: &Plan<'_>, shares: bool) -> Result<Pid, c_int> {
    let (arguments, variables) = (plan.arguments.pointers(), plan.variables.pointers());
    let (arguments, variables) = (arguments.as_ptr(), variables.as_ptr());
    let mut orders = Orders { plan, arguments, variables, shares, cleared: true, errno: AtomicI32::new(0) };
    let mut started = Err(libc::ENOSYS);
    if CLEARS.load(Relaxed) {
        started = with_clear_handlers(&orders);
    }
    if matches!(started, Err(libc::ENOSYS | libc::EPERM)) {
        CLEARS.store(false, Relaxed);
        orders.cleared = false;
        started = with_blocked_signals(&orders);
    }
    let pid = started?;
    match orders.errno.load(Relaxed) {
        0 => Ok(pid),
        errno => {
            // It has ended: what is left of it does not make us wait.
            let _ = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty());
            Err(errno)
        }
    }
}

fn flags(orders: &Orders<'_>) -> c_int {
    let files = if orders.shares { libc::CLONE_FILES } else { 0 };
    libc::CLONE_VM | libc::CLONE_VFORK | files
}

/// clone3(2). The C library has no function for it, since the child needs a stack to return to.
#[cfg(target_arch = "x86_64")]
fn with_clear_handlers(orders: &Orders<'_>) -> Result<Pid, c_int> {
    let mut stack = MaybeUninit::<Stack>::uninit();
    // SAFETY: all its fields are integers, for which zero is a value.
    let mut request: libc::clone_args = unsafe { mem::zeroed() };
    request.flags = flags(orders) as u64 | CLONE_CLEAR_SIGHAND;
    request.exit_signal = libc::SIGCHLD as u64;
    request.stack = stack.as_mut_ptr() as u64;
    request.stack_size = STACK as u64;
    let result: isize;
    // SAFETY: in the parent, this is a system call that changes rax, rcx and r11, and returns after the child
    // has executed the program or ended, so that `orders`, `stack` and `request` outlive the child's use of them. The
    // child begins behind `syscall` on its own stack, whose top is aligned to 16 bytes, with the same registers; it
    // calls `child`, which does not return, and touches nothing of this frame.
    unsafe {
        std::arch::asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, r12",
            "call r13",
            "ud2",
            "2:",
            inlateout("rax") libc::SYS_clone3 as isize => result,
            in("rdi") &raw const request,
            in("rsi") mem::size_of::<libc::clone_args>(),
            in("r12") ptr::from_ref(orders).cast::<c_void>(),
            in("r13") child as extern "C" fn(*mut c_void) -> c_int,
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    started(result)
}

#[cfg(not(target_arch = "x86_64"))]
fn with_clear_handlers(_: &Orders<'_>) -> Result<Pid, c_int> {
    Err(libc::ENOSYS)
}

/// clone(2), which every system has. No signal may reach the child before its handlers are gone: they are the server's.
fn with_blocked_signals(orders: &Orders<'_>) -> Result<Pid, c_int> {
    let mut stack = MaybeUninit::<Stack>::uninit();
    // SAFETY: both sets are written before they are read. The child runs `child` on a stack of its own, from its end
    // downwards, and this thread waits until it has executed the program or ended; see above.
    let result = unsafe {
        let (mut all, mut before) = (mem::zeroed(), mem::zeroed());
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut before);
        let top = stack.as_mut_ptr().add(1).cast();
        let argument = ptr::from_ref(orders).cast_mut().cast();
        let result = libc::clone(child, top, flags(orders) | libc::SIGCHLD, argument);
        let errno = *libc::__errno_location();
        libc::pthread_sigmask(libc::SIG_SETMASK, &before, ptr::null_mut());
        if result < 0 { -(errno as isize) } else { result as isize }
    };
    started(result)
}

/// A process's number, or an errno with a minus.
fn started(result: isize) -> Result<Pid, c_int> {
    Pid::from_raw(result.max(0) as i32).ok_or(-result as c_int)
}

#[repr(C, align(16))]
struct Stack([u8; STACK]);

/// What the child does. It shares the server's memory, so it makes system calls only, and writes to nothing but its
/// stack, the waiting thread's errno, and its orders.
extern "C" fn child(orders: *mut c_void) -> c_int {
    // SAFETY: `orders` are what `attempt` has, which waits for us. All pointers in there are valid for as long.
    unsafe {
        let orders = &*orders.cast_const().cast::<Orders<'_>>();
        let errno = execute(orders);
        orders.errno.store(errno, Relaxed);
        libc::_exit(127)
    }
}

/// Becomes the program, or tells why not.
///
/// # Safety
/// For the child only, with orders that are valid.
unsafe fn execute(orders: &Orders<'_>) -> c_int {
    let plan = orders.plan;
    // SAFETY: each is a system call with arguments that `orders` keeps alive. What they change belongs to this process:
    // its signals, group, folder, limits, and its descriptors from when its table is its own.
    unsafe {
        let errno = || *libc::__errno_location();
        if orders.shares {
            let first = plan.descriptors[0].max(plan.descriptors[1]).max(plan.descriptors[2]) + 1;
            if libc::syscall(libc::SYS_close_range, first, c_int::MAX, libc::CLOSE_RANGE_UNSHARE) != 0 {
                return CANNOT_SHARE;
            }
        }
        reset_signals(orders.cleared);
        for (wanted, &descriptor) in plan.descriptors.iter().enumerate() {
            if libc::dup2(descriptor, wanted as c_int) < 0 {
                return errno();
            }
        }
        // What the server inherited closes by itself no more than what it forgot to mark. Old kernels have no such call.
        libc::syscall(libc::SYS_close_range, 3, c_int::MAX, 0);
        for (resource, limit) in plan.limits {
            if libc::syscall(libc::SYS_prlimit64, 0, *resource, limit, ptr::null_mut::<c_void>()) != 0 {
                return errno();
            }
        }
        if libc::setpgid(0, 0) != 0 || libc::chdir(plan.folder.as_ptr()) != 0 {
            return errno();
        }
        libc::execve(plan.program.as_ptr(), orders.arguments, orders.variables);
        errno()
    }
}

/// Leaves no handler, no ignored signal that the server ignores for itself, and none blocked. What the server was
/// started to ignore (`nohup`) the program ignores too, as after any `execve`.
///
/// # Safety
/// For the child only.
unsafe fn reset_signals(cleared: bool) {
    // SAFETY: zero is the default action without flags, and an empty set. That two signals are the C library's own and
    // refuse is well: it has no handlers for them in a process without its threads' cancellation.
    unsafe {
        let default: libc::sigaction = mem::zeroed();
        let handled = |signal: &c_int| {
            let mut action: libc::sigaction = mem::zeroed();
            libc::sigaction(*signal, ptr::null(), &mut action) == 0 && action.sa_sigaction != libc::SIG_IGN
        };
        let every = if cleared { 0..0 } else { 1..65 };
        let ours = [libc::SIGPIPE, libc::SIGXFSZ];
        for signal in every.filter(handled).chain(ours) {
            libc::sigaction(signal, &default, ptr::null_mut());
        }
        let none: libc::sigset_t = mem::zeroed();
        libc::sigprocmask(libc::SIG_SETMASK, &none, ptr::null_mut());
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::File, io::Read, os::fd::AsRawFd};

    use super::*;

    /// What a shell script says, started in one of the ways.
    fn output(clears: bool, shares: bool, script: &str) -> String {
        let strings = |all: &[&str]| {
            let mut strings = Strings::default();
            all.iter().for_each(|one| strings.push(&[one.as_bytes()]));
            strings
        };
        let null = File::options().read(true).write(true).open("/dev/null").unwrap();
        let (mut reader, writer) = io::pipe().unwrap();
        let limit = libc::rlimit { rlim_cur: 77, rlim_max: 77 };
        let (arguments, variables) = (strings(&["sh", "-c", script]), strings(&["A=b"]));
        let plan = Plan {
            program: c"/bin/sh",
            folder: c"/",
            arguments: &arguments,
            variables: &variables,
            limits: &[(libc::RLIMIT_NOFILE, limit)],
            descriptors: [null.as_raw_fd(), writer.as_raw_fd(), null.as_raw_fd()],
        };
        let (arguments, variables) = (plan.arguments.pointers(), plan.variables.pointers());
        let (arguments, variables) = (arguments.as_ptr(), variables.as_ptr());
        let errno = AtomicI32::new(0);
        let orders = Orders { plan: &plan, arguments, variables, shares, cleared: clears, errno };
        let started = if clears { with_clear_handlers(&orders) } else { with_blocked_signals(&orders) };
        let pid = started.map_err(io::Error::from_raw_os_error).unwrap();
        assert_eq!(orders.errno.load(Relaxed), 0);
        drop(writer);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty()).unwrap();
        text
    }

    #[test]
    fn every_way_leads_to_the_same_process() {
        // What the thread blocks is not for the program; what was ignored from the start is.
        // SAFETY: the set is written before it is read, and nobody sends the signal.
        unsafe {
            libc::signal(libc::SIGURG, libc::SIG_IGN);
            let mut blocked = mem::zeroed();
            libc::sigemptyset(&mut blocked);
            libc::sigaddset(&mut blocked, libc::SIGUSR1);
            libc::pthread_sigmask(libc::SIG_BLOCK, &blocked, ptr::null_mut());
        }
        let script = "echo $A $(pwd) $(ulimit -n) $(ps -o pgid= $$ 2>/dev/null | grep -c $$); ls /proc/self/fd;
                      grep -E 'SigBlk|SigIgn|SigCgt' /proc/self/status";
        let expected = output(false, false, script);
        assert!(expected.starts_with("b / 77 ") && expected.contains("SigBlk:\t0000000000000000"), "{expected}");
        let ignored = expected.split_once("SigIgn:\t").and_then(|(_, rest)| u64::from_str_radix(&rest[..16], 16).ok());
        assert_eq!(ignored.map(|ignored| ignored >> (libc::SIGURG - 1) & 1), Some(1), "{expected}");
        for shares in [false, true] {
            assert_eq!(output(false, shares, script), expected);
            if cfg!(target_arch = "x86_64") {
                assert_eq!(output(true, shares, script), expected);
            }
        }
    }
}
