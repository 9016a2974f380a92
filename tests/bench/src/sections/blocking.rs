//! Handlers that block: what those who sleep cost the others, in latency.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::TcpStream;
use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;

use crate::cli::Run;
use crate::cores::on_core;
use crate::load::http::get;
use crate::load::paced::{self, Pace};
use crate::measure::{median, percentiles};
use crate::peers::{Program, Start, build};
use crate::process::Server;
use crate::report::{Findings, left_out};

/// How many handlers run at once in every server that lets that be set.
const THREADS: usize = 32;
/// How long the load is on before it counts.
const WARM_UP: Duration = Duration::from_millis(200);
/// Those whose handlers may block.
const PEERS: [&str; 6] = ["wgi", "axum spawn_blocking", "astra", "tiny_http", "rouille", "Go net/http"];

pub fn run(run: &Run) -> Result<Findings> {
    let (programs, mut missing) = build(run, |name| PEERS.contains(&name));
    let mut half = Vec::new();
    let mut all = Vec::new();
    for program in programs {
        eprintln!("{}", program.name);
        let measured = (0..run.rounds)
            .map(|_| {
                Ok((
                    half_asleep(run, &program)?,
                    all_but_one_blocked(run, &program, 0)?,
                    all_but_one_blocked(run, &program, THREADS - 1)?,
                ))
            })
            .collect::<Result<Vec<_>>>();
        match measured {
            Ok(rounds) => {
                half.push((program.name, medians(rounds.iter().map(|round| round.0))));
                let idle = medians(rounds.iter().map(|round| round.1));
                all.push((program.name, idle, medians(rounds.iter().map(|round| round.2))));
            }
            Err(error) => missing.push((program.name.to_owned(), format!("{error:#}"))),
        }
    }
    let mut text = format!(
        "Every server that lets it be set runs at most {THREADS} handlers at once. Requests come at a fixed pace over kept \
         connections; latency counts from when a request was due. Medians of {} rounds of {} s.\n\n\
         1,000 requests a second over 24 connections; every other one sleeps 5 ms in its handler. The latency of those that \
         don't, behind a warm-up: what the first to sleep cost, of which a server may have to learn, is not in it.\n\n| peer | 50 % µs | 99 % µs | 99.9 % µs |\n| --- | --: | --: | --: |\n",
        run.rounds, run.seconds
    );
    half.sort_by(|a, b| a.1[1].total_cmp(&b.1[1]));
    for (name, [p50, p99, p999]) in half {
        let _ = writeln!(text, "| {name} | {p50:.0} | {p99:.0} | {p999:.0} |");
    }
    let _ = write!(
        text,
        "\n500 requests a second over one connection: on an idle server, and while {} handlers are blocked:\n\n\
         | peer | idle: 50 % µs | 99 % µs | blocked: 50 % µs | 99 % µs | 99 %: added µs |\n\
         | --- | --: | --: | --: | --: | --: |\n",
        THREADS - 1
    );
    all.sort_by(|a, b| (a.2[1] - a.1[1]).total_cmp(&(b.2[1] - b.1[1])));
    for (name, idle, blocked) in all {
        let _ = writeln!(
            text,
            "| {name} | {:.0} | {:.0} | {:.0} | {:.0} | {:.0} |",
            idle[0],
            idle[1],
            blocked[0],
            blocked[1],
            blocked[1] - idle[1]
        );
    }
    text.push_str(&left_out(&missing));
    Ok(Findings { text, plots: Vec::new() })
}

fn start(run: &Run, program: &Program) -> Result<Server> {
    program.start(run, Start { threads: Some(THREADS), ..Start::default() })
}

fn half_asleep(run: &Run, program: &Program) -> Result<[f64; 3]> {
    let server = start(run, program)?;
    let length = Duration::from_secs_f64(run.seconds);
    let paths = ["/sleep/5", "/"];
    let pace = Pace { address: server.address, connections: 24, rate: 1000.0, length, paths: &paths };
    on_core(run.cores.load, || paced::run(&Pace { length: WARM_UP, ..pace }))?;
    let mut latencies = on_core(run.cores.load, || paced::run(&pace))?;
    Ok(percentiles(latencies.pop().unwrap_or_default()))
}

fn all_but_one_blocked(run: &Run, program: &Program, blocked: usize) -> Result<[f64; 3]> {
    let server = start(run, program)?;
    let length = Duration::from_secs_f64(run.seconds);
    // Well beyond the end of the round, with the time that answers may be late.
    let path = format!("/sleep/{}", (length.as_millis() + 5000));
    let mut sleepers = Vec::new();
    for _ in 0..blocked {
        let mut stream = TcpStream::connect(server.address)?;
        stream.write_all(&get(server.address, &path))?;
        sleepers.push(stream);
    }
    // Time for all of them to have begun.
    sleep(Duration::from_millis(300));
    let pace = Pace { address: server.address, connections: 1, rate: 500.0, length, paths: &["/"] };
    let mut latencies = on_core(run.cores.load, || paced::run(&pace))?;
    Ok(percentiles(latencies.pop().unwrap_or_default()))
}

fn medians(rounds: impl Iterator<Item = [f64; 3]> + Clone) -> [f64; 3] {
    [0, 1, 2].map(|at| median(rounds.clone().map(|round| round[at]).collect()))
}
