//! Apps as tower services and tower services as Apps, with the axum and the tower that people use, over real sockets.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod both_ways;
mod from_tower;
mod into_tower;
mod into_tower_body;
mod layers;
mod script;
mod support;
