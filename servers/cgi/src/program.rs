//! A CGI program that is started for a request: the server's side of RFC 3875, which [`Script`](crate::Script) and
//! [`Directory`](crate::Directory) have in common.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use wgi::{Body, Environ, Error, ServerError, StartResponse, StatusCode, Vars};
use wgi_backend::response::Form;
use wgi_backend::{Asked, Exchange, Failure, Limits, Lines, RequestBody, Room, Variables};

use crate::child::{Child, Nothing, Stdin};

/// Where programs are looked for when this process has no PATH.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// What a CGI program gets and is allowed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ProgramOptions {
    /// Which variables it gets beside those of CGI, and PATH. Default: none.
    pub variables: Variables,
    /// Its limits and timeouts.
    pub limits: Limits,
    /// How many are run at once; further requests wait for [`Limits::queue`], and then get 503. Default: 64.
    pub max_children: usize,
    /// The working directory it is started in. Default: the one that it lies in.
    pub working_directory: Option<PathBuf>,
    /// DOCUMENT_ROOT, and what PATH_TRANSLATED starts with. Default: none; for a `Directory`, the directory.
    pub document_root: Option<PathBuf>,
    /// How long one that has to end may take to, between SIGTERM and SIGKILL. Default: 3 s.
    pub grace: Duration,
    /// Whether an exit status other than 0 says that the response is not whole, and cuts it. It does for a program of
    /// wgi; others, as PHP behind a complete page that tells of an error, mean something else by it. The end by a signal
    /// always cuts. Default: no.
    pub heed_exit_status: bool,
}

impl Default for ProgramOptions {
    fn default() -> ProgramOptions {
        ProgramOptions {
            variables: Variables::default(),
            limits: Limits::default(),
            max_children: 64,
            working_directory: None,
            document_root: None,
            grace: Duration::from_secs(3),
            heed_exit_status: false,
        }
    }
}

/// The options as they are used for each request.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    options: ProgramOptions,
    limits: Arc<Limits>,
    room: Arc<Room>,
}

/// What is started.
pub(crate) struct Invocation<'a> {
    /// The script, by an absolute path.
    pub(crate) script: &'a Path,
    /// What runs it; none when it is executed itself.
    pub(crate) interpreter: Option<&'a Path>,
    /// What stands on the command line: in front of the script for an interpreter, otherwise behind it.
    pub(crate) args: &'a [OsString],
    /// SCRIPT_NAME and PATH_INFO.
    pub(crate) script_name: &'a [u8],
    pub(crate) path_info: &'a [u8],
    pub(crate) document_root: Option<&'a Path>,
}

impl Default for Program {
    fn default() -> Program {
        Program::new(ProgramOptions::default())
    }
}

impl Program {
    pub(crate) fn new(options: ProgramOptions) -> Program {
        let limits = Arc::new(options.limits.clone());
        let room = Room::new(options.max_children);
        Program { options, limits, room }
    }

    pub(crate) fn options_mut(&mut self) -> &mut ProgramOptions {
        &mut self.options
    }

    /// Runs a program for a request.
    pub(crate) fn run(
        &self,
        mut environ: Environ,
        invocation: &Invocation<'_>,
        start_response: &mut dyn StartResponse,
    ) -> Result<Body, Error> {
        let body = RequestBody::take(&mut environ, self.limits.max_spool)?;
        let vars = self.vars(&environ, invocation)?;
        let asked = Asked::of(&environ);
        let mut lines = Lines::new(environ.errors().clone(), name_of(invocation.script), self.limits.max_errors);
        let place = self.room.enter(self.limits.queue)?;
        let child = match self.command(invocation, &vars, body.length() > 0).spawn() {
            Ok(child) => child,
            Err(error) => return Err(not_started(&error, &mut lines)),
        };
        let (child, stdin) =
            Child::new(child, self.options.grace, self.options.heed_exit_status, self.limits.total, place.clone())
                .map_err(starting)?;
        let outlet: Box<dyn wgi_backend::Outlet> = match stdin {
            Some(stdin) => Box::new(Stdin::new(stdin)),
            None => Box::new(Nothing),
        };
        let limits = self.limits.clone();
        let mut exchange =
            Exchange::begin(Box::new(child), outlet, Vec::new(), body, lines, limits, place).map_err(starting)?;
        // RFC 3875 §5: by its name, as every server since NCSA's has it.
        let form = if name_of(invocation.script).starts_with("nph-") { Form::Http } else { Form::Cgi };
        match exchange.head(form) {
            Ok(answer) => exchange.respond(answer, &asked, start_response),
            Err(failure) => Err(exchange.fail(failure)),
        }
    }

    /// The meta-variables (RFC 3875 §4.1).
    fn vars(&self, environ: &Environ, invocation: &Invocation<'_>) -> Result<Vars, Error> {
        let mut vars = self.options.variables.of(environ)?;
        vars.set("SCRIPT_NAME", invocation.script_name);
        vars.remove("PATH_INFO");
        let root = self.options.document_root.as_deref().or(invocation.document_root);
        if !invocation.path_info.is_empty() {
            vars.push("PATH_INFO", invocation.path_info);
            if let Some(root) = root {
                vars.push("PATH_TRANSLATED", [bytes(root), invocation.path_info].concat());
            }
        }
        if let Some(root) = root {
            vars.push("DOCUMENT_ROOT", bytes(root));
        }
        vars.push("SCRIPT_FILENAME", bytes(invocation.script));
        // Without it, PHP takes itself for called from outside of a server (its `cgi.force_redirect`).
        vars.push("REDIRECT_STATUS", "200");
        let path = std::env::var_os("PATH").unwrap_or_else(|| DEFAULT_PATH.into());
        vars.push("PATH", path.as_bytes());
        self.options.variables.finish(&mut vars);
        Ok(vars)
    }

    fn command(&self, invocation: &Invocation<'_>, vars: &Vars, has_body: bool) -> Command {
        let mut command = match invocation.interpreter {
            Some(interpreter) => {
                let mut command = Command::new(interpreter);
                command.args(invocation.args).arg(invocation.script);
                command
            }
            None => {
                let mut command = Command::new(invocation.script);
                command.args(invocation.args);
                command
            }
        };
        // The query never becomes a part of the command line, as RFC 3875 §4.4 would have it: CVE-2012-1823.
        command.env_clear();
        for (name, value) in vars.iter() {
            command.env(OsStr::from_bytes(name), OsStr::from_bytes(value));
        }
        if let Some(directory) = self.options.working_directory.as_deref().or(invocation.script.parent()) {
            command.current_dir(directory);
        }
        command.stdin(if has_body { Stdio::piped() } else { Stdio::null() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        // A group of its own, so that what it starts can be ended with it.
        command.process_group(0);
        command
    }
}

fn bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

fn name_of(script: &Path) -> String {
    script.file_name().unwrap_or(script.as_os_str()).to_string_lossy().into_owned()
}

fn starting(source: io::Error) -> Error {
    ServerError::Io { doing: "starting a CGI program", source }.into()
}

fn not_started(error: &io::Error, lines: &mut Lines) -> Error {
    lines.note(&format!("it cannot be started: {error}"));
    match Errno::from_io_error(error) {
        Some(Errno::ACCESS | Errno::PERM) => Error::refused(StatusCode::FORBIDDEN, "this is no program to run"),
        Some(Errno::TOOBIG) => Error::refused(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "the request is too large for the environment of a process",
        ),
        Some(Errno::AGAIN | Errno::NOMEM | Errno::MFILE | Errno::NFILE) => {
            Failure::unavailable("the system has no room for it").into_error()
        }
        _ => Failure { status: StatusCode::INTERNAL_SERVER_ERROR, ..Failure::bad_gateway("") }.into_error(),
    }
}
