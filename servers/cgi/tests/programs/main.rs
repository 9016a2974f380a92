//! CGI programs as applications: those in `cgi-bin`, written in shell, Python, Perl and PHP, each between two validators.

mod ends;
mod exchange;

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use tempfile::TempDir;
use wgi::testing::{Client, Request, Response};
use wgi::{App, ErrorSink};
use wgi_cgi::{Directory, ProgramOptions};
use wgi_middleware::LintLayer;

const CGI_BIN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cgi-bin");

fn directory() -> Directory {
    Directory::new(CGI_BIN).unwrap()
}

fn client(app: impl App) -> Client<impl App> {
    Client::new(app.with(LintLayer)).mount("/cgi-bin")
}

fn get(app: impl App, target: &str) -> Response {
    client(app).get(&format!("/cgi-bin/{target}")).send()
}

fn post<'a, A: App>(client: &'a Client<A>, target: &str) -> Request<'a, A> {
    client.post(&format!("/cgi-bin/{target}"))
}

/// Whether a program is here; otherwise says that the test is skipped.
fn has(program: &str, test: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    if !found {
        let _ = writeln!(io::stderr(), "skipped {test}: there is no {program} here");
    }
    found
}

fn php_cgi() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join("php-cgi")).find(|path| path.is_file()).unwrap()
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8).collect()
}

/// A pipe with a name, which programs open: it tells when the last of them has ended.
struct Fifo {
    _folder: TempDir,
    path: PathBuf,
    reader: File,
    /// As long as the test has it, nobody waits for another end.
    writer: File,
}

impl Fifo {
    fn new() -> Fifo {
        let (folder, path) = fifo();
        let writer = File::options().read(true).write(true).open(&path).unwrap();
        Fifo { reader: File::open(&path).unwrap(), _folder: folder, path, writer }
    }

    /// Waits until nobody has it any more. What was written there.
    fn ended(self) -> String {
        let Fifo { mut reader, writer, _folder, .. } = self;
        drop(writer);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text
    }
}

fn fifo() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fifo");
    mknodat(CWD, &path, FileType::Fifo, Mode::RWXU, 0).unwrap();
    (folder, path)
}

fn bytes(path: &Path) -> &[u8] {
    std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str())
}

#[derive(Default)]
struct Written(Mutex<Vec<u8>>);

impl ErrorSink for Written {
    fn write(&self, text: &[u8]) -> io::Result<()> {
        self.0.lock().unwrap().extend_from_slice(text);
        Ok(())
    }
}

fn short_silence() -> ProgramOptions {
    let mut options = ProgramOptions::default();
    options.limits.silence = Duration::from_millis(300);
    options.grace = Duration::from_millis(100);
    options
}
