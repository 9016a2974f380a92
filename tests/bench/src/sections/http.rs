//! HTTP hello worlds under wrk: kept connections, pipelined, new ones.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::cli::Run;
use crate::load::wrk::{self, Mode};
use crate::measure::Series;
use crate::process::{Server, free_address};
use crate::report::{Findings, left_out, table};
use crate::{plot, programs};

const CONNECTIONS: usize = 32;
/// Of peers that hold a thread for each connection in use.
const THREADS: usize = CONNECTIONS;
/// The length of the floor's answer when wgi is not there to be asked for its own.
const USUAL_ANSWER: usize = 143;

/// A peer: its name, how it is built, and its arguments for an address. The length is that of wgi's answer.
struct Peer {
    name: &'static str,
    build: fn() -> Result<PathBuf>,
    arguments: fn(SocketAddr, Mode, usize) -> Vec<String>,
}

const PEERS: &[Peer] = &[
    Peer {
        name: "floor",
        build: || programs::rust("peer-floor", "peer-floor"),
        arguments: |address, mode, length| {
            let close = if mode == Mode::Close { "http-close" } else { "http" };
            vec![close.into(), address.to_string(), length.to_string()]
        },
    },
    Peer {
        name: "wgi",
        build: || programs::rust("peer-wgi-http", "peer-wgi-http"),
        arguments: |address, _, _| vec![address.to_string()],
    },
    Peer {
        name: "hyper",
        build: || programs::rust("peer-hyper", "peer-hyper"),
        arguments: |address, _, _| vec!["current-thread".into(), address.to_string()],
    },
    Peer {
        name: "hyper multi-thread",
        build: || programs::rust("peer-hyper", "peer-hyper"),
        arguments: |address, _, _| vec!["multi-thread".into(), address.to_string()],
    },
    Peer {
        name: "axum",
        build: || programs::rust("peer-axum", "peer-axum"),
        arguments: |address, _, _| vec!["async".into(), address.to_string()],
    },
    Peer {
        name: "axum spawn_blocking",
        build: || programs::rust("peer-axum", "peer-axum"),
        arguments: |address, _, _| vec!["blocking".into(), address.to_string()],
    },
    Peer {
        name: "actix-web",
        build: || programs::rust("peer-actix", "peer-actix"),
        arguments: |address, _, _| vec![address.to_string()],
    },
    Peer {
        name: "may_minihttp",
        build: || programs::rust("peer-may", "peer-may"),
        arguments: |address, _, _| vec![address.to_string()],
    },
    Peer {
        name: "astra",
        build: || programs::rust("peer-blocking", "peer-blocking"),
        arguments: |address, _, _| vec!["astra".into(), address.to_string(), THREADS.to_string()],
    },
    Peer {
        name: "tiny_http",
        build: || programs::rust("peer-blocking", "peer-blocking"),
        arguments: |address, _, _| vec!["tiny_http".into(), address.to_string(), "4".into()],
    },
    Peer {
        name: "rouille",
        build: || programs::rust("peer-blocking", "peer-blocking"),
        arguments: |address, _, _| vec!["rouille".into(), address.to_string(), THREADS.to_string()],
    },
    Peer { name: "Go net/http", build: || programs::go("http"), arguments: |address, _, _| vec![address.to_string()] },
    Peer {
        name: "gunicorn",
        build: || programs::python("gunicorn"),
        arguments: |address, _, _| {
            let bind = format!("--bind={address}");
            // Threads, for without them it closes every connection; keep-alive as long as the others'.
            let options = ["-m", "gunicorn", "--threads=4", "--keep-alive=60", "--log-level=error", &bind];
            options.into_iter().chain(["hello:application"]).map(str::to_owned).collect()
        },
    },
    Peer {
        name: "waitress",
        build: || programs::python("waitress"),
        arguments: |address, _, _| {
            let listen = format!("--listen={address}");
            let options = ["-m", "waitress", "--threads=4", &listen];
            options.into_iter().chain(["hello:application"]).map(str::to_owned).collect()
        },
    },
];

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
    let mut missing = Vec::new();
    let mut present = Vec::new();
    for peer in PEERS.iter().filter(|peer| run.wants(peer.name)) {
        match (peer.build)().and_then(|program| Ok((length(run, peer, &program, mode)?, program))) {
            Ok((length, program)) => present.push((peer, program, length)),
            Err(error) => missing.push((peer.name.to_owned(), format!("{error:#}"))),
        }
    }
    let answer = present.iter().find(|(peer, ..)| peer.name == "wgi").map_or(USUAL_ANSWER, |&(_, _, length)| length);
    let mut all: Vec<Series> = present.iter().map(|(peer, ..)| Series::new(peer.name)).collect();
    for round in 1..=run.rounds {
        for ((peer, program, _), series) in present.iter().zip(&mut all) {
            eprintln!("round {round} of {}: {}", run.rounds, peer.name);
            let server = start(run, peer, program, mode, answer)?;
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
            "`GET /`, {CONNECTIONS} connections, {} rounds of {} s; the floor's answer has {answer} bytes.\n\n{}{}",
            run.rounds,
            run.seconds,
            table(&all, "floor"),
            left_out(&missing)
        ),
        plots: vec![(file.to_owned(), plot::bars(title, "µs", &figures))],
    })
}

fn start(run: &Run, peer: &Peer, program: &Path, mode: Mode, answer: usize) -> Result<Server> {
    let address = free_address()?;
    let mut command = Command::new(program);
    command.args((peer.arguments)(address, mode, answer));
    // Where Python's servers find their application.
    command.env("PYTHONPATH", programs::home().join("programs")).env("PYTHONDONTWRITEBYTECODE", "1");
    Server::start(command, address, run.cores.server)
}

/// Asks a peer once, to see that it answers what is compared; gives the length of its answer.
fn length(run: &Run, peer: &Peer, program: &Path, mode: Mode) -> Result<usize> {
    let server = start(run, peer, program, mode, USUAL_ANSWER)?;
    let mut stream = TcpStream::connect(server.address)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let connection = if mode == Mode::Close { "Connection: close\r\n" } else { "" };
    stream.write_all(format!("GET / HTTP/1.1\r\nHost: {}\r\n{connection}\r\n", server.address).as_bytes())?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"Hello, world!") {
        let mut piece = [0; 4096];
        let read = stream.read(&mut piece)?;
        ensure!(read > 0, "does not answer with Hello, world!: {}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&piece[..read]);
    }
    if mode == Mode::Close {
        ensure!(stream.read(&mut [0; 1])? == 0, "does not close the connection");
    }
    ensure!(answer.starts_with(b"HTTP/1.1 200 "), "does not answer with 200: {}", String::from_utf8_lossy(&answer));
    Ok(answer.len())
}
