//! `gateway compare`: what each way of running an application costs.
//!
//! ```text
//!   options ─ plan ─▶ tasks × contenders ─ rounds ─▶ measurements ─ summary ─▶ report ─▶ terminal, JSON, HTML, saved
//!                        launch: one at a time, on its own core
//!                        load: on the other core, and every answer is looked at
//! ```

mod changes;
mod contenders;
mod cores;
mod cpu;
mod exchange;
mod interrupt;
mod launch;
mod limits;
mod load;
mod options;
mod peers;
mod plan;
mod processes;
mod programs;
mod progress;
mod report;
mod rounds;
mod saved;
mod statistics;
mod summary;
mod work;

use std::{
    env, fs,
    io::{self, Write as _},
    iter,
    path::Path,
    process::ExitCode,
};

use cores::Cores;
use cpu::Meter;
use launch::Launcher;
use plan::Plan;
use programs::Folder;
use progress::Progress;
use report::{Changes, FORMAT, Machine, Report, html, terminal};
use rounds::{Entry, Verdict};

use super::failure::{Failure, Report as Complaint};

pub(super) use limits::Limit;
pub(super) use options::{ABOUT, CompareOptions, EXAMPLES};
pub(super) use work::{BLOCK, BLOCKS, HELLO, NAP, PAGE, Work};

/// The exit code if a target of the user's cannot be loaded.
const NOT_LOADED: u8 = 3;

/// Measures, and shows what was found.
///
/// # Errors
/// What keeps it from measuring anything, and what the user asked for and cannot have.
pub(super) fn run(options: &CompareOptions) -> Result<ExitCode, Failure> {
    let before = options.against.as_deref().map(saved::read).transpose()?;
    options.html.as_deref().map_or(Ok(()), can_be_written)?;
    options.save.as_deref().map_or(Ok(()), saved::prepare)?;
    let machine = Machine::this();
    let cannot = |what: &'static str| move |error: io::Error| Failure::Runtime(Complaint::new(what).because(&error));
    let folder = Folder::new().map_err(cannot("cannot make a folder for temporary files"))?;
    let meter = Meter::choose();
    processes::adopt_orphans().map_err(cannot("cannot watch over processes"))?;
    interrupt::watch(&folder, &meter).map_err(cannot("cannot watch for signals"))?;
    let cores = Cores::divide().map_err(cannot("cannot find out which cores there are"))?;
    cores.enter_load().map_err(cannot("cannot choose a core"))?;

    let plan = Plan::of(options, &folder, cores)?;
    let launcher = Launcher { cores: plan.cores.clone(), meter, folder: folder.path().to_owned(), port: options.port };
    let (mut report, is_loaded) = measure(&plan, &launcher, machine);
    let _to_the_end = interrupt::undisturbed();
    drop(launcher);
    report.changes = before
        .zip(options.against.as_deref())
        .map(|(before, name)| changes::between(&before, &report, name, options.threshold / 100.0));
    show(options, &report)?;
    if let Some(name) = &options.save {
        saved::write(name, &report)?;
    }
    let regressed = report.changes.as_ref().is_some_and(Changes::has_regressions);
    let measured = report.tables.iter().any(|table| table.rows.iter().any(|row| row.requests > 0));
    Ok(match (is_loaded, regressed || !measured) {
        (false, _) => ExitCode::from(NOT_LOADED),
        (true, true) => ExitCode::FAILURE,
        (true, false) => ExitCode::SUCCESS,
    })
}

/// Finds out before the measurement, and not behind it.
fn can_be_written(path: &Path) -> Result<(), Failure> {
    let opened = fs::OpenOptions::new().append(true).create(true).open(path);
    opened
        .map(drop)
        .map_err(|error| Failure::Usage(Complaint::new(format!("cannot write {}", path.display())).because(&error)))
}

/// Everything that the plan has; and whether all of the user's applications could be loaded.
fn measure(plan: &Plan, launcher: &Launcher, machine: Machine) -> (Report, bool) {
    let mut is_loaded = true;
    let mut report = Report {
        format: FORMAT,
        date: jiff::Zoned::now().strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
        command: iter::once("gateway".to_owned()).chain(env::args().skip(1)).collect(),
        machine,
        versions: plan.versions.clone(),
        method: plan.method(&launcher.meter),
        notes: Vec::new(),
        left_out: plan.left_out.clone(),
        sweep: plan.sweep.clone(),
        tables: Vec::new(),
        changes: None,
    };
    for task in &plan.tasks {
        let progress = Progress::new(summary::title(task), plan.contenders.len());
        let entries = rounds::run(&plan.contenders, task, launcher, &plan.budget, &progress);
        drop(progress);
        let failed = |entry: &Entry| {
            entry.contender.kind == contenders::Kind::Own && matches!(entry.verdict, Verdict::DoesNotStart(_))
        };
        is_loaded &= !entries.iter().any(failed);
        report.tables.push(summary::table(task, &entries, launcher));
    }
    report.notes = plan.notes(&report);
    (report, is_loaded)
}

/// Prints the report, and writes what else was asked for.
fn show(options: &CompareOptions, report: &Report) -> Result<(), Failure> {
    let text = match options.json {
        true => serde_json::to_string_pretty(report).unwrap_or_default() + "\n",
        false => terminal::text(report),
    };
    // Whoever does not read it may still want the files.
    let _ = io::stdout().lock().write_all(text.as_bytes());
    if let Some(path) = &options.html {
        fs::write(path, html::page(report)).map_err(|error| {
            Failure::Runtime(Complaint::new(format!("cannot write {}", path.display())).because(&error))
        })?;
    }
    Ok(())
}
