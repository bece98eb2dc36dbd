//! The command `gateway` from the outside: real requests over real sockets, to real applications.

#![allow(clippy::unwrap_used)]

mod support;

mod big_bodies;
mod cgi;
mod cgi_output;
mod compare;
mod exceptions;
mod frameworks;
mod git;
mod http;
mod http_framing;
mod leaks;
mod loading;
mod mercurial;
mod mounts;
mod overtime;
mod shutdown;
mod slow_clients;
mod static_files;
mod trac;
mod validate;
mod virtual_environments;
mod webdav;
mod write;
mod wsgi;
mod wsgi_body;
mod wsgi_environ;
mod wsgi_input;
