//! Runs wgi and its peers on one machine in one run, and writes down what they took.
//!
//! A section is one comparison (`sections/`). It starts the servers to compare, one at a time and in turns, on one core
//! (`process`), puts load on them from another (`load/`), and gives tables and plots (`report`, `plot`).
//! What it compares is built, or found missing, by `programs`.

mod cli;
mod cores;
mod load;
mod machine;
mod measure;
mod peers;
mod plot;
mod process;
mod programs;
mod report;
mod sections;

use anyhow::Result;

fn main() -> Result<()> {
    let Some(run) = cli::parse()? else { return Ok(()) };
    let mut report = report::Report::open(&run)?;
    println!("{}", machine::describe());
    for section in &run.sections {
        eprintln!("== {}", section.name);
        let began = machine::Moment::now();
        match (section.run)(&run) {
            Ok(findings) => report.add(section, &began, findings)?,
            // One section that cannot run here says so, and the others run.
            Err(error) => eprintln!("{} is left out: {error:#}", section.name),
        }
    }
    Ok(())
}
