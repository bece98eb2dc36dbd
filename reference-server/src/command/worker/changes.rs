//! `--reload`: notices that a source file is another than it was.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    env, fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io,
    path::{Path, PathBuf},
    thread::{self, sleep},
    time::{Duration, SystemTime},
};

/// How often files are looked at.
const ROUND: Duration = Duration::from_millis(200);
/// The most files below the working folder.
const MOST: usize = 10_000;

/// What was seen of a file: nothing if it is not there.
type Seen = Option<(SystemTime, u64, u64)>;

/// Files, as they were when they were looked at last.
#[derive(Debug)]
pub(super) struct Sources {
    folder: PathBuf,
    seen: BTreeMap<PathBuf, Seen>,
}

impl Sources {
    /// Looks at the Python sources below the working folder, and at the configuration file: what is saved from now on
    /// counts, even while it is being imported.
    ///
    /// # Errors
    /// There is no such folder.
    pub(super) fn look(config: Option<PathBuf>) -> io::Result<Self> {
        let seen = config.into_iter().map(|file| (file, None)).collect();
        let mut sources = Sources { folder: env::current_dir()?, seen };
        sources.changed();
        Ok(sources)
    }

    /// Calls `tell` with a file that has changed, again and again. `more` are files elsewhere; it is asked each time.
    ///
    /// # Errors
    /// What the system reports.
    pub(super) fn watch(
        mut self,
        more: impl Fn() -> Vec<PathBuf> + Send + 'static,
        tell: impl Fn(&Path) + Send + 'static,
    ) -> io::Result<()> {
        let mut round = move || {
            sleep(ROUND);
            for file in more() {
                self.seen.entry(file).or_insert_with_key(|file| see(file, None));
            }
            if let Some(file) = self.changed() {
                // Who saves one file may be about to save others.
                sleep(ROUND / 2);
                self.changed();
                tell(&file);
            }
        };
        thread::Builder::new().name("gateway-changes".into()).spawn(move || {
            loop {
                round();
            }
        })?;
        Ok(())
    }

    /// Looks at all files again, and names one that is new or another.
    fn changed(&mut self) -> Option<PathBuf> {
        let mut changed = None;
        for file in sources(&self.folder) {
            if let Entry::Vacant(place) = self.seen.entry(file) {
                changed = Some(place.key().clone());
                let seen = see(place.key(), None);
                place.insert(seen);
            }
        }
        for (file, seen) in &mut self.seen {
            let now = see(file, *seen);
            if now != *seen {
                *seen = now;
                changed = Some(file.clone());
            }
        }
        changed
    }
}

/// Looks at a file. Its content is looked at when its time or size is another: who writes the same again has changed
/// nothing.
fn see(file: &Path, before: Seen) -> Seen {
    let metadata = fs::metadata(file).ok()?;
    let (time, size) = (metadata.modified().ok()?, metadata.len());
    if let Some((_, _, hash)) = before.filter(|(before, length, _)| (*before, *length) == (time, size)) {
        return Some((time, size, hash));
    }
    let mut hasher = DefaultHasher::new();
    fs::read(file).ok()?.hash(&mut hasher);
    let hash = hasher.finish();
    // The time that was seen first stands for the content.
    before.filter(|(_, _, known)| *known == hash).or(Some((time, size, hash)))
}

/// The Python sources below a folder, but for those in hidden folders and in virtual environments.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            let hidden = name.as_encoded_bytes().starts_with(b".") || name == "__pycache__" || name == "node_modules";
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_folder && !hidden && !path.join("pyvenv.cfg").exists() {
                folders.push(path);
            } else if path.extension().is_some_and(|suffix| suffix == "py") && !hidden && !is_folder {
                found.push(path);
            }
        }
        if found.len() >= MOST {
            break;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_another_when_its_content_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("module.py");
        fs::write(&file, "one").unwrap();
        let first = see(&file, None);
        assert_eq!(see(&file, first), first);
        fs::write(&file, "one").unwrap();
        assert_eq!(see(&file, first), first);
        fs::write(&file, "other").unwrap();
        assert_ne!(see(&file, first), first);
        fs::remove_file(&file).unwrap();
        assert_eq!(see(&file, first), None);
    }

    #[test]
    fn sources_are_those_that_somebody_writes() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "").unwrap();
        };
        for name in ["a.py", "b/c.py", "b/.hidden.py", ".git/d.py", "venv/pyvenv.cfg", "venv/e.py", "f.txt"] {
            write(name);
        }
        let mut found = sources(folder.path());
        found.sort();
        assert_eq!(found, ["a.py", "b/c.py"].map(|name| folder.path().join(name)));
    }
}
