//! Instructions a request, counted by valgrind's callgrind: the same on every run of the same build, so that a change
//! that costs shows where the CPU time drowns it in noise. The kernel's are not in it.
//!
//! A server is run twice, with N and with 2 N requests; the difference is what N requests took, without start and end.

use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::cli::Run;
use crate::load::{fastcgi, http};
use crate::peers::{LeftOut, Start, build};
use crate::process::{Server, free_address};
use crate::programs;
use crate::report::{Findings, left_out};
use crate::sections::cgi;

/// N.
const REQUESTS: usize = 2000;
const HTTP: [&str; 5] = ["floor", "wgi", "hyper", "axum", "actix-web"];

pub fn run(run: &Run) -> Result<Findings> {
    programs::installed("valgrind")?;
    let mut text = format!(
        "callgrind, {REQUESTS} requests on one connection, user space only.\n\n| what | peer | instructions a request |\n\
         | --- | --- | --: |\n"
    );
    let mut missing = LeftOut::new();
    let mut row = |what: &str, name: &str, counted: Result<u64>| match counted {
        Ok(instructions) => {
            let _ = writeln!(text, "| {what} | {name} | {instructions} |");
        }
        Err(error) => missing.push((format!("{what}: {name}"), format!("{error:#}"))),
    };
    let (servers, _) = build(run, |name| HTTP.contains(&name));
    for (what, batch) in [("HTTP, kept", 1), ("HTTP, pipelined by 16", 16)] {
        for server in &servers {
            eprintln!("{what}: {}", server.name);
            let counted = difference(|requests| {
                let start = Start { address: free_address()?, ..Start::default() };
                let (command, output) = callgrind(&server.command(&start), &format!("{what} {}", server.name))?;
                let server = Server::start(command, start.address, run.cores.server)?;
                exchange(start.address, &http::get(start.address, "/"), http::is_complete, batch, requests)?;
                total(server, &output)
            });
            row(what, server.name, counted);
        }
    }
    // Not those whose processes callgrind cannot follow.
    let can_be_followed = |name: &str| !name.contains("Go") && name != "php-fpm";
    for peer in crate::sections::fastcgi::PEERS.iter().filter(|peer| run.wants(peer.name) && can_be_followed(peer.name))
    {
        eprintln!("FastCGI: {}", peer.name);
        let counted = (peer.build)().and_then(|program| {
            difference(|requests| {
                let mut command = Command::new(&program);
                command.args((peer.arguments)(128, 1));
                let (command, output) = callgrind(&command, &format!("fastcgi {}", peer.name))?;
                let server = Server::start_listening(command, run.cores.server)?;
                let complete = |received: &[u8]| matches!(fastcgi::parse(received), Ok(Some(_)));
                exchange(server.address, &fastcgi::request(), complete, 1, requests)?;
                total(server, &output)
            })
        });
        row("FastCGI, kept", peer.name, counted);
    }
    for peer in cgi::PEERS.iter().filter(|peer| run.wants(peer.name) && !peer.name.contains(['G', 'P'])) {
        eprintln!("CGI: {}", peer.name);
        row(
            "CGI, the whole process",
            peer.name,
            (peer.command)().and_then(|command| {
                let (mut command, output) = callgrind(&cgi::command(&command)?, &format!("cgi {}", peer.name))?;
                command.envs(cgi::VARIABLES.iter().copied());
                let ended = command.output()?;
                ensure!(ended.stdout.ends_with(b"Hello, world!"), "does not answer with Hello, world!");
                summary(&output)
            }),
        );
    }
    text.push_str(&left_out(&missing));
    Ok(Findings { text, plots: Vec::new() })
}

/// What a request takes, by what `count` gives for N and 2 N of them.
fn difference(count: impl Fn(usize) -> Result<u64>) -> Result<u64> {
    let once = count(REQUESTS)?;
    let twice = count(2 * REQUESTS)?;
    Ok(twice.saturating_sub(once) / REQUESTS as u64)
}

/// A command under callgrind, and the file that it writes. That stays, for `callgrind_annotate`.
fn callgrind(command: &Command, what: &str) -> Result<(Command, PathBuf)> {
    let output = programs::profiles()?.join(what.replace([' ', ','], "-"));
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--quiet"]).arg(format!("--callgrind-out-file={}", output.display()));
    valgrind.arg(command.get_program()).args(command.get_args());
    Ok((valgrind, output))
}

/// Sends so many requests, in batches, each of which is answered before the next is sent.
fn exchange(
    address: SocketAddr,
    request: &[u8],
    is_complete: impl Fn(&[u8]) -> bool,
    batch: usize,
    requests: usize,
) -> Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    stream.write_all(request)?;
    let mut first = Vec::new();
    while !is_complete(&first) {
        let mut piece = [0; 4096];
        let read = stream.read(&mut piece)?;
        ensure!(read > 0, "closes the connection instead of an answer");
        first.extend_from_slice(&piece[..read]);
    }
    // All answers have the length of the first.
    let requests_at_once = request.repeat(batch);
    let mut answers = vec![0; first.len() * batch];
    for _ in 0..requests / batch {
        stream.write_all(&requests_at_once)?;
        stream.read_exact(&mut answers)?;
    }
    Ok(())
}

/// Ends a server, and gives the number of instructions it took.
fn total(server: Server, output: &Path) -> Result<u64> {
    server.finish(Duration::from_secs(30))?;
    summary(output)
}

fn summary(output: &Path) -> Result<u64> {
    let text = fs::read_to_string(output).context("callgrind wrote nothing")?;
    let line = text.lines().find_map(|line| line.strip_prefix("totals:").or(line.strip_prefix("summary:")));
    Ok(line.context("callgrind wrote no sum")?.trim().parse()?)
}
