//! The command `gateway`, as a person at a terminal and a script see it.
#![cfg(feature = "command")]
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod support;

mod configuration;
mod ending;
mod loading;
mod serving;
mod usage;
