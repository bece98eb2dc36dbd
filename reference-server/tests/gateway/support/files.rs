//! Folders that are gone after a test, and data that is cheap to make and to recognise.

use std::{fs, path::PathBuf};

use tempfile::TempDir;

/// A folder through which a test and an application tell each other what has happened.
pub(crate) struct Signals(TempDir);

impl Signals {
    pub(crate) fn new() -> Self {
        Signals(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap())
    }

    pub(crate) fn path(&self) -> &str {
        self.0.path().to_str().unwrap()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Lets the application go on.
    pub(crate) fn give(&self, name: &str) {
        fs::write(self.file(name), "").unwrap();
    }

    /// How many files begin with this name.
    pub(crate) fn count(&self, prefix: &str) -> usize {
        let entries = fs::read_dir(self.0.path()).unwrap();
        entries.filter(|entry| entry.as_ref().unwrap().file_name().to_str().unwrap().starts_with(prefix)).count()
    }

    /// What the application has written there, once it has.
    pub(crate) fn content(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.file(name)).ok().filter(|text| !text.is_empty())
    }
}

/// `length` bytes, always the same ones, which no compression makes fewer.
pub(crate) fn pattern(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        // A linear congruential generator; its high bits are good enough.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    (0..length).map(|_| next()).collect()
}
