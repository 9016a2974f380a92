//! HTTP hello worlds under wrk: kept connections, pipelined, new ones.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::cli::Run;
use crate::load::wrk::{self, Mode};
use crate::measure::Series;
use crate::peers::{Program, Start, build};
use crate::plot;
use crate::report::{Findings, left_out, table};

const CONNECTIONS: usize = 32;

pub fn keep(run: &Run) -> Result<Findings> {
    compare(run, Mode::Keep)
}

pub fn pipelined(run: &Run) -> Result<Findings> {
    compare(run, Mode::Pipelined)
}

pub fn close(run: &Run) -> Result<Findings> {
    compare(run, Mode::Close)
}

fn compare(run: &Run, mode: Mode) -> Result<Findings> {
    let mut start = Start { closes: mode == Mode::Close, ..Start::default() };
    let (programs, mut missing) = build(run, |_| true);
    let mut present = Vec::new();
    for program in programs {
        match length(run, &program, start) {
            Ok(length) => {
                if program.name == "wgi" {
                    start.answer = length;
                }
                present.push(program);
            }
            Err(error) => missing.push((program.name.to_owned(), format!("{error:#}"))),
        }
    }
    let mut all: Vec<Series> = present.iter().map(|program| Series::new(program.name)).collect();
    for round in 1..=run.rounds {
        for (program, series) in present.iter().zip(&mut all) {
            eprintln!("round {round} of {}: {}", run.rounds, program.name);
            let server = program.start(run, start)?;
            series.samples.push(wrk::round(run, &server, mode, CONNECTIONS)?);
        }
    }
    let figures: Vec<(String, f64)> = all.iter().map(|series| (series.name.clone(), series.cpu_micros())).collect();
    let (file, title) = match mode {
        Mode::Keep => ("http.svg", "HTTP, kept connections: CPU time a request"),
        Mode::Pipelined => ("http-pipelined.svg", "HTTP, pipelined by 16: CPU time a request"),
        Mode::Close => ("http-close.svg", "HTTP, a new connection each: CPU time a request"),
    };
    Ok(Findings {
        text: format!(
            "`GET /`, {CONNECTIONS} connections, {} rounds of {} s; the floor's answer has {} bytes.\n\n{}{}",
            run.rounds,
            run.seconds,
            start.answer,
            table(&all, "floor"),
            left_out(&missing)
        ),
        plots: vec![(file.to_owned(), plot::bars(title, "µs", &figures))],
    })
}

/// Asks a peer once, to see that it answers what is compared; gives the length of its answer.
fn length(run: &Run, program: &Program, start: Start) -> Result<usize> {
    let server = program.start(run, start)?;
    let mut stream = TcpStream::connect(server.address)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let connection = if start.closes { "Connection: close\r\n" } else { "" };
    stream.write_all(format!("GET / HTTP/1.1\r\nHost: {}\r\n{connection}\r\n", server.address).as_bytes())?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"Hello, world!") {
        let mut piece = [0; 4096];
        let read = stream.read(&mut piece).context("gives no whole answer")?;
        ensure!(read > 0, "does not answer with Hello, world!: {}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&piece[..read]);
    }
    if start.closes {
        ensure!(matches!(stream.read(&mut [0; 1]), Ok(0)), "does not close the connection");
    }
    ensure!(answer.starts_with(b"HTTP/1.1 200 "), "does not answer with 200: {}", String::from_utf8_lossy(&answer));
    Ok(answer.len())
}
