//! The page that shows what is in a directory.

use std::{fs::File, io, os::unix::fs::MetadataExt};

use jiff::Timestamp;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use percent_encoding::percent_encode;
use rustix::fs::{AtFlags, Dir, FileType, Stat, statat};

use super::{
    SEGMENT, directory_path,
    resolve::{Root, SitePath, is_served},
};

/// The page's Content-Security-Policy: it needs its own style and its own pictures, and no script ever runs in it.
pub(super) const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

/// A row of the listing.
#[derive(Debug)]
pub(super) struct Entry {
    name: Vec<u8>,
    is_directory: bool,
    size: u64,
    /// In seconds since 1970.
    modified: i64,
}

/// What is served of `directory`, which is at `path`: folders first, each kind by name. Blocks for as long as the disk
/// does.
///
/// # Errors
/// What reading the directory reports. An entry that vanishes meanwhile is left out.
pub(super) fn read(root: &Root, path: &SitePath, directory: &File) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if !is_served(name.to_bytes()) {
            continue;
        }
        let Ok(stat) = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
        entries.extend(match FileType::from_raw_mode(stat.st_mode) {
            FileType::Symlink => Entry::of_link(root, path, name.to_bytes())?,
            FileType::Directory | FileType::RegularFile => Some(Entry::of_stat(name.to_bytes(), &stat)),
            _ => None,
        });
    }
    entries.sort_by_cached_key(|entry| {
        (!entry.is_directory, String::from_utf8_lossy(&entry.name).to_lowercase(), entry.name.clone())
    });
    Ok(entries)
}

impl Entry {
    /// A link is shown as what it leads to, if that is served.
    fn of_link(root: &Root, path: &SitePath, name: &[u8]) -> io::Result<Option<Self>> {
        let opened = root.open(&path.join(name))?;
        Ok(opened.map(|(_, metadata)| Entry {
            name: name.to_vec(),
            is_directory: metadata.is_dir(),
            size: metadata.len(),
            modified: metadata.mtime(),
        }))
    }

    fn of_stat(name: &[u8], stat: &Stat) -> Self {
        Entry {
            name: name.to_vec(),
            is_directory: FileType::from_raw_mode(stat.st_mode).is_dir(),
            size: u64::try_from(stat.st_size).unwrap_or_default(),
            modified: stat.st_mtime,
        }
    }

    /// Its address, relative to the listing's.
    fn href(&self) -> String {
        let slash = if self.is_directory { "/" } else { "" };
        format!("{}{slash}", percent_encode(&self.name, SEGMENT))
    }
}

/// The listing of the directory at `path` below the mount `script_name`.
pub(super) fn page(script_name: &str, path: &SitePath, entries: &[Entry]) -> Markup {
    let names: Vec<_> = path.names().iter().map(|name| String::from_utf8_lossy(name)).collect();
    let shown: String = names.iter().flat_map(|name| [name, "/"]).collect();
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "Index of " (script_name) "/" (shown) }
                link rel="icon" href="data:,";
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    (breadcrumbs(script_name, path, &names))
                    p { (summary(entries)) }
                }
                (table(path, entries))
            }
        }
    }
}

/// The path, each directory on the way a link. Where the mount is the server's root, it is the first slash.
fn breadcrumbs(script_name: &str, path: &SitePath, names: &[impl AsRef<str>]) -> Markup {
    let slash = html! { span .slash { "/" } wbr; };
    html! {
        h1 {
            "Index of "
            @if names.is_empty() {
                bdi { (script_name) "/" }
            } @else {
                a href=(directory_path(script_name, &[])) { bdi { @if script_name.is_empty() { "/" } (script_name) } }
                @if !script_name.is_empty() { (slash) }
            }
            @for (depth, name) in (1..).zip(names) {
                @if depth == names.len() {
                    bdi { (name.as_ref()) } "/"
                } @else {
                    a href=(directory_path(script_name, &path.names()[..depth])) { bdi { (name.as_ref()) } }
                    (slash)
                }
            }
        }
    }
}

fn table(path: &SitePath, entries: &[Entry]) -> Markup {
    html! {
        table {
            thead { tr { th scope="col" { "Name" } th scope="col" { "Size" } th scope="col" { "Modified (UTC)" } } }
            tbody {
                @if !path.names().is_empty() {
                    tr { td .up colspan="3" { a href="../" { "Parent folder" } } }
                }
                @for entry in entries { (row(entry)) }
                @if entries.is_empty() { tr { td .empty colspan="3" { "This folder is empty." } } }
            }
        }
    }
}

fn row(entry: &Entry) -> Markup {
    let name = String::from_utf8_lossy(&entry.name);
    html! {
        tr {
            td class=(if entry.is_directory { "folder" } else { "file" }) {
                a href=(entry.href()) { bdi { (name) } @if entry.is_directory { "/" } }
            }
            td { @if !entry.is_directory { (readable_size(entry.size)) } }
            td {
                @if let Ok(time) = Timestamp::from_second(entry.modified) {
                    time datetime=(time) { (time.strftime("%Y-%m-%d %H:%M")) }
                }
            }
        }
    }
}

/// How much there is: `2 folders, 1 file, 3.4 KiB`.
fn summary(entries: &[Entry]) -> String {
    let (folders, files): (Vec<_>, Vec<_>) = entries.iter().partition(|entry| entry.is_directory);
    let count = |count: usize, noun| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
    let mut parts = Vec::new();
    if !folders.is_empty() {
        parts.push(count(folders.len(), "folder"));
    }
    if !files.is_empty() {
        parts.push(count(files.len(), "file"));
        parts.push(readable_size(files.iter().map(|file| file.size).sum()));
    }
    parts.join(", ")
}

/// A size as people say it, in the units of IEC 80000-13.
fn readable_size(size: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if size < 1024 {
        return format!("{size} B");
    }
    let (mut value, mut unit) = (size as f64 / 1024.0, 0);
    // What would be rounded to 1024.0 is 1.0 of the next unit.
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        (value, unit) = (value / 1024.0, unit + 1);
    }
    format!("{value:.1} {}", UNITS[unit])
}

const STYLE: &str = include_str!("listing.css");
