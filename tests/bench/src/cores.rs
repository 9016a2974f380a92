//! Which core runs what. A child process inherits the cores of the thread that starts it.

use anyhow::{Context, Result};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The cores of a run.
#[derive(Clone, Copy, Debug)]
pub struct Cores {
    /// That of the server that is measured.
    pub server: usize,
    /// That of the load.
    pub load: usize,
}

/// Runs `work` on one core: its threads and processes stay there.
pub fn on_core<T>(core: usize, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let before = sched_getaffinity(None)?;
    let mut only = CpuSet::new();
    only.set(core);
    sched_setaffinity(None, &only).with_context(|| format!("cannot be pinned to core {core}"))?;
    let result = work();
    sched_setaffinity(None, &before)?;
    result
}
