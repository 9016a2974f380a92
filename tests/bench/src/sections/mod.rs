//! The comparisons, one file each.

mod blocking;
mod cgi;
mod fastcgi;
mod growth;
mod http;
mod idle;
mod instructions;
mod layers;
mod transfers;

use anyhow::Result;

use crate::cli::Run;
use crate::report::Findings;

/// One comparison.
pub struct Section {
    pub name: &'static str,
    pub title: &'static str,
    pub run: fn(&Run) -> Result<Findings>,
}

/// All of them, in the order of the results.
pub const SECTIONS: &[Section] = &[
    Section { name: "http", title: "HTTP: one request at a time on kept connections", run: http::keep },
    Section { name: "pipelined", title: "HTTP: pipelined by 16", run: http::pipelined },
    Section { name: "close", title: "HTTP: a new connection for each request", run: http::close },
    Section { name: "fastcgi", title: "FastCGI: kept connections", run: fastcgi::kept },
    Section { name: "fastcgi-nginx", title: "FastCGI: behind nginx", run: fastcgi::behind_nginx },
    Section { name: "cgi", title: "CGI: one process for each request", run: cgi::run },
    Section { name: "idle", title: "Memory of an idle connection", run: idle::run },
    Section { name: "blocking", title: "Handlers that block", run: blocking::run },
    Section { name: "transfers", title: "Files, streams and uploads", run: transfers::run },
    Section { name: "growth", title: "Growth", run: growth::run },
    Section { name: "layers", title: "Layers of middleware", run: layers::run },
    Section { name: "instructions", title: "Instructions a request", run: instructions::run },
];
