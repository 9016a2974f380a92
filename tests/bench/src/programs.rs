//! What is compared, built where it can be: Rust peers by cargo, C by `cc`, Go by `go`, Python's in an environment of its
//! own. What a machine lacks is left out with a word, never an error.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use anyhow::{Context, Result, anyhow, bail};

use crate::process::free_address;

/// The folder of this crate.
pub fn home() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where build results go: beside this program's own.
fn target() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    let target = program.parent().and_then(Path::parent).context("this program was not built by cargo")?;
    Ok(target.to_owned())
}

/// Builds a package of this workspace alone, as its own users would, and gives the path of one of its binaries.
///
/// A run builds each once: what it compares in one section is what it compares in the next.
pub fn rust(package: &str, binary: &str) -> Result<PathBuf> {
    static BUILT: Mutex<BTreeMap<String, Result<(), String>>> = Mutex::new(BTreeMap::new());
    let target = target()?;
    let mut built = BUILT.lock().map_err(|_| anyhow!("a build panicked"))?;
    let result = built.entry(binary.to_owned()).or_insert_with(|| {
        eprintln!("building {binary}");
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
        cargo.args(["build", "--release", "--quiet", "--package", package, "--bin", binary]);
        cargo.arg("--manifest-path").arg(home().join("Cargo.toml")).arg("--target-dir").arg(&target);
        finish(&mut cargo).map_err(|error| format!("{error:#}"))
    });
    match result {
        Ok(()) => Ok(target.join("release").join(binary)),
        Err(error) => bail!("{error}"),
    }
}

/// The same, linked statically with the C library, so that the system's loader has nothing to do.
pub fn rust_static(package: &str, binary: &str) -> Result<PathBuf> {
    let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let target = target()?.join("static");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo.args(["build", "--release", "--quiet", "--package", package, "--bin", binary, "--target", &triple]);
    cargo.arg("--manifest-path").arg(home().join("Cargo.toml")).arg("--target-dir").arg(&target);
    cargo.env("RUSTFLAGS", "-C target-feature=+crt-static -C relocation-model=static");
    finish(&mut cargo)?;
    Ok(target.join(triple).join("release").join(binary))
}

/// Compiles `programs/NAME.c`.
pub fn c(name: &str, output: &str, flags: &[&str]) -> Result<PathBuf> {
    let output = output_folder()?.join(output);
    let mut cc = Command::new(installed("cc")?);
    cc.arg("-O2").arg("-o").arg(&output).arg(home().join("programs").join(name).with_extension("c")).args(flags);
    finish(&mut cc)?;
    Ok(output)
}

/// Builds `programs/NAME.go`.
pub fn go(name: &str) -> Result<PathBuf> {
    let output = output_folder()?.join(name);
    let mut go = Command::new(installed("go")?);
    go.arg("build").arg("-o").arg(&output).arg(home().join("programs").join(name).with_extension("go"));
    finish(&mut go)?;
    Ok(output)
}

/// The Python of an environment in which a package is installed; made, and installed from PyPI, the first time.
pub fn python(package: &str) -> Result<PathBuf> {
    let environment = output_folder()?.join("python");
    let python = environment.join("bin/python");
    if !python.exists() {
        finish(Command::new(installed("python3")?).args(["-m", "venv"]).arg(&environment))?;
    }
    let installed = Command::new(&python).args(["-c", &format!("import {package}")]).stderr(Stdio::null()).status()?;
    if !installed.success() {
        finish(Command::new(&python).args(["-m", "pip", "install", "--quiet", package]))?;
    }
    Ok(python)
}

/// php-fpm, which has its version in its name.
pub fn php_fpm() -> Result<PathBuf> {
    let programs = std::fs::read_dir("/usr/sbin")?.filter_map(|entry| Some(entry.ok()?.path()));
    let mut found: Vec<PathBuf> =
        programs.filter(|path| path.file_name().is_some_and(|name| name.as_bytes().starts_with(b"php-fpm"))).collect();
    found.sort();
    found.pop().context("php-fpm is not installed")
}

/// How php-fpm is started with so many processes, and at which address.
pub fn php_fpm_pool(program: &Path, processes: usize) -> Result<(Command, SocketAddr)> {
    let address = free_address()?;
    let configuration = output_folder()?.join("php-fpm.conf");
    std::fs::write(
        &configuration,
        format!(
            "[global]\ndaemonize = no\nerror_log = /dev/null\n\
             [www]\nuser = nobody\nlisten = {address}\npm = static\npm.max_children = {processes}\n"
        ),
    )?;
    let mut command = Command::new(program);
    command.args(["--nodaemonize", "--no-php-ini", "--allow-to-run-as-root", "--fpm-config"]).arg(configuration);
    Ok((command, address))
}

/// A program of the system.
pub fn installed(name: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Servers are often installed where only root's PATH leads.
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    let found = folders.map(|folder| folder.join(name)).find(|program| program.is_file());
    found.with_context(|| format!("{name} is not installed"))
}

/// The first line of what a program says with these arguments, for the list of versions.
pub fn version(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(installed(program).ok()?).args(arguments).output().ok()?;
    let text = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    Some(String::from_utf8_lossy(&text).lines().next()?.trim().to_owned())
}

/// Where callgrind's files are kept.
pub fn profiles() -> Result<PathBuf> {
    let folder = target()?.join("profiles");
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn output_folder() -> Result<PathBuf> {
    let folder = target()?.join("programs");
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn finish(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("{:?} cannot be started", command.get_program()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let lines: Vec<&str> = said.lines().filter(|line| line.contains("error")).take(3).collect();
        bail!("{:?} failed: {}", command.get_program(), lines.join(" · "));
    }
    Ok(())
}
