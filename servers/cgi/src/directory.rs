//! A directory of CGI programs as an application.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use wgi::{App, Body, Environ, Error, ServerError, StartResponse, StatusCode};
use wgi_backend::{Folder, Links};

use crate::ProgramOptions;
use crate::program::{Invocation, Program};

/// A directory of CGI programs as an application, as a `cgi-bin` is.
///
/// The path of a request leads to a file, and what is behind that in the path is its PATH_INFO:
/// `/tools/count/a/b` runs `tools/count` with `/a/b`, unless `tools` is a file already. Everything said of a
/// [`Script`](crate::Script) holds for the file.
///
/// ```
/// use wgi::testing::Client;
/// use wgi_cgi::Directory;
///
/// let cgi_bin = Directory::new("tests/cgi-bin")?.interpreter("php", "/usr/bin/php-cgi");
///
/// let client = Client::new(cgi_bin).mount("/cgi-bin");
/// assert_eq!(client.get("/cgi-bin/hello.sh?Ada").send().text(), "Hello from a shell, Ada!\n");
/// assert_eq!(client.get("/cgi-bin/..%2f..%2fREADME.md").send().status, 404);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// Nothing outside of the directory is ever run: no segment of a path that starts with a dot, is empty or holds a
/// backslash leads anywhere, and symbolic links do only where they stay inside ([`Links`]). Nothing is run that this
/// process may not execute (403), unless it has an interpreter. A directory is not listed and has no index: it is as if it
/// were not there (404).
#[derive(Clone, Debug)]
pub struct Directory {
    folder: Folder,
    /// By the extension of a file's name.
    interpreters: Vec<(OsString, PathBuf)>,
    program: Program,
}

impl Directory {
    /// The directory at that path. It is opened for each request, and need not be there yet.
    ///
    /// # Errors
    /// When the path is relative, and the current directory cannot be had.
    pub fn new(path: impl AsRef<Path>) -> io::Result<Directory> {
        Ok(Directory { folder: Folder::new(path)?, interpreters: Vec::new(), program: Program::default() })
    }

    /// Runs files whose name ends with a dot and this extension with a program, whose argument they become. They need
    /// not be executable then.
    pub fn interpreter(mut self, extension: impl Into<OsString>, program: impl Into<PathBuf>) -> Directory {
        self.interpreters.push((extension.into(), program.into()));
        self
    }

    /// Which symbolic links are followed. Default: those that stay inside the directory.
    pub fn links(mut self, links: Links) -> Directory {
        self.folder = self.folder.links(links);
        self
    }

    /// Adds a variable to the environment of every program, in place of any of that name.
    pub fn env(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Directory {
        self.program.options_mut().variables.add(name, value);
        self
    }

    /// Sets what else the programs get and are allowed. Variables that were added before go.
    pub fn options(mut self, options: ProgramOptions) -> Directory {
        self.program = Program::new(options);
        self
    }
}

impl App for Directory {
    fn call(&self, environ: Environ, start_response: &mut dyn StartResponse) -> Result<Body, Error> {
        let path = environ.path_info().to_vec();
        let found = self
            .folder
            .find(&path)
            .map_err(|source| Error::from(ServerError::Io { doing: "looking for a CGI program", source }))?;
        let Some(found) = found else {
            return Err(Error::refused(StatusCode::NOT_FOUND, "there is no such program"));
        };
        let extension = found.path.extension();
        let interpreter = self.interpreters.iter().find(|(of, _)| Some(of.as_os_str()) == extension);
        if interpreter.is_none() && !found.is_executable {
            return Err(Error::refused(StatusCode::FORBIDDEN, "this is no program to run"));
        }
        let (below, path_info) = path.split_at(found.used.min(path.len()));
        let script_name = [environ.script_name(), below].concat();
        let invocation = Invocation {
            script: &found.path,
            interpreter: interpreter.map(|(_, program)| program.as_path()),
            args: &[],
            script_name: &script_name,
            path_info,
            document_root: Some(self.folder.path()),
        };
        self.program.run(environ, &invocation, start_response)
    }
}
