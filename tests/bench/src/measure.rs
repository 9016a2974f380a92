//! Figures: what a round of load came to, medians over rounds, ratios between peers, percentiles.

use std::time::Duration;

/// One round of load on one server.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sample {
    pub requests: u64,
    /// How long the load took.
    pub wall: Duration,
    /// The server's CPU time.
    pub cpu: Duration,
    /// Latency at 50, 99 and 99.9 %, in microseconds.
    pub latency: [f64; 3],
    /// Proportional memory of the server behind the round, in KiB.
    pub memory: u64,
    /// Requests that went wrong.
    pub errors: u64,
}

impl Sample {
    /// Microseconds of the server's CPU time a request.
    pub fn cpu_micros(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.requests.max(1) as f64
    }

    pub fn rate(&self) -> f64 {
        self.requests as f64 / self.wall.as_secs_f64().max(1e-9)
    }
}

/// A peer with its rounds.
pub struct Series {
    pub name: String,
    pub samples: Vec<Sample>,
}

impl Series {
    pub fn new(name: impl Into<String>) -> Series {
        Series { name: name.into(), samples: Vec::new() }
    }

    pub fn median(&self, figure: impl Fn(&Sample) -> f64) -> f64 {
        median(self.samples.iter().map(figure).collect())
    }

    pub fn cpu_micros(&self) -> f64 {
        self.median(Sample::cpu_micros)
    }

    pub fn errors(&self) -> u64 {
        self.samples.iter().map(|sample| sample.errors).sum()
    }

    /// The median over the rounds of this peer's CPU time a request in relation to another's in the same round, so that
    /// what disturbed a whole round disturbs both sides of the ratio.
    pub fn ratio(&self, base: &Series) -> f64 {
        let pairs = self.samples.iter().zip(&base.samples);
        median(pairs.map(|(mine, theirs)| mine.cpu_micros() / theirs.cpu_micros()).collect())
    }
}

/// The middle of the figures; of an even number the mean of the two in the middle. NaN for none.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    match figures.len() {
        0 => f64::NAN,
        length if length % 2 == 1 => figures[middle],
        _ => (figures[middle - 1] + figures[middle]) / 2.0,
    }
}

/// The latencies at 50, 99 and 99.9 %, in microseconds.
pub fn percentiles(mut nanoseconds: Vec<u64>) -> [f64; 3] {
    nanoseconds.sort_unstable();
    [0.5, 0.99, 0.999].map(|part| {
        let rank = (part * nanoseconds.len() as f64).ceil() as usize;
        nanoseconds.get(rank.saturating_sub(1)).map_or(f64::NAN, |&nanoseconds| nanoseconds as f64 / 1e3)
    })
}
