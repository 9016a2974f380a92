//! The memory that an idle kept connection costs its server: 10,000 of them, each of which has had one answer.

use std::fmt::Write as _;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Result, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::cli::Run;
use crate::load::http::open;
use crate::measure::median;
use crate::peers::{Program, Start, build};
use crate::plot;
use crate::report::{Findings, left_out};

const CONNECTIONS: usize = 10_000;
/// Those that hold a thread for each connection take no part.
const PEERS: [&str; 7] = ["floor", "wgi", "hyper", "axum", "actix-web", "may_minihttp", "Go net/http"];

pub fn run(run: &Run) -> Result<Findings> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    let enough = limit.maximum.is_none_or(|maximum| maximum > CONNECTIONS as u64 + 100);
    ensure!(enough, "{CONNECTIONS} connections need a higher limit of open files (ulimit -Hn)");
    let (programs, mut missing) = build(run, |name| PEERS.contains(&name));
    let mut figures: Vec<(String, f64)> = Vec::new();
    for program in programs {
        eprintln!("{}", program.name);
        let rounds: Result<Vec<f64>> = (0..run.rounds.min(3)).map(|_| connection(run, &program)).collect();
        match rounds {
            Ok(rounds) => figures.push((program.name.to_owned(), median(rounds))),
            Err(error) => missing.push((program.name.to_owned(), format!("{error:#}"))),
        }
    }
    figures.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut text = format!(
        "Resident memory of the process with {CONNECTIONS} idle connections, less that with 100, for each connection. What \
         the kernel keeps for a socket is the same for all and not in it.\n\n| peer | bytes a connection |\n| --- | --: |\n"
    );
    for (name, bytes) in &figures {
        let _ = writeln!(text, "| {name} | {bytes:.0} |");
    }
    text.push_str(&left_out(&missing));
    Ok(Findings {
        text,
        plots: vec![("idle.svg".to_owned(), plot::bars("Memory of an idle connection", "bytes", &figures))],
    })
}

/// Bytes for each of the connections.
fn connection(run: &Run, program: &Program) -> Result<f64> {
    let server = program.start(run, Start::default())?;
    let mut open_ones = Vec::with_capacity(CONNECTIONS);
    let open_to = |count: usize, open_ones: &mut Vec<_>| -> Result<u64> {
        while open_ones.len() < count {
            open_ones.push(open(server.address, "/")?);
        }
        // Whatever the server puts off until it has nothing to do.
        sleep(Duration::from_secs(1));
        Ok(server.memory()?.resident)
    };
    let before = open_to(100, &mut open_ones)?;
    let after = open_to(CONNECTIONS, &mut open_ones)?;
    Ok((after as f64 - before as f64) * 1024.0 / (CONNECTIONS - 100) as f64)
}
