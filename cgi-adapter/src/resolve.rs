//! From a URL's path to a program: which file, what SCRIPT_NAME, what PATH_INFO (RFC 3875, section 3.3).

use std::{
    ffi::OsStr,
    fs, io,
    os::unix::ffi::OsStrExt,
    path::{self, Path, PathBuf},
};

use rustix::fs::Access;

use crate::error::{LoadError, Refusal};

/// What a mount offers.
#[derive(Clone, Debug)]
pub(crate) enum Programs {
    /// One program, whatever the path.
    One(PathBuf),
    /// The programs below a folder, whose path has no symbolic link in it.
    Below(PathBuf),
}

/// A program, and what of the path led to it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// Its absolute path.
    pub(crate) program: PathBuf,
    /// SCRIPT_NAME.
    pub(crate) script_name: Vec<u8>,
    /// PATH_INFO: empty, or begins with `/`.
    pub(crate) path_info: Vec<u8>,
}

impl Programs {
    /// Looks at `path`: a folder offers what is in it, a file itself.
    pub(crate) fn at(path: &Path) -> Result<Self, LoadError> {
        let unreadable = |source: io::Error| LoadError::Unreadable { path: path.into(), source };
        let metadata = fs::metadata(path).map_err(unreadable)?;
        if metadata.is_dir() {
            return Ok(Programs::Below(fs::canonicalize(path).map_err(unreadable)?));
        }
        // Links to one program stay as they are: programs of many names look at the name.
        let program = path::absolute(path).map_err(unreadable)?;
        if !metadata.is_file() || !is_executable(&program) {
            return Err(LoadError::NotAProgram { path: path.into() });
        }
        Ok(Programs::One(program))
    }

    /// The folder that stands for the site's root if none is configured.
    pub(crate) fn folder(&self) -> &Path {
        match self {
            Programs::One(program) => program.parent().unwrap_or(program),
            Programs::Below(root) => root,
        }
    }

    /// Finds the program for what follows `mount`, the SCRIPT_NAME so far, in the path. Decodes it once, by segments.
    pub(crate) fn resolve(&self, mount: &str, raw_path_info: &str) -> Result<Target, Refusal> {
        let segments = segments(raw_path_info).ok_or(Refusal::NotFound)?;
        match self {
            Programs::One(program) => {
                let found = check(program, fs::metadata(program).is_ok_and(|metadata| metadata.is_file()));
                found.map(|()| target(program.clone(), mount, &segments, 0))
            }
            Programs::Below(root) => walk(root, mount, &segments),
        }
    }
}

/// The segments of a path, decoded; none of "OPTIONS *", which is about the server as a whole.
fn segments(raw_path_info: &str) -> Option<Vec<Vec<u8>>> {
    match raw_path_info {
        "" | "*" => Some(Vec::new()),
        path => path.strip_prefix('/')?.split('/').map(decode).collect(),
    }
}

/// Goes down from `root` to the first segment that is a file. The rest of the path is the program's.
fn walk(root: &Path, mount: &str, segments: &[Vec<u8>]) -> Result<Target, Refusal> {
    let mut path = root.to_owned();
    for (index, segment) in segments.iter().enumerate() {
        if segment.is_empty() || segment.starts_with(b".") || segment.ends_with(b"~") {
            return Err(Refusal::NotFound);
        }
        path.push(OsStr::from_bytes(segment));
        let metadata = fs::metadata(&path).map_err(|_| Refusal::NotFound)?;
        if metadata.is_dir() {
            continue;
        }
        let inside = fs::canonicalize(&path).is_ok_and(|found| found.starts_with(root));
        check(&path, metadata.is_file() && inside)?;
        return Ok(target(path, mount, segments, index + 1));
    }
    // A folder: whether it is there is nobody's business.
    Err(Refusal::NotFound)
}

/// Only what is `offered` may be known to be there.
fn check(program: &Path, offered: bool) -> Result<(), Refusal> {
    match offered {
        false => Err(Refusal::NotFound),
        true if is_executable(program) => Ok(()),
        true => Err(Refusal::Forbidden),
    }
}

fn target(program: PathBuf, mount: &str, segments: &[Vec<u8>], split: usize) -> Target {
    let joined = |segments: &[Vec<u8>]| segments.iter().flat_map(|segment| [b"/", &segment[..]].concat()).collect();
    let (name, info): (Vec<u8>, Vec<u8>) = (joined(&segments[..split]), joined(&segments[split..]));
    Target { program, script_name: [mount.as_bytes(), &name].concat(), path_info: info }
}

fn is_executable(program: &Path) -> bool {
    rustix::fs::access(program, Access::EXEC_OK).is_ok()
}

/// Decodes a segment. None if it has a broken escape, is a dot segment, or has what no segment has: NUL and `/`.
fn decode(raw: &str) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(raw.len());
    let mut bytes = raw.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => decoded.push(hex(bytes.next()?)? << 4 | hex(bytes.next()?)?),
            byte => decoded.push(byte),
        }
    }
    let refused = matches!(&decoded[..], b"." | b"..") || decoded.iter().any(|byte| matches!(byte, b'\0' | b'/'));
    (!refused).then_some(decoded)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| value.try_into().ok())
}

impl Target {
    /// What the log calls the program.
    pub(crate) fn name(&self) -> String {
        self.program.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    /// A folder with programs (which are never run here), and what must not be found.
    fn site() -> (tempfile::TempDir, Programs) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("cgi-bin");
        fs::create_dir_all(root.join("sub/.hidden")).unwrap();
        for (name, mode) in [
            ("env.sh", 0o755),
            ("sub/deep.sh", 0o755),
            ("source.txt", 0o644),
            (".secret", 0o755),
            ("sub/.hidden/x", 0o755),
            ("env.sh~", 0o755),
            ("a b;c", 0o755),
            ("../outside", 0o755),
        ] {
            fs::write(root.join(name), "#!/bin/sh\n").unwrap();
            fs::set_permissions(root.join(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        fs::write(root.join(OsStr::from_bytes(b"\xff.sh")), "").unwrap();
        fs::set_permissions(root.join(OsStr::from_bytes(b"\xff.sh")), fs::Permissions::from_mode(0o755)).unwrap();
        symlink("../outside", root.join("out")).unwrap();
        symlink("..", root.join("up")).unwrap();
        symlink("env.sh", root.join("link")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, root.join("fifo"), rustix::fs::Mode::RWXU).unwrap();
        let programs = Programs::at(&root).unwrap();
        (folder, programs)
    }

    #[test]
    fn the_first_file_on_the_way_is_the_program() {
        let (_folder, programs) = site();
        for (path, name, info) in [
            ("/env.sh", "/m/env.sh", ""),
            ("/env.sh/", "/m/env.sh", "/"),
            ("/env.sh/a/b", "/m/env.sh", "/a/b"),
            ("/env.sh//a//", "/m/env.sh", "//a//"),
            ("/%65nv.sh/this%2eis%2epath%3binfo", "/m/env.sh", "/this.is.path;info"),
            ("/env.sh/%252e%252e", "/m/env.sh", "/%2e%2e"),
            ("/env.sh/.git/x~", "/m/env.sh", "/.git/x~"),
            ("/sub/deep.sh/sub", "/m/sub/deep.sh", "/sub"),
            ("/a%20b%3Bc", "/m/a b;c", ""),
            ("/link/x", "/m/link", "/x"),
        ] {
            let target = programs.resolve("/m", path).unwrap_or_else(|_| panic!("{path} was refused"));
            assert_eq!(
                (target.script_name.as_slice(), target.path_info.as_slice()),
                (name.as_bytes(), info.as_bytes())
            );
        }
        assert_eq!(programs.resolve("", "/%ff.sh/%fe").unwrap().path_info, b"/\xfe");
    }

    #[test]
    fn no_spelling_leads_out_of_the_folder_or_to_what_is_hidden() {
        let (_folder, programs) = site();
        for path in [
            "",
            "*",
            "/",
            "//",
            "/sub",
            "/sub/",
            "/missing",
            "/env.sh%20",
            "/env.sh.",
            "/ENV.SH",
            "/env.sh~",
            "/.secret",
            "/%2esecret",
            "/sub/.hidden/x",
            "/../outside",
            "/..%2foutside",
            "/%2e%2e/outside",
            "/.%2e/outside",
            "/%2E%2E%2Foutside",
            "/%%32%65%%32%65/outside",
            "/%252e%252e/outside",
            "/sub/../env.sh",
            "/./env.sh",
            "/sub/%2e/deep.sh",
            "//env.sh",
            "/sub//deep.sh",
            "/sub%2fdeep.sh",
            "/env.sh%00",
            "/env.sh%00/x",
            "/env.sh/../x",
            "/env.sh/a%2Fb",
            "/env.sh/%zz",
            "/env.sh/%4",
            "/out",
            "/up/outside",
            "/up/cgi-bin/../outside",
            "/fifo",
            "/fifo/x",
            "/source.txt\\",
            "/..\\outside",
        ] {
            assert_eq!(programs.resolve("/m", path), Err(Refusal::NotFound), "{path}");
        }
        let long = format!("/{}", "x".repeat(5000));
        assert_eq!(programs.resolve("", &long), Err(Refusal::NotFound));
    }

    #[test]
    fn a_file_that_is_not_executable_is_forbidden_in_every_spelling() {
        let (_folder, programs) = site();
        for path in ["/source.txt", "/source.txt/", "/source.txt/x", "/%73ource.txt"] {
            assert_eq!(programs.resolve("", path), Err(Refusal::Forbidden), "{path}");
        }
    }

    #[test]
    fn one_program_has_the_whole_path() {
        let (folder, _) = site();
        let programs = Programs::at(&folder.path().join("cgi-bin/env.sh")).unwrap();
        let target = programs.resolve("/git", "/repo.git/info/refs").unwrap();
        assert_eq!((&target.script_name[..], &target.path_info[..]), (&b"/git"[..], &b"/repo.git/info/refs"[..]));
        let target = programs.resolve("", "*").unwrap();
        assert_eq!((&target.script_name[..], &target.path_info[..]), (&b""[..], &b""[..]));
        assert_eq!(programs.resolve("", "/../x"), Err(Refusal::NotFound));
        assert_eq!(programs.resolve("", "%2Fx"), Err(Refusal::NotFound));
    }

    #[test]
    fn what_is_no_program_cannot_be_loaded() {
        let (folder, _) = site();
        for name in ["missing", "cgi-bin/source.txt", "cgi-bin/fifo"] {
            let error = Programs::at(&folder.path().join(name)).unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
        }
    }
}
