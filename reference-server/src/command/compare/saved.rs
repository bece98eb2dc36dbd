//! Reports that are kept under a name.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use super::{
    super::{
        failure::{Failure, Report as Complaint},
        nearest::did_you_mean,
    },
    report::{FORMAT, Report},
};

/// # Errors
/// [`Failure::Usage`] if there is no such report, or this version cannot read it.
pub(super) fn read(name: &str) -> Result<Report, Failure> {
    let path = path(name)?;
    let complaint = |what: &str| Complaint::new(format!("{what} the saved run {name:?}, {}", path.display()));
    let text = fs::read_to_string(&path).map_err(|error| {
        let complaint = complaint("cannot read").because(&error);
        Failure::Usage(match error.kind() {
            io::ErrorKind::NotFound => complaint.tip(others(name, path.parent())),
            _ => complaint,
        })
    })?;
    let report: Report = serde_json::from_str(&text).map_err(|error| {
        Failure::Usage(complaint("cannot understand").because(&error).tip("save it anew with --save"))
    })?;
    if report.format != FORMAT {
        let tip = "it was written by another version of gateway: save it anew with --save";
        return Err(Failure::Usage(complaint("cannot understand").tip(tip)));
    }
    Ok(report)
}

/// Makes the folder, so that what is wrong with it is found before the measurement.
///
/// # Errors
/// [`Failure::Runtime`] with what the system reports.
pub(super) fn prepare(name: &str) -> Result<(), Failure> {
    let path = path(name)?;
    path.parent().map_or(Ok(()), fs::create_dir_all).map_err(|error| cannot_save(&path, &error))
}

/// # Errors
/// [`Failure::Runtime`] with what the system reports.
pub(super) fn write(name: &str, report: &Report) -> Result<(), Failure> {
    let path = path(name)?;
    let text = serde_json::to_string_pretty(report).map_err(io::Error::from);
    text.and_then(|text| fs::write(&path, text)).map_err(|error| cannot_save(&path, &error))
}

fn cannot_save(path: &Path, error: &io::Error) -> Failure {
    Failure::Runtime(Complaint::new(format!("cannot save the run as {}", path.display())).because(error))
}

fn path(name: &str) -> Result<PathBuf, Failure> {
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || absolute("HOME").map(|home| home.join(".local/share"));
    let data = absolute("XDG_DATA_HOME").or_else(home).ok_or_else(|| {
        let tip = "set HOME or XDG_DATA_HOME to a folder";
        Failure::Usage(Complaint::new("there is no place for saved runs").tip(tip))
    })?;
    Ok(data.join("gateway/compare").join(format!("{name}.json")))
}

/// Which names there are.
fn others(name: &str, folder: Option<&Path>) -> String {
    let entries = folder.and_then(|folder| fs::read_dir(folder).ok()).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".json")?.to_owned()));
    let mut names: Vec<_> = names.collect();
    names.sort();
    match names.is_empty() {
        true => format!("nothing is saved yet: run `gateway compare --save {name}` first"),
        false => format!("saved are {}{}", names.join(", "), did_you_mean(name, names.iter().map(String::as_str))),
    }
}
