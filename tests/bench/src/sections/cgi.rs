//! CGI hello worlds: started as a server starts them, one after the other, each waited for.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::resource::{UsageWho, getrusage};

use crate::cli::Run;
use crate::cores::on_core;
use crate::measure::{Sample, Series, percentiles};
use crate::report::{Findings, left_out, table};
use crate::{plot, programs};

/// How many turns a round is cut into.
const TURNS: usize = 5;

/// A peer: its name, and how it is built and called.
pub struct Peer {
    pub name: &'static str,
    pub command: fn() -> Result<Vec<String>>,
}

pub const PEERS: &[Peer] = &[
    Peer { name: "C static", command: || path(programs::c("cgi", "cgi-c-static", &["-static"])) },
    Peer { name: "C", command: || path(programs::c("cgi", "cgi-c", &[])) },
    Peer { name: "Rust", command: || path(programs::rust("peer-cgi", "peer-cgi")) },
    Peer { name: "Rust static", command: || path(programs::rust_static("peer-cgi", "peer-cgi")) },
    // By the launcher, as a user's program is; and by the CGI adapter alone.
    Peer { name: "wgi", command: || path(programs::rust("peer-wgi-host", "peer-wgi-host")) },
    Peer { name: "wgi static", command: || path(programs::rust_static("peer-wgi-host", "peer-wgi-host")) },
    Peer { name: "wgi-cgi alone", command: || path(programs::rust("peer-wgi-cgi", "peer-wgi-cgi")) },
    Peer { name: "wgi-cgi alone static", command: || path(programs::rust_static("peer-wgi-cgi", "peer-wgi-cgi")) },
    Peer { name: "Go net/http/cgi", command: || path(programs::go("cgi")) },
    Peer {
        name: "Python wsgiref",
        command: || {
            // Where python3 is a script that looks for the real one, that search is not Python's cost.
            let ask = Command::new(programs::installed("python3")?)
                .args(["-c", "import sys; print(sys.executable)"])
                .output()?;
            let python = String::from_utf8(ask.stdout)?.trim().to_owned();
            Ok(vec![python, programs::home().join("programs/cgi.py").display().to_string()])
        },
    },
];

/// What a server puts into the environment (RFC 3875, section 4.1) for a browser's request.
pub const VARIABLES: &[(&str, &str)] = &[
    ("GATEWAY_INTERFACE", "CGI/1.1"),
    ("SERVER_SOFTWARE", "Apache/2.4.62 (Debian)"),
    ("SERVER_PROTOCOL", "HTTP/1.1"),
    ("SERVER_NAME", "localhost"),
    ("SERVER_ADDR", "127.0.0.1"),
    ("SERVER_PORT", "80"),
    ("REMOTE_ADDR", "127.0.0.1"),
    ("REMOTE_PORT", "45678"),
    ("DOCUMENT_ROOT", "/var/www/html"),
    ("REQUEST_SCHEME", "http"),
    ("CONTEXT_PREFIX", "/cgi-bin/"),
    ("CONTEXT_DOCUMENT_ROOT", "/usr/lib/cgi-bin/"),
    ("SERVER_ADMIN", "webmaster@localhost"),
    ("SCRIPT_FILENAME", "/usr/lib/cgi-bin/hello"),
    ("REQUEST_METHOD", "GET"),
    ("QUERY_STRING", ""),
    ("REQUEST_URI", "/cgi-bin/hello"),
    ("SCRIPT_NAME", "/cgi-bin/hello"),
    ("PATH", "/usr/local/bin:/usr/bin:/bin"),
    ("HTTP_HOST", "localhost"),
    ("HTTP_USER_AGENT", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
    ("HTTP_ACCEPT", "text/html,application/xhtml+xml,*/*;q=0.8"),
    ("HTTP_ACCEPT_LANGUAGE", "en-GB,en;q=0.5"),
    ("HTTP_ACCEPT_ENCODING", "gzip, deflate"),
];

pub fn run(run: &Run) -> Result<Findings> {
    let mut missing = Vec::new();
    let mut present = Vec::new();
    for peer in PEERS.iter().filter(|peer| run.wants(peer.name)) {
        match (peer.command)().and_then(|command| answer(&command).map(|()| command)) {
            Ok(command) => present.push((peer, command)),
            Err(error) => missing.push((peer.name.to_owned(), format!("{error:#}"))),
        }
    }
    let mut all: Vec<Series> = present.iter().map(|(peer, _)| Series::new(peer.name)).collect();
    // A start is short: more and shorter turns than elsewhere, so that what disturbs some disturbs all peers alike.
    for round in 1..=run.rounds * TURNS {
        eprintln!("round {round} of {}", run.rounds * TURNS);
        for ((_, command), series) in present.iter().zip(&mut all) {
            let command = &afresh(command)?;
            let length = Duration::from_secs_f64(run.seconds / TURNS as f64);
            series.samples.push(on_core(run.cores.server, || spawn_for(length, command))?);
        }
    }
    let figures: Vec<(String, f64)> = all
        .iter()
        .filter(|series| !series.name.starts_with("Python"))
        .map(|series| (series.name.clone(), series.cpu_micros()))
        .collect();
    Ok(Findings {
        text: format!(
            "Started, read to the end and waited for, one after the other on one core, with {} variables; CPU time from \
             the process's own accounts, its `exec` included. Each turn has its own copies of the \
             programs. {} rounds of {} s.\n\n{}{}",
            VARIABLES.len(),
            run.rounds * TURNS,
            run.seconds / TURNS as f64,
            table(&all, "C static"),
            left_out(&missing)
        ),
        plots: vec![("cgi.svg".to_owned(), plot::bars("CGI: CPU time a request", "µs", &figures))],
    })
}

fn path(program: Result<std::path::PathBuf>) -> Result<Vec<String>> {
    Ok(vec![program?.to_str().context("a path that is not text")?.to_owned()])
}

/// A program as it would be installed: a copy of what the linker wrote.
///
/// In how large pieces the system keeps a file in memory decides how many page faults its start takes, up to 3 % of the
/// time; a copy for each turn leaves that to no peer's luck.
fn afresh(command: &[String]) -> Result<Vec<String>> {
    // Where there is more than a program, that is an interpreter, which is installed.
    let [program] = command else { return Ok(command.to_vec()) };
    let copy = format!("{program}.copy");
    if std::fs::exists(&copy)? {
        std::fs::remove_file(&copy)?;
    }
    std::fs::copy(program, &copy)?;
    Ok(vec![copy])
}

/// Sees that a program answers what is compared.
fn answer(command: &[String]) -> Result<()> {
    let output = self::command(command)?.output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "ends with {}", output.status);
    ensure!(said.ends_with("\r\n\r\nHello, world!"), "does not answer with Hello, world!: {said}");
    Ok(())
}

fn spawn_for(length: Duration, command: &[String]) -> Result<Sample> {
    let mut latencies = Vec::new();
    let before = children()?;
    let start = Instant::now();
    while start.elapsed() < length {
        let began = Instant::now();
        let output = self::command(command)?.stderr(Stdio::inherit()).output()?;
        latencies.push(u64::try_from(began.elapsed().as_nanos())?);
        ensure!(output.stdout.ends_with(b"Hello, world!"), "an answer is missing");
    }
    Ok(Sample {
        requests: latencies.len() as u64,
        wall: start.elapsed(),
        cpu: children()?.saturating_sub(before),
        latency: percentiles(latencies),
        ..Sample::default()
    })
}

/// A program as a server calls it.
pub fn command(command: &[String]) -> Result<Command> {
    let [program, arguments @ ..] = command else { anyhow::bail!("an empty command") };
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(VARIABLES.iter().copied()).stdin(Stdio::null());
    Ok(command)
}

/// The CPU time of all children that were waited for.
fn children() -> Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let sum = usage.user_time() + usage.system_time();
    Ok(Duration::new(u64::try_from(sum.tv_sec())?, u32::try_from(sum.tv_usec())? * 1000))
}
