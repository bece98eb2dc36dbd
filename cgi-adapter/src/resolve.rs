//! From a URL's path to a program: which file, what SCRIPT_NAME, what PATH_INFO (RFC 3875, section 3.3).

use std::{
    ffi::OsStr,
    fs::{self, Metadata},
    os::unix::{ffi::OsStrExt, fs::PermissionsExt},
    path::{self, Path, PathBuf},
};

use crate::error::{LoadError, Refusal};

/// What a mount offers.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    place: Place,
    /// What runs the files whose names end so. Without any, files run themselves.
    interpreters: Vec<(Vec<u8>, Option<PathBuf>)>,
    /// Whether programs may be written to by more than their owner.
    pub(crate) allow_writable: bool,
}

#[derive(Clone, Debug)]
enum Place {
    /// One program, whatever the path.
    One(PathBuf),
    /// The programs below a folder, whose path has no symbolic link in it.
    Below(PathBuf),
}

/// A program, and what of the path led to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// Its absolute path.
    pub(crate) program: PathBuf,
    /// What runs it, if it does not run itself.
    pub(crate) interpreter: Option<PathBuf>,
    /// SCRIPT_NAME.
    pub(crate) script_name: Vec<u8>,
    /// PATH_INFO: empty, or begins with `/`.
    pub(crate) path_info: Vec<u8>,
}

/// A file's permissions for executing it, and for its group and others to write to it.
const EXECUTE: u32 = 0o111;
const WRITE: u32 = 0o022;

impl Programs {
    /// Looks at `path`: a folder offers what is in it, a file itself.
    pub(crate) fn at(path: &Path) -> Result<Self, LoadError> {
        let unreadable = |source| LoadError::Unreadable { path: path.into(), source };
        let metadata = fs::metadata(path).map_err(unreadable)?;
        let place = if metadata.is_dir() {
            Place::Below(fs::canonicalize(path).map_err(unreadable)?)
        } else if metadata.is_file() && metadata.permissions().mode() & EXECUTE != 0 {
            // Links to one program stay as they are: programs of many names look at the name.
            Place::One(path::absolute(path).map_err(unreadable)?)
        } else {
            return Err(LoadError::NotAProgram { path: path.into() });
        };
        Ok(Programs { place, interpreters: Vec::new(), allow_writable: false })
    }

    /// Has `interpreter` run the files whose names end in `suffix`; none leaves them to run themselves. All other files
    /// are no programs from then on.
    pub(crate) fn add_interpreter(&mut self, suffix: &str, interpreter: Option<&Path>) -> Result<(), LoadError> {
        let interpreter = interpreter.map(|path| match Programs::at(path)?.place {
            Place::One(path) => Ok(path),
            Place::Below(path) => Err(LoadError::NotAProgram { path }),
        });
        self.interpreters.push((suffix.into(), interpreter.transpose()?));
        // The most exact suffix counts.
        self.interpreters.sort_by_key(|(suffix, _)| std::cmp::Reverse(suffix.len()));
        Ok(())
    }

    /// The folder that stands for the site's root if none is configured.
    pub(crate) fn folder(&self) -> &Path {
        match &self.place {
            Place::One(program) => program.parent().unwrap_or(program),
            Place::Below(root) => root,
        }
    }

    /// Finds the program for what follows `mount`, the SCRIPT_NAME so far, in the path. Decodes it once, by segments.
    pub(crate) fn resolve(&self, mount: &str, raw_path_info: &str) -> Result<Target, Refusal> {
        let segments = segments(raw_path_info).ok_or(Refusal::NotFound)?;
        let (program, metadata, split) = match &self.place {
            Place::One(program) => {
                let metadata = fs::metadata(program).ok().filter(Metadata::is_file).ok_or(Refusal::NotFound)?;
                (program.clone(), metadata, 0)
            }
            Place::Below(root) => walk(root, &segments).ok_or(Refusal::NotFound)?,
        };
        let interpreter = self.permit(&program, &metadata)?;
        Ok(target(program, interpreter, mount, &segments, split))
    }

    /// Whether a file may run, and by what.
    fn permit(&self, program: &Path, metadata: &Metadata) -> Result<Option<PathBuf>, Refusal> {
        let interpreter = match &self.interpreters[..] {
            [] => None,
            // What is beside such programs is no CGI's business: that it is there is not told.
            interpreters => {
                let name = program.file_name().unwrap_or_default().as_bytes();
                let known = interpreters.iter().find(|(suffix, _)| name.ends_with(suffix));
                known.ok_or(Refusal::NotFound)?.1.clone()
            }
        };
        let mode = metadata.permissions().mode();
        match interpreter {
            None if mode & EXECUTE == 0 => Err(Refusal::NotExecutable),
            _ if mode & WRITE != 0 && !self.allow_writable => Err(Refusal::Writable),
            interpreter => Ok(interpreter),
        }
    }
}

/// The segments of a path, decoded; none of "OPTIONS *", which is about the server as a whole.
fn segments(raw_path_info: &str) -> Option<Vec<Vec<u8>>> {
    match raw_path_info {
        "" | "*" => Some(Vec::new()),
        path => path.strip_prefix('/')?.split('/').map(decode_segment).collect(),
    }
}

/// Goes down from `root` to the first segment that is a file, and counts the segments. The rest of the path is the
/// program's. Whether something else is there is nobody's business.
fn walk(root: &Path, segments: &[Vec<u8>]) -> Option<(PathBuf, Metadata, usize)> {
    let mut path = root.to_owned();
    let mut linked = false;
    for (index, segment) in segments.iter().enumerate() {
        if segment.is_empty() || segment.starts_with(b".") || segment.ends_with(b"~") {
            return None;
        }
        path.push(OsStr::from_bytes(segment));
        let mut metadata = fs::symlink_metadata(&path).ok()?;
        if metadata.is_symlink() {
            linked = true;
            metadata = fs::metadata(&path).ok()?;
        }
        if metadata.is_dir() {
            continue;
        }
        let inside = !linked || fs::canonicalize(&path).is_ok_and(|found| found.starts_with(root));
        return (metadata.is_file() && inside).then_some((path, metadata, index + 1));
    }
    None
}

fn target(program: PathBuf, interpreter: Option<PathBuf>, mount: &str, segments: &[Vec<u8>], split: usize) -> Target {
    let mut script_name = mount.as_bytes().to_vec();
    let mut path_info = Vec::new();
    for (index, segment) in segments.iter().enumerate() {
        let part = if index < split { &mut script_name } else { &mut path_info };
        part.push(b'/');
        part.extend_from_slice(segment);
    }
    Target { program, interpreter, script_name, path_info }
}

/// A segment, decoded. None if it has a broken escape, is a dot segment, or has what no segment has: NUL and `/`.
fn decode_segment(raw: &str) -> Option<Vec<u8>> {
    let refused =
        |segment: &[u8]| matches!(segment, b"." | b"..") || segment.iter().any(|&it| it == b'\0' || it == b'/');
    decode(raw).filter(|segment| !refused(segment))
}

/// Decodes once (RFC 3986, section 2.1). None if there is a broken escape.
pub(crate) fn decode(raw: &str) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(raw.len());
    let mut bytes = raw.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => decoded.push(hex(bytes.next()?)? << 4 | hex(bytes.next()?)?),
            byte => decoded.push(byte),
        }
    }
    Some(decoded)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| value.try_into().ok())
}

impl Target {
    /// What the log calls the program.
    pub(crate) fn name(&self) -> String {
        self.program.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Whether its name says that it writes whole HTTP responses (RFC 3875, section 5).
    pub(crate) fn is_nph(&self) -> bool {
        self.program.file_name().unwrap_or_default().as_bytes().starts_with(b"nph-")
    }
}

#[cfg(test)]
mod tests;
