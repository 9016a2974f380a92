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
    lines.push(format!("kernel: Linux {}", kernel.trim()));
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

/// The date, and the commit that was measured.
pub fn moment() -> String {
    let date = version("date", &["-u", "+%Y-%m-%d %H:%M UTC"]).unwrap_or_default();
    let git = Command::new("git").args(["describe", "--always", "--dirty"]).current_dir(home()).output();
    let commit = git.ok().filter(|output| output.status.success());
    let commit = commit.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    format!("{date}, wgi at {}", commit.as_deref().unwrap_or("an unknown commit"))
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
