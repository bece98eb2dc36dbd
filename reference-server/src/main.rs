//! The command `gateway`.

#![forbid(unsafe_code)]

mod command;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Returning from here ends the process, whatever other threads (an application's, for one) still do.
    command::run()
}
