//! Which descriptors programs inherit.
#![allow(unsafe_code, reason = "no safe interface for close_range")]

use crate::spawn::reserve;

/// Keeps every descriptor of this process but 0, 1 and 2 from the programs that it starts: for a server to call once, when
/// it begins. What Rust opens is kept from them anyway; what the server itself inherited, from a shell for one, is not.
///
/// It also takes three low descriptors, through which programs get theirs: so starting one does not take the longer the
/// more connections are open.
///
/// On a kernel without `close_range` (before 5.11) it does nothing else.
pub fn keep_descriptors_private() {
    // SAFETY: with this flag the call closes nothing and changes no memory: it only marks descriptors as close-on-exec.
    unsafe { libc::close_range(3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC as libc::c_int) };
    // If that fails, the first program that is started makes up for it, or says what is wrong.
    let _ = reserve();
}
