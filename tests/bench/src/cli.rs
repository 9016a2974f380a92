//! The command line.

use anyhow::{Result, bail};
use lexopt::prelude::*;

use crate::cores::Cores;
use crate::sections::{SECTIONS, Section};

const HELP: &str = "\
Runs wgi and its peers on one machine in one run, and writes tests/bench/RESULTS.md and its plots.

  cargo run --release --manifest-path tests/bench/Cargo.toml [-- SECTION… OPTION…]

  --rounds N      how often each peer is measured, in turns (5)
  --seconds S     how long each time (2)
  --peers A,B     only these peers, by the names of the tables; prints and writes nothing
  --quick         3 rounds of 1 second; prints and writes nothing
  --server-core N, --load-core N
                  where they are pinned (0 and 1)

Sections (default: all):
";

/// What was asked for.
pub struct Run {
    pub sections: Vec<&'static Section>,
    pub rounds: usize,
    pub seconds: f64,
    pub peers: Option<Vec<String>>,
    pub quick: bool,
    pub cores: Cores,
}

impl Run {
    /// Whether a peer takes part.
    pub fn wants(&self, peer: &str) -> bool {
        self.peers.as_ref().is_none_or(|peers| peers.iter().any(|wanted| wanted == peer))
    }

    /// Whether the results are worth writing down: not those of a quick run or of some peers only.
    pub fn is_whole(&self) -> bool {
        !self.quick && self.peers.is_none()
    }
}

pub fn parse() -> Result<Option<Run>> {
    let mut run = Run {
        sections: Vec::new(),
        rounds: 5,
        seconds: 2.0,
        peers: None,
        quick: false,
        cores: Cores { server: 0, load: 1 },
    };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("rounds") => run.rounds = parser.value()?.parse()?,
            Long("seconds") => run.seconds = parser.value()?.parse()?,
            Long("peers") => run.peers = Some(parser.value()?.string()?.split(',').map(str::to_owned).collect()),
            Long("quick") => (run.quick, run.rounds, run.seconds) = (true, 3, 1.0),
            Long("server-core") => run.cores.server = parser.value()?.parse()?,
            Long("load-core") => run.cores.load = parser.value()?.parse()?,
            Short('h') | Long("help") => {
                print!("{HELP}");
                for section in SECTIONS {
                    println!("  {:<14}  {}", section.name, section.title);
                }
                return Ok(None);
            }
            Value(name) => match SECTIONS.iter().find(|section| name == section.name) {
                Some(section) => run.sections.push(section),
                None => bail!("no section {name:?}; --help lists them"),
            },
            _ => return Err(argument.unexpected().into()),
        }
    }
    if run.sections.is_empty() {
        run.sections = SECTIONS.iter().collect();
    }
    if run.rounds == 0 || run.seconds <= 0.0 {
        bail!("--rounds and --seconds must be above 0");
    }
    Ok(Some(run))
}
