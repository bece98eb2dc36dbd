//! Files that a program has the server send in its place: `X-Sendfile`.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use gateway_spec::FileRange;
use http::HeaderName;

/// The field that names the file by its absolute path.
pub(crate) const X_SENDFILE: HeaderName = HeaderName::from_static("x-sendfile");

/// Opens the file at `path`, if it is one below one of `folders`, whose paths have no symbolic link in them.
pub(crate) fn open(folders: &[PathBuf], path: &Path) -> io::Result<FileRange> {
    let found = fs::canonicalize(path)?;
    if !path.is_absolute() || !folders.iter().any(|folder| found.starts_with(folder)) {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is in no folder of those listed"));
    }
    // A FIFO would not open before somebody writes to it.
    if !fs::metadata(&found)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file"));
    }
    let file = File::open(&found)?;
    let length = file.metadata()?.len();
    Ok(FileRange::new(file, 0, length))
}
