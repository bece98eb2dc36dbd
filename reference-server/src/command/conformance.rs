//! `gateway conformance`: servers judged by the contract.
//!
//! ```text
//!   --url ─────────────────────────────┐
//!   ours: gateway serve, three probes ─┼─▶ cases ─▶ judgements ─▶ text, JSON, Markdown
//!   --peers: other servers ────────────┘
//! ```

mod child;
mod options;
mod ours;
mod peers;

use std::{
    fs, io,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{self, ExitCode},
};

use gateway_spec::conformance::{self, Case, Column, Matrix, Target, Verdict};
use jiff::Zoned;

use child::{Child, Start};
use options::{Format, Probe};

use super::failure::{Failure, Report};

pub(super) use options::{ABOUT, ConformanceOptions, EXAMPLES};

/// Does what the options say.
///
/// # Errors
/// [`Failure::Runtime`] if a server cannot be judged, or started.
pub(super) fn run(options: &ConformanceOptions) -> Result<ExitCode, Failure> {
    if let Some((probe, file)) = options.probe()? {
        return emit(probe, file.as_deref()).map(|()| ExitCode::SUCCESS);
    }
    let cases: Vec<_> = conformance::cases().filter(|case| options.selects(case)).collect();
    if options.list {
        print(&list(&cases));
        return Ok(ExitCode::SUCCESS);
    }
    let matrix = match (&options.url, &options.peers) {
        (Some(url), _) => Matrix::from_iter([judge_url(url, &cases, options)?]),
        (None, None) => judge_all(&ours::starts, &cases, options)?,
        (None, Some(folder)) => {
            let starts = |work: &Path| Ok([ours::starts(work)?, peers::starts(folder)?].concat());
            judge_all(&starts, &cases, options)?
        }
    };
    match options.format {
        Format::Text => matrix.columns.iter().for_each(|column| print(&format!("{}\n", column.summary()))),
        Format::Json => print(&matrix.to_json()),
        Format::Markdown => print(&page(&matrix)),
    }
    // What others do wrong is for the reader of the matrix to see, and no failure of the command.
    let judged = if options.peers.is_some() { ours::COUNT } else { matrix.columns.len() };
    let conforms = matrix.columns.iter().take(judged).all(|column| column.conforms(options.strict));
    Ok(if conforms { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Writes the probe application out; programs so that they can be run.
fn emit(probe: Probe, file: Option<&Path>) -> Result<(), Failure> {
    let Some(file) = file else {
        print(probe.text());
        return Ok(());
    };
    let written = fs::write(file, probe.text()).and_then(|()| match probe {
        Probe::Cgi => fs::set_permissions(file, fs::Permissions::from_mode(0o755)),
        Probe::Wsgi => Ok(()),
    });
    written.map_err(|error| {
        Failure::Runtime(Report::new(format!("cannot write the probe to {}", file.display())).because(&error))
    })
}

fn list(cases: &[&Case]) -> String {
    let line = |case: &&Case| format!("{:<9} {:<6} {}: {}\n", case.id, case.level.as_str(), case.title, case.expect);
    cases.iter().map(line).collect()
}

fn judge_url(url: &str, cases: &[&'static Case], options: &ConformanceOptions) -> Result<Column, Failure> {
    let target = Target::find(url).map_err(|error| not_found(&error))?;
    let software = if target.software().is_empty() { url } else { target.software() };
    let mut column = Column::new(software);
    for case in cases {
        column.judgements.push(conformance::judge(&target, case));
        tell(&column, options);
    }
    target.forget();
    Ok(column)
}

/// Judges servers that are started here, one after the other.
fn judge_all(
    starts: &dyn Fn(&Path) -> Result<Vec<Start>, Failure>,
    cases: &[&'static Case],
    options: &ConformanceOptions,
) -> Result<Matrix, Failure> {
    let work = Work::new()?;
    let starts = starts(&work.0)?;
    // One that cannot be started is found out before the others are judged.
    starts.iter().try_for_each(|start| Child::run(start).map(drop))?;
    starts.iter().map(|start| judge_start(start, cases, options)).collect()
}

/// A server that another case has upset is started anew; one that is not ours gets a second chance there, so that no one
/// is accused of what a busy machine did.
fn judge_start(start: &Start, cases: &[&'static Case], options: &ConformanceOptions) -> Result<Column, Failure> {
    let mut column = Column::new(&start.name);
    announce(&start.name, options);
    let mut running = Child::run(start)?;
    for case in cases {
        let mut judgement = conformance::judge(&running.target, case);
        if matches!(judgement.verdict, Verdict::Fail | Verdict::Warn) {
            drop(running);
            running = Child::run(start)?;
            if !start.is_ours {
                judgement = conformance::judge(&running.target, case);
                drop(running);
                running = Child::run(start)?;
            }
        }
        column.judgements.push(judgement);
        tell(&column, options);
    }
    running.target.forget();
    Ok(column)
}

/// Shows the last judgement while others are to come.
fn tell(column: &Column, options: &ConformanceOptions) {
    if let (Format::Text, Some(judgement)) = (options.format, column.judgements.last()) {
        print(&format!("{judgement}\n"));
    }
}

fn announce(name: &str, options: &ConformanceOptions) {
    match options.format {
        Format::Text => print(&format!("\n{name}\n")),
        Format::Json | Format::Markdown => eprintln!("judging {name}"),
    }
}

/// The matrix as a page of its own.
fn page(matrix: &Matrix) -> String {
    let date = Zoned::now().strftime("%-d %B %Y").to_string();
    format!("{}{}", options::PAGE.replace("{date}", &date), matrix.to_markdown())
}

fn not_found(error: &conformance::Error) -> Failure {
    let report = Report::new(error.to_string());
    let report = match std::error::Error::source(error) {
        Some(source) => report.because(source),
        None => report,
    };
    match error {
        conformance::Error::Url(_) => Failure::Usage(report),
        conformance::Error::Nobody(..) => Failure::Runtime(report.tip("start the server first, and look at its port")),
        _ => Failure::Runtime(report.tip(
            "host the probe there: `gateway conformance --emit-probe wsgi probe.py` writes it for any WSGI server, \
             `--emit-probe cgi probe` as a CGI program",
        )),
    }
}

/// Writes to standard output. Who has closed it wants no more of it.
fn print(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

/// A folder for the probes and the servers' logs, which is gone afterwards.
#[derive(Debug)]
struct Work(PathBuf);

impl Work {
    fn new() -> Result<Self, Failure> {
        let folder = std::env::temp_dir().join(format!("gateway-conformance-{}", process::id()));
        let made = fs::create_dir(&folder)
            .and_then(|()| fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)))
            .map_err(|error| (&folder, error));
        match made {
            Ok(()) => Ok(Work(folder)),
            Err((folder, error)) => {
                let what = format!("cannot make the folder {}", folder.display());
                Err(Failure::Runtime(Report::new(what).because(&error)))
            }
        }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        // What cannot be removed is in the temporary folder.
        let _ = fs::remove_dir_all(&self.0);
    }
}
