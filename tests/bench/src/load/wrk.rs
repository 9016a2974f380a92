//! wrk: one thread, closed loop, as fast as the server answers.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::cli::Run;
use crate::cores::on_core;
use crate::measure::Sample;
use crate::process::Server;
use crate::programs::{home, installed};

/// What is sent on each connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One request at a time.
    Keep,
    /// 16 requests at a time.
    Pipelined,
    /// One request, and the connection is closed.
    Close,
}

/// One round: a short warm-up, then load of the run's length, with the server's CPU time over it.
pub fn round(run: &Run, server: &Server, mode: Mode, connections: usize) -> Result<Sample> {
    through(run, server, server, mode, connections)
}

/// The same through a server in front of the one that is measured.
pub fn through(run: &Run, front: &Server, server: &Server, mode: Mode, connections: usize) -> Result<Sample> {
    wrk(run, front.address, mode, connections, 0.2)?;
    let before = server.cpu_time()?;
    let mut sample = wrk(run, front.address, mode, connections, run.seconds)?;
    sample.cpu = server.cpu_time()? - before;
    sample.memory = server.memory()?.proportional;
    Ok(sample)
}

fn wrk(run: &Run, address: SocketAddr, mode: Mode, connections: usize, seconds: f64) -> Result<Sample> {
    let wrk = installed("wrk").context("install it: apt install wrk")?;
    let mut command = if seconds < 1.0 {
        // wrk counts in whole seconds; a shorter time is cut off by the signal that it takes for its end.
        let mut timeout = Command::new("timeout");
        timeout.args(["--signal=INT", &seconds.to_string()]).arg(wrk);
        timeout
    } else {
        Command::new(wrk)
    };
    let whole = format!("-d{}s", seconds.round().max(1.0));
    let name = match mode {
        Mode::Keep => "keep",
        Mode::Pipelined => "pipelined",
        Mode::Close => "close",
    };
    command.args(["-t1", &format!("-c{connections}"), &whole, "-s"]).arg(home().join("load/wrk.lua"));
    command.args([format!("http://{}/", address), "--".into(), name.into()]);
    let output = on_core(run.cores.load, || Ok(command.output()?))?;
    let said = String::from_utf8_lossy(&output.stdout);
    let Some(figures) = said.lines().find_map(|line| line.strip_prefix("figures ")) else {
        bail!("wrk gave no figures: {} {}", said.trim(), String::from_utf8_lossy(&output.stderr).trim());
    };
    let figures: Vec<u64> = figures.split(' ').map(str::parse).collect::<Result<_, _>>()?;
    let [requests, micros, p50, p99, p999, broken, refused] = figures[..] else { bail!("wrk gave other figures") };
    // wrk takes the time of a batch once for each of its answers: no latency of a request.
    let latency = if mode == Mode::Pipelined { [f64::NAN; 3] } else { [p50, p99, p999].map(|micros| micros as f64) };
    Ok(Sample { requests, wall: Duration::from_micros(micros), latency, errors: broken + refused, ..Sample::default() })
}
