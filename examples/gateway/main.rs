//! A small web server made only of parts of wgi: programs that speak CGI, FastCGI or SCGI, mounted below paths.
//!
//! ```sh
//! cargo run --release --bin gateway -- --http :8080 \
//!     --mount /cgi-bin=cgi:/usr/lib/cgi-bin \
//!     --mount /=fastcgi:unix:/run/php/php-fpm.sock,root=/srv/www,fallback=index.php
//! ```
//!
//! The way of a request: the launcher's server, [`LocalRedirects`] around everything, [`Mounts`] by the path, then the
//! application that stands for the back end (`backend.rs`). As every program of the launcher it speaks all of its protocols
//! itself: it translates as well, from AJP to SCGI for one. Files it does not serve.

mod backend;
mod mounts;

use wgi::App;
use wgi_cgi::LocalRedirects;
use wgi_host::{Given, Host};

use crate::mounts::Mounts;

/// What `--help` says of `--mount`.
const MOUNT: &str = "answer what is below PATH by BACKEND (repeatable):
  cgi:PATH          a CGI program, or a directory of them
  fastcgi:ADDRESS   a FastCGI application, as PHP is with root=DIR
  scgi:ADDRESS      an SCGI application
with options, each behind a comma:
  root=DIR          fastcgi: the directory of its scripts
  index=NAME        … the script for a path with a slash at its end
                    [index.php]
  fallback=PATH     … the script for a path that leads to none
  suffix=TEXT       … how the names of scripts end [.php]
  connections=N     fastcgi, scgi: requests it gets at once [64]
  .EXT=PROGRAM      cgi: what runs files of that extension
  strict            cgi, fastcgi: a status other than 0 at its end
                    cuts the response
  timeout=SECONDS   how long it may do nothing [60]
  authorization     it gets the field Authorization
  NAME=VALUE        it gets this variable (upper case)";

/// The application that the options describe.
fn gateway(given: &Given) -> Result<impl App + use<>, String> {
    let mut mounts = Mounts::default();
    for mount in given.all("mount") {
        let text = mount.to_str().ok_or_else(|| format!("--mount: `{}` is not UTF-8", mount.display()))?;
        let (path, backend) = text.split_once('=').ok_or_else(|| format!("--mount: `{text}` is not PATH=BACKEND"))?;
        let app = backend::parse(backend).map_err(|wrong| format!("--mount {path}: {wrong}"))?;
        mounts.add(path, app).map_err(|wrong| format!("--mount: {wrong}"))?;
    }
    if mounts.is_empty() {
        return Err("nothing is mounted; try --mount /cgi-bin=cgi:/usr/lib/cgi-bin".into());
    }
    // Around all mounts, for a program below one may send to a path below another (RFC 3875 §6.2.2).
    Ok(LocalRedirects::new(mounts))
}

fn main() {
    Host::configured(gateway)
        .name("gateway")
        .version(env!("CARGO_PKG_VERSION"))
        .about("A small web server in front of programs that speak CGI, FastCGI or SCGI.")
        .option("mount", "PATH=BACKEND", MOUNT)
        .run()
}
