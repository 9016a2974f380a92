//! FastCGI hello worlds: kept connections under the load generator here, and behind nginx under wrk.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

use crate::cli::Run;
use crate::load::fastcgi::{self, ask};
use crate::load::nginx::Nginx;
use crate::load::wrk::{self, Mode};
use crate::measure::{Sample, Series};
use crate::process::Server;
use crate::report::{Findings, left_out, table};
use crate::{plot, programs};

const CONNECTIONS: usize = 32;
/// The length of the floor's answer when wgi is not there to be asked for its own.
const USUAL_ANSWER: usize = 128;

/// A peer, which has its listening socket as descriptor 0: its name, how it is built, and its arguments: for
/// the length of wgi's answer, and for so many connections.
pub struct Peer {
    pub name: &'static str,
    pub build: fn() -> Result<PathBuf>,
    pub arguments: fn(usize, usize) -> Vec<String>,
}

/// php-fpm, which binds an address of its own.
const PHP: &str = "php-fpm";

pub const PEERS: &[Peer] = &[
    Peer {
        name: "floor",
        build: || programs::rust("peer-floor", "peer-floor"),
        arguments: |length, _| vec!["fastcgi".into(), length.to_string()],
    },
    Peer {
        name: "wgi",
        build: || programs::rust("peer-wgi-fastcgi", "peer-wgi-fastcgi"),
        arguments: |_, _| Vec::new(),
    },
    Peer {
        name: "libfcgi",
        build: || programs::c("fastcgi", "fastcgi-c", &["-lfcgi", "-lpthread"]),
        // A thread is a connection's as long as that is kept.
        arguments: |_, connections| vec![(connections + 1).to_string()],
    },
    Peer {
        name: "tokio-fastcgi",
        build: || programs::rust("peer-fastcgi", "peer-fastcgi"),
        arguments: |_, _| Vec::new(),
    },
    Peer { name: "Go net/http/fcgi", build: || programs::go("fastcgi"), arguments: |_, _| Vec::new() },
    Peer { name: PHP, build: programs::php_fpm, arguments: |_, _| Vec::new() },
];

pub fn kept(run: &Run) -> Result<Findings> {
    let round = |server: &Server| fastcgi::round(run, server, CONNECTIONS);
    let request = fastcgi::request().len();
    let text = format!("Requests of {request} bytes on {CONNECTIONS} kept connections");
    compare(run, &text, ("fastcgi.svg", "FastCGI, kept connections: CPU time a request"), &round)
}

pub fn behind_nginx(run: &Run) -> Result<Findings> {
    programs::installed("nginx")?;
    let round = |server: &Server| {
        let location = format!(
            "location / {{ include /etc/nginx/fastcgi_params; fastcgi_param SCRIPT_FILENAME {};\n\
             fastcgi_pass peer; fastcgi_keep_conn on; }}",
            fastcgi::script().display()
        );
        let nginx = Nginx::start(run.cores.load, &location, server.address)?;
        wrk::through(run, &nginx.server, server, Mode::Keep, CONNECTIONS)
    };
    let text =
        format!("nginx (one worker, on the load's core, kept connections) under wrk with {CONNECTIONS} connections");
    compare(run, &text, ("fastcgi-nginx.svg", "FastCGI behind nginx: CPU time a request"), &round)
}

fn compare(
    run: &Run,
    load: &str,
    (file, title): (&str, &str),
    round: &dyn Fn(&Server) -> Result<Sample>,
) -> Result<Findings> {
    let mut missing = Vec::new();
    let mut present = Vec::new();
    for peer in PEERS.iter().filter(|peer| run.wants(peer.name)) {
        match (peer.build)().and_then(|program| Ok((length(run, peer, &program)?, program))) {
            Ok((length, program)) => present.push((peer, program, length)),
            Err(error) => missing.push((peer.name.to_owned(), format!("{error:#}"))),
        }
    }
    let answer = present.iter().find(|(peer, ..)| peer.name == "wgi").map_or(USUAL_ANSWER, |&(_, _, length)| length);
    let mut all: Vec<Series> = present.iter().map(|(peer, ..)| Series::new(peer.name)).collect();
    for number in 1..=run.rounds {
        for ((peer, program, _), series) in present.iter().zip(&mut all) {
            eprintln!("round {number} of {}: {}", run.rounds, peer.name);
            let server = start(run, peer, program, answer)?;
            series.samples.push(round(&server)?);
        }
    }
    let figures: Vec<(String, f64)> = all.iter().map(|series| (series.name.clone(), series.cpu_micros())).collect();
    Ok(Findings {
        text: format!(
            "{load}, {} rounds of {} s; the floor's answer has {answer} bytes.\n\n{}{}",
            run.rounds,
            run.seconds,
            table(&all, "floor"),
            left_out(&missing)
        ),
        plots: vec![(file.to_owned(), plot::bars(title, "µs", &figures))],
    })
}

fn start(run: &Run, peer: &Peer, program: &Path, answer: usize) -> Result<Server> {
    if peer.name == PHP {
        // A process is a connection's as long as that is kept.
        let (command, address) = programs::php_fpm_pool(program, CONNECTIONS + 1)?;
        return Server::start(command, address, run.cores.server);
    }
    let mut command = Command::new(program);
    command.args((peer.arguments)(answer, CONNECTIONS));
    Server::start_listening(command, run.cores.server)
}

/// Asks a peer once, to see that it answers what is compared; gives the length of its answer.
fn length(run: &Run, peer: &Peer, program: &Path) -> Result<usize> {
    let server = start(run, peer, program, USUAL_ANSWER)?;
    let answer = ask(server.address)?;
    ensure!(answer.stdout.ends_with(b"\r\n\r\nHello, world!"), "does not answer with Hello, world!");
    Ok(answer.length)
}
