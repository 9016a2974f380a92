//! Files below a folder, by the path of a request: no way leads out.
//!
//! A path is walked segment by segment from the folder, and the first file ends the walk; what is left is PATH_INFO. Each
//! step is taken by the system itself (openat2(2)), which refuses to leave the folder by a symbolic link, so there is no
//! time between a check and the step that it was for.

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, accessat, fstat, openat, openat2};
use rustix::io::Errno;

/// How deep a file may lie.
const DEEPEST: usize = 64;

/// Which symbolic links are followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Links {
    /// None.
    Never,
    /// Those whose target lies in the folder, and is given as a relative path.
    #[default]
    Inside,
    /// All.
    Anywhere,
}

/// A folder whose files can be asked for by a path.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
    links: Links,
}

/// A file that a path led to.
#[derive(Debug)]
pub struct Found {
    /// Where it is.
    pub path: PathBuf,
    /// How many bytes of the path that was asked for lead to it; what is behind these is PATH_INFO.
    pub used: usize,
    /// This process may execute it.
    pub is_executable: bool,
}

impl Folder {
    /// The folder at that path, with [`Links::Inside`].
    ///
    /// It is opened anew for each request, so a folder that is replaced, as by the link of a deployment, is the new one.
    ///
    /// # Errors
    /// When the current directory, which a relative path starts from, cannot be had.
    pub fn new(path: impl AsRef<Path>) -> io::Result<Folder> {
        Ok(Folder { path: std::path::absolute(path)?, links: Links::default() })
    }

    /// Which symbolic links are followed within it. The folder's own path may have any.
    pub fn links(mut self, links: Links) -> Folder {
        self.links = links;
        self
    }

    /// Its absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Follows a decoded path, which starts with `/`, to the first file on its way.
    ///
    /// There is none, whatever the file system has, behind a segment that is empty, starts with a dot (`..`, and hidden
    /// files) or holds a backslash or NUL. A folder is no file; nor is a device, a pipe or a socket.
    ///
    /// # Errors
    /// When the folder itself cannot be opened, or the system fails.
    pub fn find(&self, path: &[u8]) -> io::Result<Option<Found>> {
        let Some(relative) = path.strip_prefix(b"/") else { return Ok(None) };
        let folder = openat(CWD, &self.path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let mut end = 0;
        for segment in relative.split(|&byte| byte == b'/').take(DEEPEST) {
            if !is_plain(segment) {
                return Ok(None);
            }
            end += segment.len();
            let below = Path::new(OsStr::from_bytes(relative.get(..end).unwrap_or_default()));
            let file = match self.open(&folder, below) {
                Ok(file) => file,
                Err(error) if is_absence(error) => return Ok(None),
                Err(error) => return Err(error.into()),
            };
            match FileType::from_raw_mode(fstat(&file)?.st_mode) {
                FileType::RegularFile => {
                    // By the rights that this process has, and not by bits: the system asks for these, too.
                    let is_executable = match accessat(&folder, below, Access::EXEC_OK, AtFlags::EACCESS) {
                        Ok(()) => true,
                        Err(Errno::ACCESS | Errno::PERM) => false,
                        Err(error) => return Err(error.into()),
                    };
                    return Ok(Some(Found { path: self.path.join(below), used: end + 1, is_executable }));
                }
                FileType::Directory => end += 1,
                _ => return Ok(None),
            }
        }
        Ok(None)
    }

    fn open(&self, folder: &OwnedFd, below: &Path) -> rustix::io::Result<OwnedFd> {
        let resolve = match self.links {
            Links::Never => ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS,
            Links::Inside => ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS,
            Links::Anywhere => ResolveFlags::NO_MAGICLINKS,
        };
        loop {
            match openat2(folder, below, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve) {
                // A rename somewhere at the same time (openat2(2)).
                Err(Errno::AGAIN) => {}
                // Before Linux 5.6, or forbidden by a container's filter.
                Err(Errno::NOSYS | Errno::PERM) => return self.open_checked(folder, below),
                result => return result,
            }
        }
    }

    /// The same where the system cannot do it in one step: whoever can write into the folder may win a race against it.
    fn open_checked(&self, folder: &OwnedFd, below: &Path) -> rustix::io::Result<OwnedFd> {
        let real = |path: &Path| path.canonicalize().map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO));
        let (root, file) = (real(&self.path)?, real(&self.path.join(below))?);
        match self.links {
            Links::Never if file != root.join(below) => Err(Errno::LOOP),
            Links::Inside if !file.starts_with(&root) => Err(Errno::XDEV),
            _ => openat(folder, below, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()),
        }
    }
}

/// Whether a segment of a path can name a file that a client may have: not `..`, nothing hidden, nothing that another
/// system takes for a separator.
pub(crate) fn is_plain(segment: &[u8]) -> bool {
    !segment.is_empty() && !segment.starts_with(b".") && !segment.iter().any(|byte| matches!(byte, 0 | b'\\'))
}

/// Whether it says that there is nothing that a client could have.
fn is_absence(error: Errno) -> bool {
    // EXDEV and ELOOP are what openat2(2) says of links that are not followed.
    matches!(error, Errno::NOENT | Errno::NOTDIR | Errno::ACCESS | Errno::XDEV | Errno::LOOP | Errno::NAMETOOLONG)
}
