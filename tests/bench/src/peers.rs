//! The servers of the HTTP sections: how each is built and started.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::cli::Run;
use crate::process::{Server, free_address};
use crate::programs;

/// A peer: its name, how it is built, and its arguments.
pub struct Peer {
    pub name: &'static str,
    build: fn() -> Result<PathBuf>,
    arguments: fn(&Start) -> Vec<String>,
}

/// How a peer is to be started.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    pub address: SocketAddr,
    /// Every connection is closed behind its first answer.
    pub closes: bool,
    /// The length of wgi's answer, for the floor.
    pub answer: usize,
    /// How many handlers run at once at the most, where that can be set.
    pub threads: Option<usize>,
}

/// A peer that is built.
pub struct Program {
    pub name: &'static str,
    path: PathBuf,
    arguments: fn(&Start) -> Vec<String>,
}

/// Peers that were left out, each with the reason.
pub type LeftOut = Vec<(String, String)>;

/// Threads where a connection holds one: for 32 of them, and a few for those that were just closed.
const HOLDING: usize = 40;

pub const PEERS: &[Peer] = &[
    Peer {
        name: "floor",
        build: || programs::rust("peer-floor", "peer-floor"),
        arguments: |start| {
            let kind = if start.closes { "http-close" } else { "http" };
            vec![kind.into(), start.address.to_string(), start.answer.to_string()]
        },
    },
    Peer {
        name: "wgi",
        build: || programs::rust("peer-wgi-http", "peer-wgi-http"),
        arguments: |start| {
            let threads = start.threads.map(|threads| threads.to_string());
            [start.address.to_string()].into_iter().chain(threads).collect()
        },
    },
    Peer {
        name: "hyper",
        build: || programs::rust("peer-hyper", "peer-hyper"),
        arguments: |start| vec!["current-thread".into(), start.address.to_string()],
    },
    Peer {
        name: "hyper multi-thread",
        build: || programs::rust("peer-hyper", "peer-hyper"),
        arguments: |start| vec!["multi-thread".into(), start.address.to_string()],
    },
    Peer {
        name: "axum",
        build: || programs::rust("peer-axum", "peer-axum"),
        arguments: |start| vec!["async".into(), start.address.to_string()],
    },
    Peer {
        name: "axum spawn_blocking",
        build: || programs::rust("peer-axum", "peer-axum"),
        arguments: |start| {
            let threads = start.threads.map(|threads| threads.to_string());
            ["blocking".into(), start.address.to_string()].into_iter().chain(threads).collect()
        },
    },
    Peer {
        name: "actix-web",
        build: || programs::rust("peer-actix", "peer-actix"),
        arguments: |start| vec![start.address.to_string()],
    },
    Peer {
        name: "may_minihttp",
        build: || programs::rust("peer-may", "peer-may"),
        arguments: |start| vec![start.address.to_string()],
    },
    Peer {
        name: "astra",
        build: || programs::rust("peer-blocking", "peer-blocking"),
        arguments: |start| vec!["astra".into(), start.address.to_string(), threads(start, HOLDING)],
    },
    Peer {
        name: "tiny_http",
        build: || programs::rust("peer-blocking", "peer-blocking"),
        arguments: |start| vec!["tiny_http".into(), start.address.to_string(), threads(start, 4)],
    },
    Peer {
        name: "rouille",
        build: || programs::rust("peer-blocking", "peer-blocking"),
        arguments: |start| vec!["rouille".into(), start.address.to_string(), threads(start, HOLDING)],
    },
    Peer { name: "Go net/http", build: || programs::go("http"), arguments: |start| vec![start.address.to_string()] },
    Peer {
        name: "gunicorn",
        build: || programs::python("gunicorn"),
        arguments: |start| {
            let bind = format!("--bind={}", start.address);
            // Threads, for without them it closes every connection; keep-alive as long as the others'.
            let options = ["-m", "gunicorn", "--threads=4", "--keep-alive=60", "--log-level=error", &bind];
            options.into_iter().chain(["hello:application"]).map(str::to_owned).collect()
        },
    },
    Peer {
        name: "waitress",
        build: || programs::python("waitress"),
        arguments: |start| {
            let listen = format!("--listen={}", start.address);
            let options = ["-m", "waitress", "--threads=4", &listen];
            options.into_iter().chain(["hello:application"]).map(str::to_owned).collect()
        },
    },
];

fn threads(start: &Start, usual: usize) -> String {
    start.threads.unwrap_or(usual).to_string()
}

/// Builds those peers that take part in a run and that `chosen` says yes to.
pub fn build(run: &Run, chosen: impl Fn(&str) -> bool) -> (Vec<Program>, LeftOut) {
    let mut programs = Vec::new();
    let mut left_out = Vec::new();
    for &Peer { name, build, arguments } in PEERS.iter().filter(|peer| run.wants(peer.name) && chosen(peer.name)) {
        match build() {
            Ok(path) => programs.push(Program { name, path, arguments }),
            Err(error) => left_out.push((name.to_owned(), format!("{error:#}"))),
        }
    }
    (programs, left_out)
}

impl Default for Start {
    fn default() -> Start {
        Start { address: SocketAddr::from(([127, 0, 0, 1], 0)), closes: false, answer: 134, threads: None }
    }
}

impl Program {
    /// Starts it on the server's core, on a free address.
    pub fn start(&self, run: &Run, start: Start) -> Result<Server> {
        let start = Start { address: free_address()?, ..start };
        Server::start(self.command(&start), start.address, run.cores.server)
    }

    pub fn command(&self, start: &Start) -> Command {
        let mut command = Command::new(&self.path);
        command.args((self.arguments)(start));
        // Where Python's servers find their application.
        command.env("PYTHONPATH", programs::home().join("programs")).env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }
}
