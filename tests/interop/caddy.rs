//! Caddy: `reverse_proxy` over HTTP and with `transport fastcgi`, and `php_fastcgi`.

use std::io;
use std::net::SocketAddr;
use std::process::Command;

use crate::pair::{ITS_OWN_ADDRESS, Pair, probe, probe_at_port, probe_at_socket};
use crate::process::{Place, Process, find};

const NO_LENGTH: &str =
    "Caddy 2.6 says that the length of a chunked request is -1 (newer ones keep the body back, or answer 411)";
const OWN_REASON: &str = "Caddy has a reason phrase of its own for each status";
const COMPLETES: &str = "Caddy 2.6 ends a response that broke off as if it were whole";
const WRITES_FIRST: &str = "Caddy reads nothing of a response here before it has sent the whole request";
const KEEPS_STDERR: &str = "Caddy 2.6 logged nothing of STDERR, also with capture_stderr";
const UNDERSCORES: &str = "Caddy makes one variable of both, and no program can tell them apart";

pub(crate) const HTTP: Pair = Pair {
    name: "caddy_http",
    needs: &["caddy"],
    prefix: "",
    cannot: &[("reason", OWN_REASON), ("error_later", COMPLETES), ("panic_later", COMPLETES)],
    lacks: &[("REMOTE_ADDR", ITS_OWN_ADDRESS)],
    start: |place, address| {
        let (probe, port) = probe_at_port(place, "--http")?;
        Ok(vec![caddy(place, address, &format!("reverse_proxy {port} {{\nflush_interval -1\n}}"))?, probe])
    },
};

pub(crate) const FASTCGI_TCP: Pair = Pair {
    name: "caddy_fastcgi_tcp",
    needs: &["caddy"],
    prefix: "",
    cannot: &[
        ("upload_chunked", NO_LENGTH),
        ("echo_large", WRITES_FIRST),
        ("reason", OWN_REASON),
        ("error_later", COMPLETES),
        ("panic_later", COMPLETES),
        ("errors_stream", KEEPS_STDERR),
        ("underscore", UNDERSCORES),
    ],
    lacks: &[],
    start: |place, address| {
        let (probe, port) = probe_at_port(place, "--fastcgi")?;
        let site = format!(
            "reverse_proxy {port} {{
                flush_interval -1
                transport fastcgi {{
                    capture_stderr
                }}
            }}"
        );
        Ok(vec![caddy(place, address, &site)?, probe])
    },
};

/// Caddy is told where to split.
pub(crate) const FASTCGI_UNIX: Pair = Pair {
    name: "caddy_fastcgi_unix",
    needs: &["caddy"],
    prefix: "/app",
    cannot: &[
        ("upload_chunked", NO_LENGTH),
        ("echo_large", WRITES_FIRST),
        ("reason", OWN_REASON),
        ("error_later", COMPLETES),
        ("panic_later", COMPLETES),
        ("errors_stream", KEEPS_STDERR),
        ("underscore", UNDERSCORES),
    ],
    lacks: &[],
    start: |place, address| {
        let (probe, socket) = probe_at_socket(place, "--fastcgi")?;
        let site = format!(
            "reverse_proxy /app* unix/{socket} {{
                flush_interval -1
                transport fastcgi {{
                    split /app
                    capture_stderr
                }}
            }}"
        );
        Ok(vec![caddy(place, address, &site)?, probe])
    },
};

/// As PHP is usually set up: paths that are no files become that of `index.php`. The probe is told where it is mounted,
/// and takes the path from REQUEST_URI.
pub(crate) const PHP_FASTCGI: Pair = Pair {
    name: "caddy_php_fastcgi",
    needs: &["caddy"],
    prefix: "",
    cannot: &[
        ("upload_chunked", NO_LENGTH),
        ("echo_large", WRITES_FIRST),
        ("reason", OWN_REASON),
        ("error_later", COMPLETES),
        ("panic_later", COMPLETES),
        ("errors_stream", KEEPS_STDERR),
        ("underscore", UNDERSCORES),
    ],
    lacks: &[],
    start: |place, address| {
        let mut probe = probe(place, "probe", &["--fastcgi", "127.0.0.1:0", "--script-name", ""])?;
        let port = probe.await_address()?;
        place.folder("site")?;
        place.write("site/index.php", "")?;
        let site = format!(
            "root * {}
            php_fastcgi {port} {{
                flush_interval -1
                capture_stderr
            }}",
            place.text("site")
        );
        Ok(vec![caddy(place, address, &site)?, probe])
    },
};

/// Starts Caddy with what belongs into a site. It gets no administration, no certificates and no home: nothing of it is
/// to be seen outside of the folder.
fn caddy(place: &Place, address: SocketAddr, site: &str) -> io::Result<Process> {
    let config = format!(
        "{{
            admin off
            auto_https off
            storage file_system {home}
        }}
        http://:{port} {{
            bind {ip}
            {site}
        }}
        ",
        home = place.folder("caddy")?.display(),
        port = address.port(),
        ip = address.ip()
    );
    let config = place.write("Caddyfile", &config)?;
    let mut command = Command::new(find("caddy").unwrap_or_default());
    for home in ["HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"] {
        command.env(home, place.path("caddy"));
    }
    command.args(["run", "--adapter", "caddyfile", "--config"]).arg(config);
    Process::start(place, "caddy", &mut command)
}
