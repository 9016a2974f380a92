//! The example `gateway`, a web server made of wgi: the probe behind it as a CGI program, over FastCGI and over SCGI.

use std::io;
use std::net::SocketAddr;
use std::process::Command;

use crate::pair::{ONE_CALL, Pair, probe_at_port, probe_at_socket};
use crate::process::{Place, Process};

pub(crate) const CGI: Pair = Pair {
    name: "gateway_cgi",
    needs: &[],
    prefix: "/cgi-bin/probe",
    cannot: &[("closes", ONE_CALL)],
    lacks: &[],
    start: |place, address| {
        let directory = place.folder("cgi-bin")?;
        place.program("cgi-bin/probe")?;
        Ok(vec![gateway(place, address, &format!("/cgi-bin=cgi:{},strict", directory.display()))?])
    },
};

pub(crate) const FASTCGI: Pair = Pair {
    name: "gateway_fastcgi",
    needs: &[],
    prefix: "/app",
    cannot: &[],
    lacks: &[],
    start: |place, address| {
        let (probe, socket) = probe_at_socket(place, "--fastcgi")?;
        Ok(vec![gateway(place, address, &format!("/app=fastcgi:unix:{socket},strict"))?, probe])
    },
};

pub(crate) const FASTCGI_AT_ROOT: Pair = Pair {
    name: "gateway_fastcgi_at_root",
    needs: &[],
    prefix: "",
    cannot: &[],
    lacks: &[],
    start: |place, address| {
        let (probe, port) = probe_at_port(place, "--fastcgi")?;
        Ok(vec![gateway(place, address, &format!("/=fastcgi:{port}"))?, probe])
    },
};

pub(crate) const SCGI: Pair = Pair {
    name: "gateway_scgi",
    needs: &[],
    prefix: "/app",
    cannot: &[],
    lacks: &[],
    start: |place, address| {
        let (probe, port) = probe_at_port(place, "--scgi")?;
        Ok(vec![gateway(place, address, &format!("/app=scgi:{port}"))?, probe])
    },
};

/// Under the validator: what the gateway makes of the probe's answers has to be an application's, whatever they are.
fn gateway(place: &Place, address: SocketAddr, mount: &str) -> io::Result<Process> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_front"));
    Process::start(place, "gateway", command.args(["--http", &address.to_string(), "--lint", "--mount", mount]))
}
