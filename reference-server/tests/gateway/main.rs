//! The command `gateway` from the outside: real requests over real sockets, to real applications.

#![allow(clippy::unwrap_used)]

mod support;

mod access_log;
mod admin;
mod big_bodies;
mod cgi;
mod cgi_output;
mod compare;
mod conformance;
mod crashes;
mod development;
mod exceptions;
mod frameworks;
mod git;
mod http;
mod http_framing;
mod leaks;
mod lint;
mod liveness;
mod loading;
mod mercurial;
mod mounts;
mod overtime;
mod preload;
mod process_one;
mod proxies;
mod recycling;
mod reload;
mod shutdown;
mod signals;
mod slow_clients;
mod sockets;
mod static_files;
mod systemd;
mod trac;
mod upgrade;
mod validate;
mod virtual_environments;
mod webdav;
mod workers;
mod write;
mod wsgi;
mod wsgi_body;
mod wsgi_disconnect;
mod wsgi_environ;
mod wsgi_input;
mod wsgi_length;
mod wsgi_stream;
