//! The command `gateway`, as a person at a terminal and a script see it.
#![cfg(feature = "command")]
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::{
    env, fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// Longer than anything here takes, however busy the machine is.
const BOUND: Duration = Duration::from_secs(30);

/// Variables that are not the command's own.
const CUSTOMARY: [&str; 3] = ["PORT", "VIRTUAL_ENV", "WEB_CONCURRENCY"];

/// The command, in an environment that says nothing about it.
fn gateway(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("GATEWAY_") || CUSTOMARY.iter().any(|customary| name == *customary) {
            command.env_remove(name);
        }
    }
    command.args(args).stdin(Stdio::null());
    command
}

/// Runs a command that ends by itself.
fn output(command: &mut Command) -> Output {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let ended = wait(&mut child);
    if ended.is_none() {
        child.kill().unwrap();
    }
    let output = child.wait_with_output().unwrap();
    assert!(ended.is_some(), "still runs: {command:?}\n{}", String::from_utf8_lossy(&output.stderr));
    output
}

fn wait(child: &mut Child) -> Option<ExitStatus> {
    let begun = Instant::now();
    while begun.elapsed() < BOUND {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        thread::sleep(Duration::from_millis(5));
    }
    None
}

#[track_caller]
fn assert_fails(command: &mut Command, code: i32, hints: &[&str]) {
    let output = output(command);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{command:?}\n{stderr}");
    for hint in hints {
        assert!(stderr.contains(hint), "{command:?}: no {hint:?} in\n{stderr}");
    }
}

#[track_caller]
fn printed_config(command: &mut Command) -> String {
    let output = output(command.arg("--print-config"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A running server. It is killed when it is dropped.
struct Gateway {
    child: Child,
    /// `127.0.0.1:PORT`.
    address: String,
    banner: String,
    stdout: Receiver<String>,
}

impl Gateway {
    fn start(command: &mut Command) -> Self {
        let command = command.env("GATEWAY_BIND", "127.0.0.1:0").env("GATEWAY_LOG_LEVEL", "warn");
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (sender, stdout) = channel();
        thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let mut gateway = Gateway { child, address: String::new(), banner: String::new(), stdout };
        while gateway.address.is_empty() {
            let line = gateway.stdout.recv_timeout(BOUND).expect("it prints where it listens");
            if let Some(address) = line.strip_prefix("listening on http://") {
                gateway.address = address.to_owned();
            }
            gateway.banner.push_str(&line);
            gateway.banner.push('\n');
        }
        gateway
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(BOUND)).unwrap();
        stream
    }

    /// Sends one request, whose head lacks only its end, and returns the whole answer.
    fn exchange(&self, head: &[u8], body: &[u8]) -> String {
        let mut stream = self.connect();
        stream.write_all(&[head, b"\r\nHost: localhost\r\nConnection: close\r\n\r\n", body].concat()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn get(&self, path: &str) -> String {
        self.exchange(format!("GET {path} HTTP/1.1").as_bytes(), b"")
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    #[track_caller]
    fn exit_code(&mut self) -> Option<i32> {
        wait(&mut self.child).expect("it ends").code()
    }

    /// What it printed behind the line with its address, once it has ended.
    fn rest_of_stdout(&self) -> String {
        self.stdout.iter().map(|line| line + "\n").collect()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn write(folder: &TempDir, name: &str, text: &str) -> String {
    let path = folder.path().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn usage_errors_exit_with_2_and_say_what_could_be_meant() {
    let cases: [(&[&str], &str); 13] = [
        (&["serve"], "gateway serve app:hello"),
        (&["serv", "app:hello"], "'serve'"),
        (&["serve", "--thread", "2", "app:hello"], "'--threads'"),
        (&["serve", "--threads", "0", "app:hello"], "1..=1024"),
        (&["serve", "--workers", "0", "app:hello"], "1..=1024"),
        (&["serve", "--bind", "8000", "app:hello"], "HOST:PORT"),
        (&["serve", "--max-body", "1T", "app:hello"], "K, M and G"),
        (&["serve", "stattic:files"], "did you mean \"static\"?"),
        (&["serve", "app:helo"], "did you mean \"hello\"?"),
        (&["serve", "app:app"], "wsgi:app:app"),
        (&["serve", "hello=app:hello"], "must begin with \"/\""),
        (&["serve", "/a=app:hello", "/a/=app:echo"], "two targets are at /a: app:hello and app:echo"),
        (&["serve", "--chdir", "/no/such/folder", "app:hello"], "cannot change to the folder /no/such/folder"),
    ];
    for (args, hint) in cases {
        assert_fails(&mut gateway(args), 2, &["error: ", hint]);
    }
}

#[test]
fn a_worker_is_not_started_by_hand() {
    assert_fails(&mut gateway(&["worker", "serve", "app:hello"]), 2, &["a worker is started by `gateway serve`"]);
}

#[test]
fn mistakes_in_the_file_are_named_with_file_and_key() {
    let cases = [
        ("access_log = '-'", "there is no key \"access_log\" (did you mean \"access-log\"?)"),
        ("print-config = true", "there is no key \"print-config\""),
        ("mounts = {}", "did you mean \"mount\"?"),
        ("threads = '8'", "\"threads\" must be a whole number, and is of type string"),
        ("threads = 0", "1..=1024"),
        ("listing = 1", "\"listing\" must be true or false"),
        ("log-level = 'loud'", "possible values are error, warn, info, debug"),
        ("max-body = '1T'", "K, M and G"),
        ("bind = ", "line 1, column"),
        ("mount = 1", "[mount]"),
        ("[mount]\n'/x' = 'stattic:x'", "mount \"/x\": there is no kind \"stattic\" (did you mean \"static\"?)"),
        ("[mount]\n'x' = 'app:hello'", "must begin with \"/\""),
        ("[mount]\n'/x' = 'app:hello'\n'/x/' = 'app:echo'", "there are two targets at /x"),
        ("[mount]\n'/x' = { target = 'static:x', lisitng = true }", "did you mean \"listing\"?"),
    ];
    let folder = folder();
    for (text, hint) in cases {
        let file = write(&folder, "gateway.toml", text);
        assert_fails(&mut gateway(&["serve", "--config", &file]), 2, &["gateway.toml: ", hint]);
    }
    assert_fails(&mut gateway(&["serve", "--config", "/no/such.toml"]), 2, &["/no/such.toml", "No such file"]);
}

#[test]
fn a_wrong_value_in_the_environment_is_blamed_on_its_variable() {
    let serve = ["serve", "app:hello"];
    assert_fails(gateway(&serve).env("GATEWAY_THREADS", "many"), 2, &["GATEWAY_THREADS", "\"many\""]);
    assert_fails(gateway(&serve).env("PORT", "http"), 2, &["PORT", "from 0 to 65535"]);
}

#[test]
fn a_flag_goes_before_the_environment_that_before_the_file_that_before_the_default() {
    let folder = folder();
    let file = write(&folder, "gateway.toml", "threads = 3\nworkers = 1\ngraceful-timeout = 3\nlisting = true\n");
    let mut command = gateway(&["serve", "--config", &file, "--threads", "1", "--listing=false"]);
    let config = printed_config(command.env("GATEWAY_THREADS", "2").env("GATEWAY_GRACEFUL_TIMEOUT", "2"));
    let from = |key: &str| {
        let line =
            config.lines().find(|line| line.starts_with(&format!("{key} ="))).unwrap_or_else(|| panic!("{config}"));
        line.split_whitespace().skip(2).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(from("threads"), "1 # command line");
    assert_eq!(from("listing"), "false # command line");
    assert_eq!(from("graceful-timeout"), "2 # environment variable GATEWAY_GRACEFUL_TIMEOUT");
    assert_eq!(from("workers"), format!("1 # file {file}"));
    assert_eq!(from("max-body"), "\"1G\" # default");
}

#[test]
fn the_customary_variables_give_way_to_everything_else() {
    let customary = |args: &[&str], variables: &[(&str, &str)]| {
        let customary = [("PORT", "81"), ("VIRTUAL_ENV", "/venv"), ("WEB_CONCURRENCY", "3")];
        let variables = variables.iter().copied().chain(customary);
        printed_config(gateway(&["serve"]).args(args).envs(variables))
    };
    let config = customary(&[], &[]);
    assert!(config.contains("bind = \"127.0.0.1:81\"") && config.contains("# environment variable PORT"), "{config}");
    assert!(config.contains("venv = \"/venv\"") && config.contains("# environment variable VIRTUAL_ENV"), "{config}");
    assert!(config.contains("workers = 3") && config.contains("# environment variable WEB_CONCURRENCY"), "{config}");
    let config = customary(&["--bind", "[::1]:82"], &[("GATEWAY_VENV", "/other")]);
    assert!(config.contains("bind = \"[::1]:82\"") && config.contains("venv = \"/other\""), "{config}");
    let folder = folder();
    let file = write(&folder, "gateway.toml", "bind = '127.0.0.1:83'\nvenv = '/third'");
    let config = customary(&["--config", &file], &[]);
    assert!(config.contains("bind = \"127.0.0.1:83\"") && config.contains("venv = \"/third\""), "{config}");
}

#[test]
fn what_is_printed_as_configuration_is_one() {
    let folder = folder();
    let text =
        "chdir = '.'\n[mount]\n'/f' = { target = 'static:f', listing = true }\n'/h' = 'app:hello'\n'/e' = 'app:echo'";
    let file = write(&folder, "gateway.toml", text);
    let first = printed_config(&mut gateway(&["serve", "--config", &file, "/h/=app:environ", "/x=static:x"]));
    let path = |name: &str| folder.path().join(name).display().to_string();
    for line in [
        format!("chdir = \"{}\"", path(".")),
        format!("\"/f\" = {{ listing = true, target = \"static:{}\" }}", path("f")),
        "\"/e\" = \"app:echo\"".into(),
        "\"/h\" = \"app:environ\"".into(),
    ] {
        assert!(first.contains(&line), "no {line} in\n{first}");
    }
    let file = write(&folder, "printed.toml", &first);
    let second = printed_config(&mut gateway(&["serve", "--config", &file]));
    let values = |text: &str| -> Vec<String> {
        let lines = text.lines().filter_map(|line| line.split_once("  # "));
        lines.map(|(value, _)| value.trim().replace("static:x", &format!("static:{}", path("x")))).collect()
    };
    let sorted = |mut values: Vec<String>| {
        values.sort();
        values
    };
    assert_eq!(sorted(values(&first)), sorted(values(&second)));
}

#[test]
fn an_address_in_use_is_found_before_anything_is_loaded() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut command = gateway(&["serve", "--bind", &address, "static:/no/such/folder"]);
    assert_fails(&mut command, 1, &[&address, "Address already in use", "--bind"]);
}

#[test]
fn every_target_that_cannot_be_loaded_is_reported() {
    let folder = folder();
    write(&folder, "plain.txt", "");
    let tried = folder.path().join("missing").display().to_string();
    let mut command =
        gateway(&["serve", "-b", "127.0.0.1:0", "/a=static:missing", "/b=static:plain.txt", "/c=app:hello"]);
    assert_fails(command.current_dir(folder.path()), 3, &["static:missing", &tried, "static:plain.txt"]);
}

#[test]
#[cfg(feature = "cgi")]
fn a_program_that_is_not_there_is_reported_with_its_path() {
    let mut command = gateway(&["serve", "-b", "127.0.0.1:0", "cgi:/no/such/program"]);
    assert_fails(&mut command, 3, &["cgi:/no/such/program", "No such file"]);
}

#[test]
#[cfg(feature = "cgi")]
fn programs_run_where_the_file_says() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = folder();
    let program =
        write(&folder, "bin/where", "#!/bin/sh\necho 'Content-Type: text/plain'\necho\necho \"$SCRIPT_NAME\"\n");
    fs::set_permissions(program, fs::Permissions::from_mode(0o755)).unwrap();
    let file = write(&folder, "gateway.toml", "[mount]\n'/cgi-bin' = { target = 'cgi:bin', timeout = 20 }");
    let gateway = Gateway::start(&mut gateway(&["serve", "-c", &file]));
    assert!(gateway.get("/cgi-bin/where").contains("\r\n/cgi-bin/where\n"));
}

#[test]
#[cfg(not(feature = "cgi"))]
fn a_build_without_cgi_says_so() {
    assert_fails(&mut gateway(&["serve", "-b", "127.0.0.1:0", "cgi:/bin"]), 3, &["without the feature \"cgi\""]);
}

#[test]
#[cfg(not(feature = "python"))]
fn a_build_without_python_says_so() {
    assert_fails(&mut gateway(&["serve", "-b", "127.0.0.1:0", "a:b"]), 3, &["without the feature \"python\""]);
}

#[test]
#[cfg(feature = "python")]
fn a_python_module_that_fails_is_reported_with_its_traceback() {
    let folder = folder();
    write(&folder, "broken.py", "import no_such_module_at_all\n");
    let mut command = gateway(&["serve", "-b", "127.0.0.1:0", "/a=broken:app", "/b=wsgi:missing.py:app"]);
    let hints = ["wsgi:broken:app", "Traceback", "broken.py", "No module named 'no_such_module_at_all'", "missing.py"];
    assert_fails(command.current_dir(folder.path()), 3, &hints);
}

#[test]
#[cfg(feature = "python")]
fn python_is_served_and_ends_as_python_does() {
    const APP: &str = "
import atexit
atexit.register(print, 'good bye', end='')
def app(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [b'Python at ' + environ['SCRIPT_NAME'].encode()]
";
    let folder = folder();
    write(&folder, "good.py", APP);
    let file =
        write(&folder, "gateway.toml", "chdir = '.'\n[mount]\n'/module' = 'good:app'\n'/file' = 'wsgi:good.py:app'");
    let mut gateway = Gateway::start(&mut gateway(&["serve", "-c", &file]));
    assert!(gateway.get("/module").ends_with("Python at /module"));
    assert!(gateway.get("/file/x").ends_with("Python at /file"));
    gateway.signal(Signal::TERM);
    assert_eq!(gateway.exit_code(), Some(0));
    assert!(gateway.rest_of_stdout().contains("good bye"));
}

#[test]
#[cfg(feature = "python")]
fn a_second_signal_counts_even_if_python_blocks_the_event_loop() {
    let folder = folder();
    write(
        &folder,
        "stuck.py",
        "def app(environ, start_response):\n    print('stuck', flush=True)\n    while True: pass\n",
    );
    let mut gateway = Gateway::start(gateway(&["serve", "stuck:app", "--threads", "1"]).current_dir(folder.path()));
    let mut stream = gateway.connect();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    while gateway.stdout.recv_timeout(BOUND).unwrap() != "stuck" {}
    let begun = Instant::now();
    // Two signals that come too soon after one another are one.
    while gateway.child.try_wait().unwrap().is_none() && begun.elapsed() < BOUND {
        gateway.signal(Signal::TERM);
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(gateway.exit_code(), Some(143));
}

#[test]
fn it_says_what_is_where_and_serves_that_until_it_is_told_to_end() {
    let folder = folder();
    write(&folder, "files/a.txt", "A file\n");
    let args = ["serve", "/hello=app:hello", "/=app:environ", "/files=static:files", "--listing"];
    let mut gateway = Gateway::start(gateway(&args).current_dir(folder.path()));
    assert!(gateway.banner.starts_with("gateway "), "{}", gateway.banner);
    assert!(gateway.get("/hello/x").ends_with("\r\n\r\nHello from /hello\n"));
    assert!(gateway.get("/files/a.txt").ends_with("A file\n"));
    assert!(gateway.get("/files/").contains("a.txt"));
    let environ = gateway.get("/some%0Apath?a=b");
    let lines: Vec<_> = environ.split_once("\r\n\r\n").unwrap().1.lines().collect();
    assert!(environ.contains("PATH_INFO: /some\\npath\n") && environ.contains("QUERY_STRING: a=b\n"), "{environ}");
    assert!(environ.contains("HTTP_HOST: localhost\n") && lines.is_sorted(), "{environ}");
    gateway.signal(Signal::INT);
    assert_eq!(gateway.exit_code(), Some(0));
    let table = gateway.rest_of_stdout();
    let address = &gateway.address;
    for (prefix, url, kind, what) in
        [("/hello", "/hello", "app", "hello"), ("/", "/", "app", "environ"), ("/files", "/files/", "static", "files")]
    {
        let url = format!("http://{address}{url}");
        let row = table.lines().find(|row| row.split_whitespace().eq([prefix, &url, kind, what]));
        assert!(row.is_some(), "no {prefix} in\n{table}");
    }
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn echo_sends_back_what_it_gets_up_to_the_largest_body() {
    let gateway = Gateway::start(&mut gateway(&["serve", "app:echo", "--max-body", "1K"]));
    let answer = gateway.exchange(b"POST / HTTP/1.1\r\nContent-Type: text/x-test\r\nContent-Length: 5", b"a\0b\nc");
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\na\0b\nc"), "{answer}");
    assert!(answer.contains("content-type: text/x-test\r\n") && answer.contains("content-length: 5\r\n"), "{answer}");
    let chunked = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked";
    let answer = gateway.exchange(chunked, b"3\r\nabc\r\n0\r\n\r\n");
    assert!(answer.contains("content-length: 3\r\n") && answer.ends_with("\r\n\r\nabc"), "{answer}");
    assert!(gateway.exchange(b"POST / HTTP/1.1\r\nContent-Length: 1025", b"").starts_with("HTTP/1.1 413 "));
}

#[test]
fn the_access_log_has_one_escaped_line_for_each_request() {
    let folder = folder();
    let file = write(&folder, "gateway.toml", "access-log = 'access.log'\n[mount]\n'/' = 'app:hello'");
    let mut server = Gateway::start(&mut gateway(&["serve", "-c", &file]));
    server.get("/plain?q=1");
    server.exchange(b"GET /a\"b\\c\xc3\xa9 HTTP/1.1", b"");
    server.signal(Signal::TERM);
    assert_eq!(server.exit_code(), Some(0));
    let log = fs::read_to_string(folder.path().join("access.log")).unwrap();
    let lines: Vec<_> = log.lines().collect();
    assert_eq!(lines.len(), 2, "{log}");
    assert_common_log_format(lines[0], "\"GET /plain?q=1 HTTP/1.1\" 200 12");
    assert_common_log_format(lines[1], r#""GET /a\"b\\c\xc3\xa9 HTTP/1.1" 200 12"#);

    let mut server = Gateway::start(&mut gateway(&["serve", "app:hello", "--access-log", "-"]));
    server.get("/");
    server.signal(Signal::TERM);
    assert_eq!(server.exit_code(), Some(0));
    assert!(server.rest_of_stdout().contains("\"GET / HTTP/1.1\" 200 12\n"));
}

/// `127.0.0.1 - - [21/Nov/2026:11:40:57 +0000] "GET / HTTP/1.1" 200 12`
#[track_caller]
fn assert_common_log_format(line: &str, end: &str) {
    let time = line
        .strip_prefix("127.0.0.1 - - [")
        .and_then(|rest| rest.strip_suffix(end))
        .and_then(|rest| rest.strip_suffix("] "));
    let shape: Option<String> = time.map(|time| {
        let class = |character: char| match character {
            '0'..='9' => '9',
            'a'..='z' | 'A'..='Z' => 'a',
            '+' | '-' => '+',
            other => other,
        };
        time.chars().map(class).collect()
    });
    assert_eq!(shape.as_deref(), Some("99/aaa/9999:99:99:99 +9999"), "{line}");
}

/// A server that drains: it has been told to end, and a request that will not end keeps it.
fn draining(signal: Signal) -> (Gateway, TcpStream) {
    let gateway = Gateway::start(&mut gateway(&["serve", "app:echo"]));
    let mut stream = gateway.connect();
    let head = "POST / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    // The App reads: its request runs.
    let mut interim = [0; b"HTTP/1.1 100 Continue\r\n\r\n".len()];
    stream.read_exact(&mut interim).unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"half!").unwrap();
    gateway.signal(signal);
    let begun = Instant::now();
    while TcpStream::connect(&gateway.address).is_ok() {
        assert!(begun.elapsed() < BOUND, "it still listens");
        thread::sleep(Duration::from_millis(5));
    }
    (gateway, stream)
}

#[test]
fn a_running_request_is_finished_after_the_first_signal() {
    let (mut gateway, mut stream) = draining(Signal::TERM);
    stream.write_all(b"whole").unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    let rest = String::from_utf8(rest).unwrap();
    assert!(rest.starts_with("HTTP/1.1 200 ") && rest.ends_with("half!whole"), "{rest}");
    assert_eq!(gateway.exit_code(), Some(0));
}

#[test]
fn a_second_signal_ends_everything_at_once() {
    for (second, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let (mut gateway, _stream) = draining(Signal::INT);
        gateway.signal(second);
        assert_eq!(gateway.exit_code(), Some(code));
    }
}

#[test]
fn help_and_version_are_no_failures() {
    for (args, hint) in [
        (["serve", "--help"].as_slice(), "GATEWAY_ACCESS_LOG"),
        (&["--help"], "serve"),
        (&["--version"], env!("CARGO_PKG_VERSION")),
    ] {
        let output = output(&mut gateway(args));
        assert!(output.status.success());
        assert!(String::from_utf8_lossy(&output.stdout).contains(hint));
    }
}
