//! The machine and the versions that a run was made with.

use std::fs;
use std::process::Command;

use crate::programs::{home, version};

/// Lines of Markdown: processor, kernel, compilers, load, date, commit.
pub fn describe() -> String {
    let mut lines = Vec::new();
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown");
    let cores = cpuinfo.lines().filter(|line| line.starts_with("processor")).count();
    lines.push(format!("machine: {}, {cores} cores", model.trim_start_matches([' ', '\t', ':'])));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    // It paces what goes over the loopback interface too, or does not.
    let congestion = fs::read_to_string("/proc/sys/net/ipv4/tcp_congestion_control").unwrap_or_default();
    lines.push(format!("kernel: Linux {}, TCP congestion control {}", kernel.trim(), congestion.trim()));
    let tools: [(&str, &[&str]); 7] = [
        ("rustc", &["--version"]),
        ("cc", &["--version"]),
        ("go", &["version"]),
        ("python3", &["--version"]),
        ("wrk", &["-v"]),
        ("nginx", &["-v"]),
        ("valgrind", &["--version"]),
    ];
    let found: Vec<String> = tools.iter().filter_map(|(program, arguments)| version(program, arguments)).collect();
    lines.push(format!("tools: {}", found.join("; ")));
    lines.push(format!("peers in Rust: {}", locked().join(", ")));
    lines.iter().map(|line| format!("- {line}\n")).collect()
}

/// When a section was run, what was measured, and how busy the machine was with other things.
pub struct Moment {
    date: String,
    commit: String,
    load: String,
}

impl Moment {
    pub fn now() -> Moment {
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        Moment {
            date: version("date", &["-u", "+%Y-%m-%d %H:%M UTC"]).unwrap_or_default(),
            commit: commit(),
            load: load.split(' ').next().unwrap_or_default().to_owned(),
        }
    }

    /// A line of Markdown for a section that began at this moment and is over now.
    pub fn line(&self) -> String {
        let ended = commit();
        let changed =
            if ended == self.commit { String::new() } else { format!(" to {ended}, which changed meanwhile") };
        format!("{}, wgi at {}{changed}; load average before: {}", self.date, self.commit, self.load)
    }
}

/// The commit whose sources are here, with a mark when they were edited.
fn commit() -> String {
    let git = |arguments: &[&str]| Command::new("git").args(arguments).current_dir(home().join("../..")).output().ok();
    let hash = git(&["rev-parse", "--short", "HEAD"]).filter(|output| output.status.success());
    let Some(hash) = hash else { return "an unknown commit".to_owned() };
    let clean = git(&["diff", "--quiet", "HEAD", "--", "src", "servers", "middleware", "Cargo.toml"]);
    let edited = clean.is_none_or(|output| !output.status.success());
    let hash = String::from_utf8_lossy(&hash.stdout).trim().to_owned();
    if edited { format!("{hash}, edited") } else { hash }
}

/// The versions of the peers that cargo builds, from the lock file.
fn locked() -> Vec<String> {
    const PEERS: [&str; 10] = [
        "actix-web",
        "astra",
        "axum",
        "hyper",
        "may",
        "may_minihttp",
        "rouille",
        "tiny_http",
        "tokio",
        "tokio-fastcgi",
    ];
    let lock = fs::read_to_string(home().join("Cargo.lock")).unwrap_or_default();
    let mut lines = lock.lines();
    let mut found = Vec::new();
    while let Some(line) = lines.next() {
        let Some(name) = line.strip_prefix("name = ").map(|name| name.trim_matches('"')) else { continue };
        let Some(version) = lines.next().and_then(|line| line.strip_prefix("version = ")) else { continue };
        if PEERS.contains(&name) {
            found.push(format!("{name} {}", version.trim_matches('"')));
        }
    }
    found
}
