//! The matrix: every pair of a web server and a protocol, a test and a cell of the table each.
//!
//! With `WGI_WRITE_MATRIX` in the environment the cells are written down, when all of them are known: in README.md the
//! table, in docs/matrix.md each set-up with what cannot pass through it, both between two marks. A run of some of the
//! pairs writes nothing, and neither does one where a web server is missing.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::{env, fs, io};

use crate::pair::Pair;
use crate::process::find;
use crate::rows::ROWS;
use crate::{apache, caddy, gateway, haproxy, lighttpd, nginx, small, tls, uwsgi};

const PROTOCOLS: [&str; 6] = ["HTTP", "FastCGI", "SCGI", "uwsgi", "AJP", "CGI"];

/// What stands in front of the table and behind it.
const MARKS: [&str; 2] = ["<!-- matrix: written by the tests -->\n", "<!-- end of matrix -->\n"];

/// A web server, and the command that says its version.
struct Server(&'static str, &'static [&'static str]);

const NGINX: &Server = &Server("nginx", &["nginx", "-v"]);
const APACHE: &Server = &Server("Apache", &["apache2", "-v"]);
const LIGHTTPD: &Server = &Server("lighttpd", &["lighttpd", "-v"]);
const HAPROXY: &Server = &Server("HAProxy", &["haproxy", "-v"]);
const CADDY: &Server = &Server("Caddy", &["caddy", "version"]);
const UWSGI: &Server = &Server("uWSGI", &["uwsgi", "--version"]);
const SPAWN_FCGI: &Server = &Server("spawn-fcgi", &["spawn-fcgi", "-v"]);
/// It says no version itself.
const FCGIWRAP: &Server = &Server("fcgiwrap", &["dpkg-query", "-W", "-f", "${Version}", "fcgiwrap"]);
const BUSYBOX: &Server = &Server("BusyBox", &["busybox"]);
const PYTHON: &Server = &Server("Python", &["python3", "--version"]);

/// The example of this workspace, and its version.
const GATEWAY: &Server = &Server("wgi's `gateway`", &[]);

struct Cell {
    pair: &'static Pair,
    server: &'static Server,
    protocol: &'static str,
    setup: &'static str,
}

/// Makes a test of each pair, and the list of all: a pair is in both or in none.
macro_rules! cells {
    ($($test:ident: $pair:expr, $server:expr, $protocol:literal, $setup:literal;)*) => {
        const CELLS: &[Cell] = &[
            $(Cell { pair: &$pair, server: $server, protocol: $protocol, setup: $setup }),*
        ];
        $(
            #[test]
            fn $test() {
                run(&$pair);
            }
        )*
    };
}

cells! {
    nginx_proxy_pass: nginx::PROXY_PASS, NGINX, "HTTP", "`proxy_pass`, kept connections";
    nginx_proxy_pass_1_0: nginx::PROXY_PASS_1_0, NGINX, "HTTP", "`proxy_pass` as it is by default: HTTP/1.0";
    nginx_proxy_pass_https: tls::NGINX, NGINX, "HTTP", "`proxy_pass https://`, within TLS";
    nginx_fastcgi_tcp: nginx::FASTCGI_TCP, NGINX, "FastCGI", "`fastcgi_pass` over TCP";
    nginx_fastcgi_tcp_kept: nginx::FASTCGI_TCP_KEPT, NGINX, "FastCGI", "over TCP, kept connections, below a path";
    nginx_fastcgi_unix: nginx::FASTCGI_UNIX, NGINX, "FastCGI", "over a Unix socket, below a path";
    nginx_fastcgi_unix_kept: nginx::FASTCGI_UNIX_KEPT, NGINX, "FastCGI", "over a Unix socket, kept connections";
    nginx_scgi_tcp: nginx::SCGI_TCP, NGINX, "SCGI", "`scgi_pass` over TCP";
    nginx_scgi_unix: nginx::SCGI_UNIX, NGINX, "SCGI", "over a Unix socket, below a path";
    nginx_uwsgi_tcp: nginx::UWSGI_TCP, NGINX, "uwsgi", "`uwsgi_pass` over TCP";
    nginx_uwsgi_unix: nginx::UWSGI_UNIX, NGINX, "uwsgi", "over a Unix socket, below a path";

    apache_proxy_http: apache::PROXY_HTTP, APACHE, "HTTP", "mod_proxy_http";
    apache_fcgid: apache::FCGID, APACHE, "FastCGI", "mod_fcgid, which starts the program";
    apache_proxy_fcgi: apache::PROXY_FCGI, APACHE, "FastCGI", "mod_proxy_fcgi, `ProxyPass`";
    apache_proxy_fcgi_handler: apache::PROXY_FCGI_HANDLER, APACHE, "FastCGI", "`SetHandler`, over a Unix socket";
    apache_proxy_scgi: apache::PROXY_SCGI, APACHE, "SCGI", "mod_proxy_scgi";
    apache_proxy_scgi_unix: apache::PROXY_SCGI_UNIX, APACHE, "SCGI", "over a Unix socket, below a path";
    apache_proxy_uwsgi: apache::PROXY_UWSGI, APACHE, "uwsgi", "mod_proxy_uwsgi";
    apache_proxy_uwsgi_unix: apache::PROXY_UWSGI_UNIX, APACHE, "uwsgi", "over a Unix socket, below a path";
    apache_proxy_ajp: apache::PROXY_AJP, APACHE, "AJP", "mod_proxy_ajp";
    apache_proxy_ajp_secret: apache::PROXY_AJP_SECRET, APACHE, "AJP", "a Unix socket, a secret, packets of 64 KiB";
    apache_cgid: apache::CGID, APACHE, "CGI", "mod_cgid";

    lighttpd_proxy: lighttpd::PROXY, LIGHTTPD, "HTTP", "mod_proxy";
    lighttpd_fastcgi: lighttpd::FASTCGI, LIGHTTPD, "FastCGI", "mod_fastcgi, a Unix socket";
    lighttpd_fastcgi_bin_path: lighttpd::FASTCGI_BIN_PATH, LIGHTTPD, "FastCGI", "mod_fastcgi with `bin-path`";
    lighttpd_scgi: lighttpd::SCGI, LIGHTTPD, "SCGI", "mod_scgi";
    lighttpd_uwsgi: lighttpd::UWSGI, LIGHTTPD, "uwsgi", "mod_scgi, a Unix socket, below a path";
    lighttpd_ajp: lighttpd::AJP, LIGHTTPD, "AJP", "mod_ajp13";
    lighttpd_cgi: lighttpd::CGI, LIGHTTPD, "CGI", "mod_cgi";

    haproxy_http: haproxy::HTTP, HAPROXY, "HTTP", "`server`";
    haproxy_http_send_proxy: haproxy::HTTP_SEND_PROXY, HAPROXY, "HTTP", "with `send-proxy-v2`";
    haproxy_fastcgi: haproxy::FASTCGI, HAPROXY, "FastCGI", "`fcgi-app`, a connection for each request";
    haproxy_fastcgi_kept: haproxy::FASTCGI_KEPT, HAPROXY, "FastCGI", "`mpxs-conns` with `get-values`, below a path";
    haproxy_fastcgi_multiplexed: haproxy::FASTCGI_MULTIPLEXED, HAPROXY, "FastCGI", "`mpxs-conns`, `max-reqs`";

    caddy_http: caddy::HTTP, CADDY, "HTTP", "`reverse_proxy`";
    caddy_fastcgi_tcp: caddy::FASTCGI_TCP, CADDY, "FastCGI", "`transport fastcgi` over TCP";
    caddy_fastcgi_unix: caddy::FASTCGI_UNIX, CADDY, "FastCGI", "over a Unix socket, below a path";
    caddy_php_fastcgi: caddy::PHP_FASTCGI, CADDY, "FastCGI", "`php_fastcgi`";

    uwsgi_http_router: uwsgi::HTTP_ROUTER, UWSGI, "uwsgi", "its HTTP router";
    spawn_fcgi: nginx::SPAWN_FCGI, SPAWN_FCGI, "FastCGI", "behind nginx, a Unix socket";
    fcgiwrap: nginx::FCGIWRAP, FCGIWRAP, "CGI", "behind nginx, a Unix socket";
    busybox_httpd: small::BUSYBOX, BUSYBOX, "CGI", "`httpd`";
    python_http_server: small::PYTHON, PYTHON, "CGI", "`http.server --cgi`";
    gateway_fastcgi: gateway::FASTCGI, GATEWAY, "FastCGI", "a Unix socket, below a path";
    gateway_fastcgi_at_root: gateway::FASTCGI_AT_ROOT, GATEWAY, "FastCGI", "over TCP";
    gateway_scgi: gateway::SCGI, GATEWAY, "SCGI", "over TCP, below a path";
    gateway_cgi: gateway::CGI, GATEWAY, "CGI", "a directory";
}

/// How many rows passed, by the names of the pairs that ran.
static PASSED: Mutex<BTreeMap<&str, usize>> = Mutex::new(BTreeMap::new());

/// Puts a pair through its rows; the last one writes the table, where that is asked for.
fn run(pair: &'static Pair) {
    let Some(outcome) = pair.outcome() else { return };
    if env::var_os("WGI_WRITE_MATRIX").is_some() && env::var_os("WGI_ROW").is_none() {
        let mut passed = PASSED.lock().unwrap_or_else(PoisonError::into_inner);
        passed.insert(pair.name, outcome.passed);
        if CELLS.iter().all(|cell| passed.contains_key(cell.pair.name)) {
            write(&passed).expect("the matrix can be written");
        }
    }
    outcome.assert(pair);
}

fn write(passed: &BTreeMap<&str, usize>) -> io::Result<()> {
    let mut versions = BTreeMap::new();
    for cell in CELLS {
        versions.entry(cell.server.0).or_insert_with(|| version(cell.server));
    }
    replace("README.md", &table(passed, &versions))?;
    replace("docs/matrix.md", &setups(passed, &versions))
}

/// The table of servers and protocols: for each set-up the rows that passed, of those that can.
fn table(passed: &BTreeMap<&str, usize>, versions: &BTreeMap<&str, String>) -> String {
    let mut text = format!("| | {} |\n|---{} |\n", PROTOCOLS.join(" | "), "| --- ".repeat(PROTOCOLS.len()));
    for server in servers() {
        let _ = write!(text, "| {} {} |", server.0, versions[server.0]);
        for protocol in PROTOCOLS {
            let of_both = CELLS.iter().filter(|cell| cell.server.0 == server.0 && cell.protocol == protocol);
            let rows: Vec<String> = of_both.map(|cell| rows(cell, passed)).collect();
            let _ = write!(text, " {} |", rows.join(", "));
        }
        text.push('\n');
    }
    text
}

/// Each set-up, and what cannot pass through it.
fn setups(passed: &BTreeMap<&str, usize>, versions: &BTreeMap<&str, String>) -> String {
    let mut text = String::new();
    for server in servers() {
        let _ = write!(text, "\n## {} {}\n\n", server.0, versions[server.0]);
        text.push_str("| protocol | set-up | rows |\n| --- | --- | --- |\n");
        let cells = || CELLS.iter().filter(|cell| cell.server.0 == server.0);
        for cell in cells() {
            let _ = writeln!(text, "| {} | {} | {} |", cell.protocol, cell.setup, rows(cell, passed));
        }
        text.push('\n');
        // In the order in which they first come up.
        let mut reasons: Vec<(&str, Vec<String>)> = Vec::new();
        for cell in cells() {
            let cannot = cell.pair.cannot.iter().map(|(row, reason)| (format!("`{row}`"), *reason));
            let lacks = cell.pair.lacks.iter().map(|(name, reason)| (format!("the variable `{name}`"), *reason));
            for (what, reason) in cannot.chain(lacks) {
                let what = format!("{what} ({})", cell.protocol);
                match reasons.iter_mut().find(|(known, _)| *known == reason) {
                    Some((_, all)) if all.contains(&what) => {}
                    Some((_, all)) => all.push(what),
                    None => reasons.push((reason, vec![what])),
                }
            }
        }
        for (reason, what) in reasons {
            let _ = writeln!(text, "- {}: {reason}.", what.join(", "));
        }
    }
    text.push('\n');
    text
}

fn rows(cell: &Cell, passed: &BTreeMap<&str, usize>) -> String {
    format!("{}/{}", passed[cell.pair.name], ROWS.len() - cell.pair.cannot.len())
}

/// Each server once, in the order of the cells.
fn servers() -> Vec<&'static Server> {
    let mut servers: Vec<&'static Server> = CELLS.iter().map(|cell| cell.server).collect();
    servers.dedup_by_key(|server| server.0);
    servers
}

/// The first number with a dot in what a server says of itself.
fn version(server: &Server) -> String {
    let Server(_, [program, arguments @ ..]) = server else { return env!("CARGO_PKG_VERSION").to_owned() };
    let Ok(output) = Command::new(find(program).unwrap_or_default()).args(arguments).output() else {
        return String::new();
    };
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    let mut numbers = said.split(|c: char| !c.is_ascii_digit() && c != '.').map(|number| number.trim_matches('.'));
    numbers.find(|number| number.contains('.')).unwrap_or_default().to_owned()
}

/// Replaces what stands between the marks of a file.
fn replace(file: &str, text: &str) -> io::Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
    let old = fs::read_to_string(&path)?;
    let [begin, end] = MARKS;
    let parts = old.split_once(begin).and_then(|(front, rest)| Some((front, rest.split_once(end)?.1)));
    let (front, behind) = parts.ok_or_else(|| io::Error::other(format!("{file} has no marks for the matrix")))?;
    fs::write(path, [front, begin, text, end, behind].concat())
}
