//! What a layer of middleware costs that edits a header: exchanges with an application below 0 to 20 of them, in one
//! process, without a server.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::cli::Run;
use crate::cores::on_core;
use crate::measure::median;
use crate::plot;
use crate::programs;
use crate::report::Findings;

pub fn run(run: &Run) -> Result<Findings> {
    let program = programs::rust("peer-wgi-layers", "peer-wgi-layers")?;
    let mut rounds: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
    // Short rounds, and more of them: what disturbs one is out of the median.
    for _ in 0..run.rounds * 4 {
        let output = on_core(run.cores.server, || Ok(Command::new(&program).output()?))?;
        ensure!(output.status.success(), "ends with {}", output.status);
        for line in String::from_utf8(output.stdout)?.lines() {
            let (layers, nanoseconds) = line.split_once(' ').context("a line of other words")?;
            rounds.entry(layers.parse()?).or_default().push(nanoseconds.parse()?);
        }
    }
    let medians: Vec<(u32, f64)> = rounds.into_iter().map(|(layers, times)| (layers, median(times))).collect();
    let &(_, alone) = medians.first().context("no rounds")?;
    let mut text = String::from(
        "CPU time of one exchange (environ, call, all parts of the reply), and what each layer adds. A layer sets a header of its \
         own and is called through `dyn App`.\n\n| layers | ns an exchange | ns a layer |\n| --: | --: | --: |\n",
    );
    for &(layers, nanoseconds) in &medians {
        let _ = match layers {
            0 => writeln!(text, "| 0 | {nanoseconds:.0} | - |"),
            _ => writeln!(text, "| {layers} | {nanoseconds:.0} | {:.0} |", (nanoseconds - alone) / f64::from(layers)),
        };
    }
    let points = medians.iter().map(|&(layers, nanoseconds)| (f64::from(layers), nanoseconds)).collect();
    let plot =
        plot::lines("Time of an exchange, by layers of middleware", "layers", "ns", false, &[("wgi".into(), points)]);
    Ok(Findings { text, plots: vec![("layers.svg".to_owned(), plot)] })
}
