//! From a request's path to an open file: what is served of a directory tree, and what is not.

use std::{
    ffi::OsStr,
    fs::{File, Metadata},
    io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use percent_encoding::percent_decode_str;
use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
};

/// A request's path, as names below the root. Each name is one that [is served](is_served).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SitePath {
    names: Vec<Vec<u8>>,
    /// Whether it was written with a slash at its end, as a directory's path is.
    pub(super) has_slash: bool,
}

impl SitePath {
    /// Reads a raw PATH_INFO. `None` if it names what is never served, whether it exists or not.
    ///
    /// It is split before it is decoded, once, so that `%2F` never separates names and `%252e` never becomes a dot.
    /// Empty names are left out: `//evil.example` is a name below the root, and not a host.
    pub(super) fn parse(raw: &str) -> Option<Self> {
        if !raw.is_empty() && !raw.starts_with('/') {
            return None;
        }
        let segments = raw.split('/').filter(|segment| !segment.is_empty());
        let names = segments.map(|segment| decode(segment).filter(|name| is_served(name)));
        Some(SitePath { names: names.collect::<Option<_>>()?, has_slash: raw.ends_with('/') })
    }

    /// The names from the root downwards.
    pub(super) fn names(&self) -> &[Vec<u8>] {
        &self.names
    }

    /// The path of `name` in the directory that this path names.
    pub(super) fn join(&self, name: &[u8]) -> Self {
        let names = self.names.iter().map(Vec::as_slice).chain([name]);
        SitePath { names: names.map(<[u8]>::to_vec).collect(), has_slash: false }
    }

    fn relative(&self) -> PathBuf {
        // An empty path opens nothing.
        let names = self.names.iter().map(|name| OsStr::from_bytes(name));
        std::iter::once(OsStr::new(".")).chain(names).collect()
    }
}

/// Whether a file or directory of this name is served: no dotfile, no editor's backup, and nothing that another layer
/// may take for more than one name.
pub(super) fn is_served(name: &[u8]) -> bool {
    let is_hidden = name.starts_with(b".") || name.ends_with(b"~");
    !name.is_empty() && !is_hidden && !name.iter().any(|byte| matches!(byte, b'/' | b'\\' | b'\0'))
}

/// Decodes `%XX` once; `None` if a `%` begins no escape (RFC 3986, section 2.1).
fn decode(segment: &str) -> Option<Vec<u8>> {
    let is_escape = |rest: &str| rest.as_bytes().get(..2).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit));
    segment.split('%').skip(1).all(is_escape).then(|| percent_decode_str(segment).collect())
}

/// The directory that is served.
///
/// It is looked up anew for each request, so that a directory or link which was put in its place is noticed.
#[derive(Debug)]
pub(super) struct Root(PathBuf);

/// A FIFO must not hold the thread until somebody writes to it; a terminal must not become ours.
const OPEN: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

impl Root {
    /// The directory at `path`; a relative path is one of the current directory now.
    ///
    /// # Errors
    /// What looking it up reports, and `NotADirectory`.
    pub(super) fn new(path: &Path) -> io::Result<Self> {
        if !std::fs::metadata(path)?.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        std::path::absolute(path).map(Root)
    }

    /// Opens a regular file or a directory below the root. Blocks for as long as the disk does.
    ///
    /// `None` if there is none that may be served: it does not exist, is something else, lies outside by a symbolic
    /// link, or is not readable. A client is not told which.
    ///
    /// # Errors
    /// What is wrong with the server rather than with the path: out of descriptors, for one.
    pub(super) fn open(&self, path: &SitePath) -> io::Result<Option<(File, Metadata)>> {
        let file = match self.open_inside(&path.relative()) {
            Ok(file) => file,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let metadata = file.metadata()?;
        Ok((metadata.is_file() || metadata.is_dir()).then_some((file, metadata)))
    }

    /// The kernel keeps the lookup below the root, whatever is renamed or linked meanwhile. It refuses absolute links
    /// altogether, those that lead back inside too; a path that is free of links says where they lead.
    #[cfg(target_os = "linux")]
    fn open_inside(&self, relative: &Path) -> io::Result<File> {
        let opened = match self.open_beneath(relative) {
            Err(Errno::XDEV) => self.open_beneath(&self.canonical(relative)?),
            opened => opened,
        };
        match opened {
            // Old kernels do not have openat2, and some sandboxes do not allow it.
            Err(Errno::NOSYS | Errno::PERM) => self.open_canonical(relative),
            opened => Ok(opened?),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn open_inside(&self, relative: &Path) -> io::Result<File> {
        self.open_canonical(relative)
    }

    #[cfg(target_os = "linux")]
    fn open_beneath(&self, relative: &Path) -> Result<File, Errno> {
        use rustix::fs::{ResolveFlags, open, openat2};

        let root = open(&self.0, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let inside = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        let open = || openat2(&root, relative, OPEN, Mode::empty(), inside);
        // The kernel asks to try again if something was renamed while it went through a `..` of a link.
        let is_final = |opened: &Result<_, _>| !matches!(opened, Err(Errno::AGAIN | Errno::INTR));
        let opened = std::iter::repeat_with(open).take(8).find(is_final);
        opened.unwrap_or(Err(Errno::AGAIN)).map(File::from)
    }

    /// The second best: follows the links first, checks, and then opens without following the last one.
    fn open_canonical(&self, relative: &Path) -> io::Result<File> {
        let path = self.0.canonicalize()?.join(self.canonical(relative)?);
        Ok(rustix::fs::open(path, OPEN | OFlags::NOFOLLOW, Mode::empty())?.into())
    }

    /// The path below the root that `relative` leads to by its links.
    fn canonical(&self, relative: &Path) -> io::Result<PathBuf> {
        let path = self.0.join(relative).canonicalize()?;
        let inside = path.strip_prefix(self.0.canonicalize()?).map_err(|_| io::ErrorKind::NotFound)?;
        Ok(Path::new(".").join(inside))
    }
}

/// Whether an error says that there is nothing at a path which may be served.
fn is_absent(error: &io::Error) -> bool {
    // NXIO, NODEV and OPNOTSUPP are what opening sockets and devices without a driver reports.
    const ABSENT: [Errno; 11] = [
        Errno::NOENT,
        Errno::NOTDIR,
        Errno::ACCESS,
        Errno::LOOP,
        Errno::NAMETOOLONG,
        Errno::XDEV,
        Errno::ILSEQ,
        Errno::INVAL,
        Errno::NXIO,
        Errno::NODEV,
        Errno::OPNOTSUPP,
    ];
    error.kind() == io::ErrorKind::NotFound || Errno::from_io_error(error).is_some_and(|errno| ABSENT.contains(&errno))
}

#[cfg(test)]
mod tests {
    use std::{io::Read, os::unix::fs::symlink};

    use super::*;

    fn names(raw: &str) -> Option<Vec<Vec<u8>>> {
        SitePath::parse(raw).map(|path| path.names)
    }

    #[test]
    fn a_path_is_split_and_then_decoded_once() {
        assert_eq!(names("/a%20b/%C3%A9/x"), Some(vec![b"a b".to_vec(), "é".into(), b"x".to_vec()]));
        assert_eq!(names("/%252e%252e/x"), Some(vec![b"%2e%2e".to_vec(), b"x".to_vec()]));
        assert_eq!(names("/%c0%ae%c0%ae"), Some(vec![b"\xc0\xae\xc0\xae".to_vec()]), "overlong UTF-8 is no dot");
        assert_eq!(names("//a///b/"), Some(vec![b"a".to_vec(), b"b".to_vec()]));
        assert_eq!(names(""), Some(vec![]));
        assert!(SitePath::parse("/a/").is_some_and(|path| path.has_slash));
    }

    #[test]
    fn names_that_are_never_served_make_no_path() {
        for raw in [
            "/..",
            "/../x",
            "/a/../b",
            "/%2e%2e/x",
            "/.%2e/x",
            "/..%2fx",
            "/a%2fb",
            "/a%2Fb",
            "/a%00",
            "/a%00.txt",
            "/a\\b",
            "/..%5cx",
            "/.",
            "/./a",
            "/.git/config",
            "/.env",
            "/%2eenv",
            "/a~",
            "/a%7e",
            "/a~/b",
            "/%zz",
            "/%4",
            "/%",
            "*",
            "%2fa",
            "/..;/x",
        ] {
            assert_eq!(names(raw), None, "{raw}");
        }
    }

    fn content(opened: io::Result<File>) -> Option<String> {
        let mut text = String::new();
        opened.ok()?.read_to_string(&mut text).ok()?;
        Some(text)
    }

    /// Both ways of opening must agree, since it depends on the kernel which of them is used.
    #[test]
    fn links_are_followed_inside_the_root_only_with_or_without_openat2() {
        let (inside, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (root, secret) = (inside.path(), outside.path().join("secret"));
        std::fs::write(&secret, "secret").unwrap();
        std::fs::create_dir(root.join("sub")).unwrap();
        std::fs::write(root.join("sub/file"), "file").unwrap();
        symlink("sub/file", root.join("relative")).unwrap();
        symlink("../sub/file", root.join("sub/upwards")).unwrap();
        symlink(root.join("sub/file"), root.join("absolute")).unwrap();
        symlink(root.join("sub"), root.join("folder")).unwrap();
        symlink(&secret, root.join("secret")).unwrap();
        symlink(outside.path(), root.join("outside")).unwrap();
        symlink("../../../../../../../../etc/passwd", root.join("passwd")).unwrap();
        symlink("/proc/self/root/etc/passwd", root.join("magic")).unwrap();
        symlink("loop", root.join("loop")).unwrap();

        let root = Root::new(root).unwrap();
        for open in [Root::open_inside, Root::open_canonical] {
            for name in ["./sub/file", "./relative", "./sub/upwards", "./absolute", "./folder/file"] {
                assert_eq!(content(open(&root, Path::new(name))).as_deref(), Some("file"), "{name}");
            }
            for name in ["./secret", "./outside/secret", "./passwd", "./magic", "./loop", "./sub/file/x", "./none"] {
                let error = open(&root, Path::new(name)).unwrap_err();
                assert!(is_absent(&error), "{name}: {error:?}");
            }
        }
    }

    #[test]
    fn a_root_that_was_replaced_is_noticed() {
        let site = tempfile::tempdir().unwrap();
        let (first, second, current) = (site.path().join("1"), site.path().join("2"), site.path().join("current"));
        for directory in [&first, &second] {
            std::fs::create_dir(directory).unwrap();
            std::fs::write(directory.join("file"), directory.as_os_str().as_bytes()).unwrap();
        }
        symlink(&first, &current).unwrap();
        let root = Root::new(&current).unwrap();
        let path = SitePath::parse("/file").unwrap();
        let served = || root.open(&path).unwrap().map(|(file, _)| content(Ok(file)).unwrap());
        assert_eq!(served().as_deref(), first.to_str());
        std::fs::remove_file(&current).unwrap();
        assert_eq!(served(), None);
        symlink(&second, &current).unwrap();
        assert_eq!(served().as_deref(), second.to_str());
    }
}
