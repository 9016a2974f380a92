//! Findings as Markdown: printed, and kept in `RESULTS.md`, where a section that was run again takes its own place.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::cli::Run;
use crate::machine::{self, Moment};
use crate::measure::Series;
use crate::programs::home;
use crate::sections::{SECTIONS, Section};

/// What a section found.
#[derive(Default)]
pub struct Findings {
    pub text: String,
    /// File names in `plots/`, with what is in them.
    pub plots: Vec<(String, String)>,
}

/// `RESULTS.md`.
pub struct Report {
    path: Option<PathBuf>,
    /// The text of each section, in the order of [`SECTIONS`]; empty when it was never run.
    texts: Vec<String>,
}

impl Report {
    /// Opens the results of earlier runs, or none when this run is not to be written down.
    pub fn open(run: &Run) -> Result<Report> {
        let path = run.is_whole().then(|| home().join("RESULTS.md"));
        let old = path.as_ref().and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default();
        let texts = SECTIONS.iter().map(|section| kept(&old, section).unwrap_or_default().to_owned()).collect();
        Ok(Report { path, texts })
    }

    /// Prints a section's findings and puts them in its place.
    pub fn add(&mut self, section: &'static Section, began: &Moment, findings: Findings) -> Result<()> {
        println!("\n## {}\n\n{}", section.title, findings.text);
        let Some(path) = &self.path else { return Ok(()) };
        let mut text = format!("## {}\n\n{}\n\n{}", section.title, began.line(), findings.text);
        fs::create_dir_all(home().join("plots"))?;
        for (name, svg) in findings.plots {
            fs::write(home().join("plots").join(&name), svg)?;
            let _ = writeln!(text, "\n![{}](plots/{name})", section.title);
        }
        let place = SECTIONS.iter().position(|other| other.name == section.name).context("a section of SECTIONS")?;
        self.texts[place] = text;
        let mut whole = String::from(
            "# Results\n\nWritten by `cargo run --release --manifest-path tests/bench/Cargo.toml`; README.md beside this \
             page says how to read it.\n\n",
        );
        whole.push_str(&machine::describe());
        for (section, text) in SECTIONS.iter().zip(&self.texts).filter(|(_, text)| !text.is_empty()) {
            let _ =
                write!(whole, "\n<!-- {} -->\n{}\n<!-- end of {} -->\n", section.name, text.trim_end(), section.name);
        }
        fs::write(path, whole).with_context(|| format!("{} cannot be written", path.display()))
    }
}

/// The text that stands for a section now.
fn kept<'a>(old: &'a str, section: &Section) -> Option<&'a str> {
    let (_, rest) = old.split_once(&format!("<!-- {} -->\n", section.name))?;
    let (text, _) = rest.split_once(&format!("\n<!-- end of {} -->", section.name))?;
    Some(text)
}

/// A table of series, the cheapest first, with ratios to `base` where it took part.
pub fn table(series: &[Series], base: &str) -> String {
    let base = series.iter().find(|series| series.name == base && !series.samples.is_empty());
    let mut rows: Vec<&Series> = series.iter().filter(|series| !series.samples.is_empty()).collect();
    rows.sort_by(|a, b| a.cpu_micros().total_cmp(&b.cpu_micros()));
    let mut text = format!(
        "| peer | CPU µs a request | to {} | requests/s | 50 % µs | 99 % µs | 99.9 % µs | memory MiB |\n\
         | --- | --: | --: | --: | --: | --: | --: | --: |\n",
        base.map_or("-", |base| &base.name)
    );
    for series in rows {
        let ratio = base.map_or("-".to_owned(), |base| format!("{:.2}", series.ratio(base)));
        let [p50, p99, p999] = [0, 1, 2].map(|at| whole(series.median(|sample| sample.latency[at])));
        let memory = series.median(|sample| sample.memory as f64 / 1024.0);
        let memory = if memory > 0.0 { format!("{memory:.1}") } else { "-".to_owned() };
        let _ = writeln!(
            text,
            "| {} | {:.2} | {ratio} | {:.0} | {p50} | {p99} | {p999} | {memory} |",
            series.name,
            series.cpu_micros(),
            series.median(|sample| sample.rate()),
        );
    }
    for series in series.iter().filter(|series| series.errors() > 0) {
        let _ = writeln!(text, "\n{}: {} requests went wrong.", series.name, series.errors());
    }
    text
}

/// Who was left out, and why.
pub fn left_out(reasons: &[(String, String)]) -> String {
    reasons.iter().map(|(name, reason)| format!("\nLeft out: {name} ({reason}).\n")).collect()
}

/// A figure without decimals, or a dash where there is none.
fn whole(figure: f64) -> String {
    if figure.is_finite() { format!("{figure:.0}") } else { "-".to_owned() }
}
