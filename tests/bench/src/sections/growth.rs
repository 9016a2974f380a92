//! How the cost of a request grows: with the number of connections, of header fields, with the length of the body.

use std::fmt::Write as _;

use anyhow::Result;

use crate::cli::Run;
use crate::load::closed::{self, Load};
use crate::load::http::{ask, get};
use crate::measure::median;
use crate::peers::{LeftOut, Program, Start, build};
use crate::plot;
use crate::process::Server;
use crate::report::{Findings, left_out};

/// Something that grows.
struct Growth {
    file: &'static str,
    title: &'static str,
    across: &'static str,
    peers: &'static [&'static str],
    steps: &'static [usize],
    /// The request for a step, and the number of connections.
    load: fn(&Server, usize) -> (Vec<u8>, usize),
}

const GROWTHS: &[Growth] = &[
    Growth {
        file: "growth-connections.svg",
        title: "connections",
        across: "connections, all of them busy",
        peers: &["floor", "wgi", "hyper", "Go net/http"],
        steps: &[1, 10, 100, 1000, 9000],
        load: |server, step| (get(server.address, "/"), step),
    },
    Growth {
        file: "growth-fields.svg",
        title: "header fields",
        across: "fields",
        peers: &["wgi", "hyper", "actix-web", "Go net/http"],
        steps: &[5, 10, 20, 40, 80],
        load: |server, step| {
            let mut request = format!("GET / HTTP/1.1\r\nHost: {}\r\n", server.address);
            for field in 1..step {
                let _ = write!(request, "X-Field-{field}: the value of a header field\r\n");
            }
            request.push_str("\r\n");
            (request.into_bytes(), 32)
        },
    },
    Growth {
        file: "growth-body.svg",
        title: "bytes of the body",
        across: "bytes",
        peers: &["wgi", "axum", "Go net/http"],
        steps: &[1, 1 << 10, 1 << 16, 1 << 20, 1 << 24, 1 << 28, 1 << 30],
        load: |server, step| match step {
            // One chunk as long as that is reasonable, a stream of 64 KiB chunks beyond.
            0..=0x10_0000 => (get(server.address, &format!("/bytes/{step}")), 4),
            _ => (get(server.address, &format!("/stream/{}/65536", step >> 16)), 1),
        },
    },
];

pub fn run(run: &Run) -> Result<Findings> {
    let (programs, mut missing) = build(run, |name| GROWTHS.iter().any(|growth| growth.peers.contains(&name)));
    let mut text = format!("CPU time a request in µs, medians of {} rounds of {} s.\n", run.rounds, run.seconds);
    let mut plots = Vec::new();
    for growth in GROWTHS {
        let programs: Vec<&Program> = programs.iter().filter(|program| growth.peers.contains(&program.name)).collect();
        let mut lines: Vec<(String, Vec<(f64, f64)>)> =
            programs.iter().map(|program| (program.name.to_owned(), Vec::new())).collect();
        for &step in growth.steps {
            eprintln!("{step} {}", growth.title);
            let costs = costs(run, growth, step, &programs, &mut missing);
            for ((_, points), cost) in lines.iter_mut().zip(costs) {
                points.push((step as f64, cost));
            }
        }
        let _ = write!(text, "\n| {} |", growth.title);
        for (name, _) in &lines {
            let _ = write!(text, " {name} |");
        }
        let _ = writeln!(text, "\n| --: |{}", " --: |".repeat(lines.len()));
        for (row, step) in growth.steps.iter().enumerate() {
            let _ = write!(text, "| {step} |");
            for (_, points) in &lines {
                let cost = points[row].1;
                let _ = if cost.is_finite() { write!(text, " {cost:.2} |") } else { write!(text, " - |") };
            }
            text.push('\n');
        }
        let title = format!("CPU time a request, by {}", growth.title);
        plots.push((growth.file.to_owned(), plot::lines(&title, growth.across, "µs", true, &lines)));
    }
    text.push_str(&left_out(&missing));
    Ok(Findings { text, plots })
}

/// What a step costs each of the programs; NaN where it could not be had.
fn costs(run: &Run, growth: &Growth, step: usize, programs: &[&Program], missing: &mut LeftOut) -> Vec<f64> {
    let mut rounds = vec![Vec::new(); programs.len()];
    for _ in 0..run.rounds {
        for (program, costs) in programs.iter().zip(&mut rounds) {
            match cost(run, growth, step, program) {
                Ok(cost) => costs.push(cost),
                Err(error) => {
                    missing.push((format!("{} with {step} {}", program.name, growth.title), format!("{error:#}")))
                }
            }
        }
    }
    rounds.into_iter().map(median).collect()
}

fn cost(run: &Run, growth: &Growth, step: usize, program: &Program) -> Result<f64> {
    let server = program.start(run, Start::default())?;
    let (request, connections) = (growth.load)(&server, step);
    let (_, answer) = ask(server.address, &request)?;
    let load = Load { connections, request: &request, answer };
    Ok(closed::round(run, &server, &load)?.cpu_micros())
}
