//! One CGI program as an application.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use wgi::{App, Body, Environ, Error, StartResponse};

use crate::ProgramOptions;
use crate::program::{Invocation, Program};

/// A CGI program as an application: the server's side of RFC 3875. Each request starts it anew.
///
/// ```no_run
/// use wgi_cgi::Script;
///
/// let counter = Script::new("/usr/lib/cgi-bin/counter")?.env("COUNTER_FILE", "/var/lib/counter");
/// let page = Script::new("/srv/www/index.php")?.interpreter("/usr/bin/php-cgi");
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// The program gets the meta-variables of the request, its body on standard input, and nothing else of this process: no
/// variable but PATH and those that are added, no descriptor, no argument that a client could have a say in. Where it is
/// mounted (SCRIPT_NAME) and what is behind it (PATH_INFO) is what the environ says. SCRIPT_FILENAME is its path.
///
/// Its output is read strictly ([`wgi_backend::response`]); a program whose file's name starts with `nph-` writes the
/// status line itself. Each line on its standard error goes to the errors stream of the request.
///
/// It is ended, with all that it has started in its process group, when it takes too long, when nobody wants the rest of
/// its response, and when the request's body breaks off: by SIGTERM, and by SIGKILL a little later.
///
/// | answer | when |
/// | --- | --- |
/// | 403 | this process may not execute it |
/// | 431 | the variables are more than a process can have |
/// | 500 | it cannot be started for another reason |
/// | 502 | what it gave is no response, or it was ended by a signal before the end of a head |
/// | 503 | as many run as may, and none ended within [`Limits::queue`](wgi_backend::Limits::queue) |
/// | 504 | it took too long |
///
/// Behind the head of a response, each of the last three cuts it.
#[derive(Clone, Debug)]
pub struct Script {
    path: PathBuf,
    interpreter: Option<PathBuf>,
    args: Vec<OsString>,
    program: Program,
}

impl Script {
    /// The program at that path.
    ///
    /// # Errors
    /// When the path is relative, and the current directory cannot be had.
    pub fn new(path: impl AsRef<Path>) -> io::Result<Script> {
        Ok(Script {
            path: std::path::absolute(path)?,
            interpreter: None,
            args: Vec::new(),
            program: Program::default(),
        })
    }

    /// Runs it with another program, whose last argument it becomes. It need not be executable then.
    pub fn interpreter(mut self, program: impl Into<PathBuf>) -> Script {
        self.interpreter = Some(program.into());
        self
    }

    /// Adds arguments to its command line; with an [`interpreter`](Script::interpreter), in front of its own path.
    pub fn args<I: IntoIterator<Item: Into<OsString>>>(mut self, args: I) -> Script {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Adds a variable to its environment, in place of any of that name.
    pub fn env(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Script {
        self.program.options_mut().variables.add(name, value);
        self
    }

    /// Sets what else it gets and is allowed. Variables that were added before go.
    pub fn options(mut self, options: ProgramOptions) -> Script {
        self.program = Program::new(options);
        self
    }
}

impl App for Script {
    fn call(&self, environ: Environ, start_response: &mut dyn StartResponse) -> Result<Body, Error> {
        let (script_name, path_info) = (environ.script_name().to_vec(), environ.path_info().to_vec());
        let invocation = Invocation {
            script: &self.path,
            interpreter: self.interpreter.as_deref(),
            args: &self.args,
            script_name: &script_name,
            path_info: &path_info,
            document_root: None,
        };
        self.program.run(environ, &invocation, start_response)
    }
}
