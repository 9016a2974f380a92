//! The third rung for CGI: a process for each request, with the variables as its environment.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use super::Report;
use crate::{Capability, Case, Journal, Seen};

/// The variable that names the case whose application a program is to host.
pub const CASE: &str = "WGI_CASE";
/// The variable that names the file for the lines of the journal.
pub const JOURNAL: &str = "WGI_JOURNAL";

/// What CGI can do.
const CAPABILITIES: &[Capability] =
    &[Capability::Reason, Capability::Errors, Capability::RunsOnce, Capability::Environ];

/// Runs every case as CGI/1.1 (RFC 3875): `program` hosts the application of the case that [`CASE`] names, as
/// [`hosted_case`] gives it.
///
/// # Errors
/// When there is no room for the journals.
pub fn run(program: &Path) -> io::Result<Report> {
    let folder = tempfile::tempdir()?;
    Ok(Report::of(CAPABILITIES, |case, journal| {
        let lines = folder.path().join("journal");
        let _ = fs::remove_file(&lines);
        let seen = exchange(program, case, &lines).map_err(|error| error.to_string());
        fs::read_to_string(&lines).unwrap_or_default().lines().for_each(|line| journal.note(line));
        seen
    }))
}

/// For the program: the case that [`CASE`] names and the journal that [`JOURNAL`] names; takes both variables to be
/// the test's own.
///
/// # Errors
/// When there is no such case, or the journal cannot be opened.
pub fn hosted_case() -> io::Result<(Case, Journal)> {
    let variable = |name| std::env::var(name).map_err(|error| io::Error::other(format!("{name}: {error}")));
    let name = variable(CASE)?;
    let case = crate::cases::all().into_iter().find(|case| case.name == name);
    let case = case.ok_or_else(|| io::Error::other(format!("there is no case `{name}`")))?;
    Ok((case, Journal::to_file(Path::new(&variable(JOURNAL)?))?))
}

fn exchange(program: &Path, case: &Case, journal: &Path) -> io::Result<Seen> {
    let mut command = Command::new(program);
    command.env_clear().env(CASE, case.name).env(JOURNAL, journal);
    for (name, value) in case.request.vars().iter() {
        command.env(OsStr::from_bytes(name), OsStr::from_bytes(value));
    }
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (stdin, stderr) = (child.stdin.take(), child.stderr.take());
    let (output, errors) = thread::scope(|scope| {
        scope.spawn(move || {
            // A script need not read its input.
            let _ = stdin.map(|mut stdin| stdin.write_all(case.request.sent_body()));
        });
        let errors = scope.spawn(move || {
            let mut errors = Vec::new();
            let _ = stderr.map(|mut stderr| stderr.read_to_end(&mut errors));
            errors
        });
        let output = child.wait_with_output();
        (output, errors.join().unwrap_or_default())
    });
    let output = output?;
    let mut seen = Seen::read_cgi(&output.stdout)?;
    seen.is_whole = output.status.success();
    seen.errors = errors;
    Ok(seen)
}
