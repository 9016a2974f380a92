//! Long bodies: files, streams of chunks, uploads. What a byte costs, and that memory does not grow with them.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::cli::Run;
use crate::cores::on_core;
use crate::load::bulk::Bulk;
use crate::load::nginx::Nginx;
use crate::measure::median;
use crate::peers::{Program, Start, build};
use crate::plot;
use crate::process::Server;
use crate::report::{Findings, left_out};

const MIB: usize = 1 << 20;
const GIB: usize = 1 << 30;

/// A transfer, and who can do it. The names of files are below the system's folder for temporary files.
struct Transfer {
    title: &'static str,
    peers: &'static [&'static str],
    /// Runs it for a round, and gives how many bytes went over the wire.
    round: fn(&mut Bulk, Duration) -> Result<usize>,
}

const TRANSFERS: &[Transfer] = &[
    Transfer {
        title: "file, 1 MiB",
        peers: &["nginx", "wgi", "Go net/http"],
        round: |bulk, length| {
            let start = Instant::now();
            let mut bytes = 0;
            while start.elapsed() < length {
                bytes += bulk.download(&format!("/file/{}", name(MIB)))?;
            }
            Ok(bytes)
        },
    },
    Transfer {
        title: "file, 1 GiB",
        peers: &["nginx", "wgi", "Go net/http"],
        round: |bulk, _| bulk.download(&format!("/file/{}", name(GIB))),
    },
    Transfer {
        title: "stream, 1 GiB in chunks of 64 KiB",
        peers: &["wgi", "axum", "Go net/http"],
        round: |bulk, _| bulk.download("/stream/16384/65536"),
    },
    Transfer {
        title: "upload, 1 GiB",
        peers: &["wgi", "axum", "Go net/http"],
        round: |bulk, _| bulk.upload("/length", GIB).map(|()| GIB),
    },
];

/// Files to serve, removed when dropped.
struct Files(Vec<PathBuf>);

/// A round: microseconds of CPU time a MiB, MiB a second, the most memory in MiB.
type Cost = (f64, f64, f64);

pub fn run(run: &Run) -> Result<Findings> {
    let _files = Files::write(&[MIB, GIB])?;
    let mut text = format!(
        "Over one kept connection; medians of {} rounds. Memory is the most that was resident at any time.\n\n\
         | transfer | peer | CPU µs a MiB | MiB/s | memory MiB |\n| --- | --- | --: | --: | --: |\n",
        run.rounds
    );
    let (programs, mut missing) = build(run, |name| TRANSFERS.iter().any(|transfer| transfer.peers.contains(&name)));
    let mut plots = Vec::new();
    for (at, transfer) in TRANSFERS.iter().enumerate() {
        let mut rounds: Vec<(&str, Vec<Cost>)> = Vec::new();
        for number in 1..=run.rounds {
            eprintln!("round {number} of {}: {}", run.rounds, transfer.title);
            for &peer in transfer.peers.iter().filter(|peer| run.wants(peer)) {
                let program = programs.iter().find(|program| program.name == peer);
                match (program, peer) {
                    (None, "nginx") | (Some(_), _) => {}
                    _ => continue,
                }
                match cost(run, transfer, program) {
                    Ok(cost) => match rounds.iter_mut().find(|(name, _)| *name == peer) {
                        Some((_, costs)) => costs.push(cost),
                        None => rounds.push((peer, vec![cost])),
                    },
                    Err(error) if number == 1 => {
                        missing.push((format!("{}: {peer}", transfer.title), format!("{error:#}")))
                    }
                    Err(error) => eprintln!("{peer}: {error:#}"),
                }
            }
        }
        let mut medians: Vec<(String, Cost)> = rounds
            .into_iter()
            .map(|(name, costs)| {
                let of = |figure: fn(&Cost) -> f64| median(costs.iter().map(figure).collect());
                (name.to_owned(), (of(|cost| cost.0), of(|cost| cost.1), of(|cost| cost.2)))
            })
            .collect();
        medians.sort_by(|a, b| a.1.0.total_cmp(&b.1.0));
        for (name, (cpu, rate, memory)) in &medians {
            let _ = writeln!(text, "| {} | {name} | {cpu:.0} | {rate:.0} | {memory:.1} |", transfer.title);
        }
        let figures: Vec<(String, f64)> = medians.into_iter().map(|(name, cost)| (name, cost.0)).collect();
        let title = format!("{}: CPU time a MiB", transfer.title);
        plots.push((format!("transfer-{at}.svg"), plot::bars(&title, "µs", &figures)));
    }
    text.push_str(&left_out(&missing));
    Ok(Findings { text, plots })
}

fn cost(run: &Run, transfer: &Transfer, program: Option<&Program>) -> Result<Cost> {
    match program {
        Some(program) => measure(run, transfer, &program.start(run, Start::default())?),
        None => {
            let location = format!("location /file/ {{ alias {}/; }}", std::env::temp_dir().display());
            let nobody = std::net::SocketAddr::from(([127, 0, 0, 1], 9));
            measure(run, transfer, &Nginx::start(run.cores.server, &location, nobody)?.server)
        }
    }
}

fn measure(run: &Run, transfer: &Transfer, server: &Server) -> Result<Cost> {
    on_core(run.cores.load, || {
        let mut bulk = Bulk::open(server.address)?;
        let before = server.cpu_time()?;
        let start = Instant::now();
        let bytes = (transfer.round)(&mut bulk, Duration::from_secs_f64(run.seconds))?;
        let wall = start.elapsed();
        let cpu = server.cpu_time()? - before;
        let mib = bytes as f64 / MIB as f64;
        ensure!(mib >= 1.0, "answers with {bytes} bytes");
        Ok((cpu.as_secs_f64() * 1e6 / mib, mib / wall.as_secs_f64(), server.peak_memory()? as f64 / 1024.0))
    })
}

fn name(length: usize) -> String {
    format!("wgi-bench-{}-{length}", std::process::id())
}

impl Files {
    fn write(lengths: &[usize]) -> Result<Files> {
        let mut files = Files(Vec::new());
        for &length in lengths {
            let path = std::env::temp_dir().join(name(length));
            let mut file = File::create(&path)?;
            files.0.push(path);
            let piece = vec![b'x'; MIB];
            for _ in 0..length / MIB {
                file.write_all(&piece)?;
            }
        }
        Ok(files)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        for path in &self.0 {
            if let Err(error) = fs::remove_file(path) {
                eprintln!("{}: {error}", path.display());
            }
        }
    }
}
