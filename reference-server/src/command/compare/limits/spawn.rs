//! A program, run over and over without HTTP: spawned, read to the end of its output, and waited for. Nobody who starts a
//! process for each request can be cheaper.

use std::{
    fmt::Write as _,
    fs::File,
    io::{self, BufRead as _, BufReader, Read as _, Seek as _, Write as _},
    path::Path,
    process::{ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::fs::{MemfdFlags, memfd_create};

use super::super::work::Work;

/// What a measurement gave.
#[derive(Debug)]
pub(in super::super) struct Runs {
    /// How long each run took.
    pub(in super::super) latencies: Vec<Duration>,
    /// How many of them gave the wrong answer.
    pub(in super::super) wrong: u64,
}

impl Runs {
    /// Has the process at the other end of the pipes run its program for a while.
    ///
    /// # Errors
    /// If the process has ended, or says what it never says.
    pub(in super::super) fn order(
        commands: &mut ChildStdin,
        answers: &mut BufReader<ChildStdout>,
        duration: Duration,
    ) -> io::Result<Self> {
        writeln!(commands, "{}", duration.as_secs_f64())?;
        let mut line = String::new();
        answers.read_line(&mut line)?;
        let mut numbers = line.split_whitespace().map(|number| number.parse::<u64>().map_err(io::Error::other));
        let wrong = numbers.next().ok_or(io::ErrorKind::UnexpectedEof)??;
        let latencies = numbers.map(|number| number.map(Duration::from_nanos)).collect::<Result<_, _>>()?;
        Ok(Runs { latencies, wrong })
    }
}

/// Takes orders until there are no more.
pub(super) fn run(program: &Path, work: Work) -> io::Result<()> {
    let exchange = work.exchange(0);
    let mut input = File::from(memfd_create("input", MemfdFlags::CLOEXEC)?);
    input.write_all(&exchange.body)?;
    let mut command = Command::new(program);
    command.env_clear().envs([
        ("GATEWAY_INTERFACE", "CGI/1.1"),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("SERVER_NAME", "localhost"),
        ("SERVER_PORT", "80"),
        ("REMOTE_ADDR", "127.0.0.1"),
        ("HTTP_HOST", "localhost"),
        ("SCRIPT_NAME", ""),
        ("PATH", "/usr/local/bin:/usr/bin:/bin"),
    ]);
    let (path, query) = exchange.target.split_once('?').unwrap_or((&exchange.target, ""));
    command.envs([("PATH_INFO", path), ("QUERY_STRING", query), ("REQUEST_METHOD", exchange.method.as_str())]);
    command.env("CONTENT_LENGTH", exchange.body.len().to_string());
    for line in io::stdin().lock().lines() {
        let seconds: f64 = line?.trim().parse().map_err(io::Error::other)?;
        let mut text = String::new();
        let mut wrong = 0;
        let begun = Instant::now();
        while begun.elapsed().as_secs_f64() < seconds {
            let start = Instant::now();
            let output = once(&mut command, &mut input, exchange.body.is_empty())?;
            let body = output.windows(4).position(|end| end == b"\r\n\r\n").map_or(&[][..], |at| &output[at + 4..]);
            wrong += u64::from(exchange.expected.check_body(body).is_err());
            // Writing to a String cannot fail.
            let _ = write!(text, " {}", start.elapsed().as_nanos());
        }
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "{wrong}{text}")?;
        stdout.flush()?;
    }
    Ok(())
}

fn once(command: &mut Command, input: &mut File, bodyless: bool) -> io::Result<Vec<u8>> {
    match bodyless {
        true => command.stdin(Stdio::null()),
        false => {
            input.rewind()?;
            command.stdin(input.try_clone()?)
        }
    };
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let mut output = Vec::new();
    if let Some(stdout) = &mut child.stdout {
        stdout.read_to_end(&mut output)?;
    }
    child.wait()?;
    Ok(output)
}
