//! Web servers that run CGI programs, each with the smallest configuration that its documentation has for that.

use std::{ffi::OsString, fs, path::PathBuf};

use super::{
    super::{
        contenders::Launch,
        programs::{Folder, Program},
    },
    Peer, find, first_line,
};

/// The program that they run.
pub(super) const PROGRAM: &str = "dynamic";

/// How to start one, and its version.
///
/// # Errors
/// What is missing.
pub(super) fn launch(peer: Peer, folder: &Folder) -> Result<(Launch, String), String> {
    folder.program(Program::Dynamic)?;
    let missing = || format!("{} is not installed", peer.name());
    let program = find(peer.name()).ok_or_else(missing)?;
    let (text, arguments) = match peer {
        Peer::Lighttpd => (lighttpd(folder), vec!["-D".into(), "-f".into()]),
        Peer::Apache => (apache(folder)?, vec!["-DFOREGROUND".into(), "-f".into()]),
        _ => (nginx(folder), vec!["-c".into()]),
    };
    // The port is not known yet: a shell puts it into a copy.
    let path = folder.path().join(format!("{}.conf", peer.name()));
    fs::write(&path, text).map_err(|error| format!("{} cannot be written: {error}", path.display()))?;
    let version = first_line(&program, "-v");
    let before = match peer {
        Peer::Nginx => {
            let wrapper = find("fcgiwrap").ok_or("nginx runs CGI programs with fcgiwrap, which is not installed")?;
            let socket = folder.path().join("fcgiwrap.sock");
            let start = format!("rm -f '{0}'; '{1}' -c 4 -s 'unix:{0}' &", socket.display(), wrapper.display());
            // nginx would listen before fcgiwrap does.
            format!("{start} until [ -S '{}' ]; do sleep 0.01; done; ", socket.display())
        }
        _ => String::new(),
    };
    let script =
        format!("sed \"s|PORT|$1|\" \"$0\" > \"$0.$1\"; {before}config=\"$0.$1\"; shift; exec \"$@\" \"$config\"");
    let mut command: Vec<OsString> = vec!["/bin/sh".into(), "-c".into(), script.into(), path.into(), "{port}".into()];
    command.push(program.into());
    command.extend(arguments);
    Ok((Launch::Peer { command, environment: Vec::new() }, version))
}

fn lighttpd(folder: &Folder) -> String {
    let root = folder.path().display();
    format!(
        "server.document-root = \"{root}\"
server.bind = \"127.0.0.1\"
server.port = PORT
server.modules = ( \"mod_cgi\" )
server.max-keep-alive-requests = 1000000000
$HTTP[\"url\"] =~ \"^/cgi-bin/\" {{ cgi.assign = ( \"\" => \"\" ) }}
"
    )
}

/// With mod_cgid, which its documentation wants with a threaded MPM.
fn apache(folder: &Folder) -> Result<String, String> {
    let root = folder.path().display();
    let places = ["/usr/lib/apache2", "/usr/lib64/httpd", "/usr/lib/httpd"].map(PathBuf::from);
    let modules =
        places.iter().map(|place| place.join("modules")).find(|modules| modules.join("mod_cgid.so").is_file());
    let modules = modules.ok_or("apache2 has no module mod_cgid")?;
    let load = |name: &str| {
        let file = modules.join(format!("mod_{name}.so"));
        // What is not a file is built in.
        if file.is_file() { format!("LoadModule {name}_module {}\n", file.display()) } else { String::new() }
    };
    let modules = ["mpm_event", "authz_core", "unixd", "alias", "cgid"].map(load).concat();
    let bin = folder.cgi_bin();
    Ok(format!(
        "{modules}ServerRoot {root}
ServerName localhost
Listen 127.0.0.1:PORT
PidFile {root}/apache.pid
DefaultRuntimeDir {root}
Mutex pthread
ErrorLog {root}/apache.log
ScriptSock {root}/cgid.sock
User #65534
Group #65534
KeepAlive On
MaxKeepAliveRequests 0
ScriptAlias /cgi-bin/ {bin}/
<Directory {bin}>
Require all granted
</Directory>
",
        bin = bin.display()
    ))
}

/// What nginx tells a program.
const PARAMETERS: [(&str, &str); 18] = [
    ("SCRIPT_FILENAME", "$document_root$fastcgi_script_name"),
    ("SCRIPT_NAME", "$fastcgi_script_name"),
    ("PATH_INFO", "$fastcgi_path_info"),
    ("QUERY_STRING", "$query_string"),
    ("REQUEST_METHOD", "$request_method"),
    ("CONTENT_TYPE", "$content_type"),
    ("CONTENT_LENGTH", "$content_length"),
    ("REQUEST_URI", "$request_uri"),
    ("DOCUMENT_ROOT", "$document_root"),
    ("SERVER_PROTOCOL", "$server_protocol"),
    ("REQUEST_SCHEME", "$scheme"),
    ("GATEWAY_INTERFACE", "CGI/1.1"),
    ("SERVER_SOFTWARE", "nginx"),
    ("REMOTE_ADDR", "$remote_addr"),
    ("REMOTE_PORT", "$remote_port"),
    ("SERVER_ADDR", "$server_addr"),
    ("SERVER_PORT", "$server_port"),
    ("SERVER_NAME", "$server_name"),
];

fn nginx(folder: &Folder) -> String {
    let root = folder.path().display();
    let temporary = ["client_body", "fastcgi", "proxy", "uwsgi", "scgi"];
    let temporary = temporary.map(|name| format!("{name}_temp_path {root}/nginx-{name};\n")).concat();
    let parameters = PARAMETERS.map(|(name, value)| format!("fastcgi_param {name} {value};\n")).concat();
    // Run by root, it would otherwise serve as somebody who may not open fcgiwrap's socket.
    let user = if is_root() { "user root;\n" } else { "" };
    format!(
        "{user}daemon off;
worker_processes 1;
pid {root}/nginx.pid;
error_log {root}/nginx.log;
events {{ worker_connections 1024; }}
http {{
access_log off;
keepalive_requests 1000000000;
client_max_body_size 0;
{temporary}server {{
listen 127.0.0.1:PORT;
root {root};
location /cgi-bin/ {{
fastcgi_split_path_info ^(/cgi-bin/[^/]+)(/.*)$;
{parameters}fastcgi_pass unix:{root}/fcgiwrap.sock;
}}
}}
}}
"
    )
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_installed_is_said() {
        assert_eq!(find("no-such-server"), None);
        assert!(find("sh").is_some_and(|path| path.is_absolute()));
    }
}
