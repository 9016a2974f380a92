//! Which script a request is for, where a back end runs the files of a folder, as PHP does: the path is split into the
//! script and what is behind it.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use wgi::{Error, ServerError, StatusCode, Vars};

use crate::{Folder, Links, folder};

/// The scripts in a folder, for a back end that runs them.
///
/// | path | script | PATH_INFO |
/// | --- | --- | --- |
/// | `/a/b.php` | `/a/b.php` | |
/// | `/a/b.php/c/d` | `/a/b.php` | `/c/d` |
/// | `/a/` | `/a/index.php` | |
/// | anything else | the fallback, where there is one; otherwise 404 | |
///
/// The variables that say so are SCRIPT_NAME (with the mount point in front), PATH_INFO, SCRIPT_FILENAME,
/// PATH_TRANSLATED and DOCUMENT_ROOT.
#[derive(Clone, Debug)]
pub struct Scripts {
    folder: Folder,
    is_here: bool,
    suffix: Vec<u8>,
    index: Vec<u8>,
    fallback: Option<Vec<u8>>,
}

impl Scripts {
    /// The files of a folder of this machine. Only what is there is asked for, so a back end never has to guess, as PHP
    /// may (its `cgi.fix_pathinfo`, by which `/upload.jpg/x.php` once ran `upload.jpg`).
    ///
    /// # Errors
    /// When the path is relative, and the current directory cannot be had.
    pub fn local(folder: impl AsRef<Path>) -> io::Result<Scripts> {
        Ok(Scripts {
            folder: Folder::new(folder)?,
            is_here: true,
            suffix: b".php".to_vec(),
            index: b"index.php".to_vec(),
            fallback: None,
        })
    }

    /// The files of a folder where the back end is, which cannot be looked at from here: whether there is such a script
    /// is for the back end to find out.
    ///
    /// # Errors
    /// As [`local`](Scripts::local).
    pub fn remote(folder: impl AsRef<Path>) -> io::Result<Scripts> {
        Ok(Scripts { is_here: false, ..Scripts::local(folder)? })
    }

    /// How the names of scripts end. Default: `.php`.
    pub fn suffix(mut self, suffix: impl AsRef<[u8]>) -> Scripts {
        self.suffix = suffix.as_ref().to_vec();
        self
    }

    /// The script that a path is for that ends with a slash. Default: `index.php`.
    pub fn index(mut self, name: impl AsRef<[u8]>) -> Scripts {
        self.index = name.as_ref().to_vec();
        self
    }

    /// The script for every path that leads to none, by its path in the folder: what sites with addresses of their own
    /// making want, as WordPress does. It finds the address in REQUEST_URI. Default: none.
    pub fn fallback(mut self, script: impl AsRef<[u8]>) -> Scripts {
        let script = script.as_ref();
        self.fallback = Some([b"/", script.strip_prefix(b"/").unwrap_or(script)].concat());
        self
    }

    /// Which symbolic links are followed in a folder of this machine. Default: those that stay inside.
    pub fn links(mut self, links: Links) -> Scripts {
        self.folder = self.folder.links(links);
        self
    }

    /// Puts the variables that name the script in the place of those that only have the path.
    ///
    /// # Errors
    /// 404 when there is no script for that path.
    pub fn set(&self, vars: &mut Vars) -> Result<(), Error> {
        let mount = vars.get("SCRIPT_NAME").unwrap_or_default().to_vec();
        let path = vars.get("PATH_INFO").unwrap_or_default().to_vec();
        let (script, rest) = self.find(&path)?;
        let root = self.folder.path().as_os_str().as_bytes();
        vars.set("SCRIPT_NAME", [&mount, &script[..]].concat());
        vars.set("PATH_INFO", rest);
        vars.set("SCRIPT_FILENAME", [root, &script].concat());
        vars.set("DOCUMENT_ROOT", root);
        if !rest.is_empty() {
            vars.set("PATH_TRANSLATED", [root, rest].concat());
        }
        Ok(())
    }

    /// The script's path in the folder, and what is behind it.
    fn find<'a>(&self, path: &'a [u8]) -> Result<(Vec<u8>, &'a [u8]), Error> {
        if let Some(end) = self.script_in(path)? {
            let (script, rest) = path.split_at(end);
            return Ok((script.to_vec(), rest));
        }
        if path.is_empty() || path.ends_with(b"/") {
            let index = [path.strip_suffix(b"/").unwrap_or(path), b"/", &self.index].concat();
            if self.script_in(&index)? == Some(index.len()) {
                return Ok((index, b""));
            }
        }
        match &self.fallback {
            Some(fallback) => Ok((fallback.clone(), b"")),
            _ => Err(Error::refused(StatusCode::NOT_FOUND, "there is no such page")),
        }
    }

    /// Where the script that a path leads to ends.
    fn script_in(&self, path: &[u8]) -> Result<Option<usize>, Error> {
        let end = if self.is_here {
            let found =
                self.folder.find(path).map_err(|source| ServerError::Io { doing: "looking for a script", source })?;
            found.map(|found| found.used)
        } else {
            // The first segment that is named as a script is.
            let mut ends = (1..=path.len()).filter(|&end| matches!(path.get(end), None | Some(b'/')));
            ends.find(|&end| path[..end].ends_with(&self.suffix)).filter(|&end| is_plain(&path[..end]))
        };
        Ok(end.filter(|&end| path[..end].ends_with(&self.suffix)))
    }
}

/// Whether no segment of a path leads elsewhere, or to hidden files.
fn is_plain(path: &[u8]) -> bool {
    path.strip_prefix(b"/").is_some_and(|path| path.split(|&byte| byte == b'/').all(folder::is_plain))
}
