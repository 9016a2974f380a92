//! Balancers in front of three processes, configured by the very snippets of `docs/deployment.md`: what stands there
//! is what runs here, with other ports.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use crate::backends::Backend;
use crate::process::{Place, Process, USER, find, free_port, is_root};

const MANUAL: &str = include_str!("../../docs/deployment.md");

/// Where the snippets listen, and where they look for the three processes.
const FRONT: &str = "127.0.0.1:8000";
const BACKENDS: [&str; 3] = ["127.0.0.1:8081", "127.0.0.1:8082", "127.0.0.1:8083"];

/// A balancer that speaks a protocol to the probe.
pub(crate) struct Front {
    /// The name of its test.
    pub(crate) name: &'static str,
    pub(crate) protocol: &'static str,
    /// The program, to be found on the path.
    pub(crate) program: &'static str,
    /// It can tell a response that a process has left unfinished, without a Content-Length, from one that is whole.
    pub(crate) sees_cuts: bool,
    /// The first line of its snippet.
    snippet: &'static str,
    start: fn(&Place, SocketAddr, String) -> io::Result<Process>,
}

pub(crate) const HAPROXY_HTTP: Front = Front {
    name: "haproxy_http",
    protocol: "http",
    program: "haproxy",
    sees_cuts: true,
    snippet: "# HAProxy, over HTTP",
    start: haproxy,
};

pub(crate) const HAPROXY_FASTCGI: Front = Front {
    name: "haproxy_fastcgi",
    protocol: "fastcgi",
    program: "haproxy",
    sees_cuts: true,
    snippet: "# HAProxy, over FastCGI",
    start: haproxy,
};

pub(crate) const NGINX_HTTP: Front = Front {
    name: "nginx_http",
    protocol: "http",
    program: "nginx",
    sees_cuts: true,
    snippet: "# nginx, over HTTP",
    start: nginx,
};

/// For nginx the end of a FastCGI connection is the end of the response, where nothing says how long that is.
pub(crate) const NGINX_FASTCGI: Front = Front {
    name: "nginx_fastcgi",
    protocol: "fastcgi",
    program: "nginx",
    sees_cuts: false,
    snippet: "# nginx, over FastCGI",
    start: nginx,
};

pub(crate) const APACHE_AJP: Front = Front {
    name: "apache_ajp",
    protocol: "ajp",
    program: "apache2",
    sees_cuts: true,
    snippet: "# Apache, over AJP",
    start: apache,
};

impl Front {
    /// Starts it in front of `backends`, and gives its address.
    pub(crate) fn start(&self, place: &Place, backends: &[Backend]) -> io::Result<(Process, SocketAddr)> {
        let address = free_port()?;
        let mut config = snippet(self.snippet).replace(FRONT, &address.to_string());
        for (stands_for, backend) in BACKENDS.iter().zip(backends) {
            assert!(config.contains(stands_for), "{} does not name {stands_for}", self.snippet);
            config = config.replace(stands_for, &backend.address.to_string());
        }
        let mut process = (self.start)(place, address, config)?;
        process.await_tcp(address)?;
        Ok((process, address))
    }
}

/// The snippet of the manual that starts with that line.
fn snippet(first: &str) -> &'static str {
    let start = MANUAL.find(&format!("\n{first}\n")).unwrap_or_else(|| panic!("there is no snippet `{first}`"));
    let rest = &MANUAL[start + 1..];
    &rest[..rest.find("\n```").expect("a snippet ends") + 1]
}

fn haproxy(place: &Place, _: SocketAddr, config: String) -> io::Result<Process> {
    let config = place.write("haproxy.cfg", &config)?;
    Process::start(place, "haproxy", Command::new(find("haproxy").unwrap_or_default()).arg("-db").arg("-f").arg(config))
}

fn nginx(place: &Place, _: SocketAddr, config: String) -> io::Result<Process> {
    let folder = place.folder("nginx")?.display().to_string();
    let user = if is_root() { "user root;" } else { "" };
    let log = place.text("nginx-error.log");
    // Distributions have their parameters there; an `include` looks in the folder of the configuration.
    let config = config.replace("include fastcgi_params", "include /etc/nginx/fastcgi_params");
    let config = format!(
        "daemon off; worker_processes 1; {user}
        pid {folder}/nginx.pid; error_log {log} info;
        events {{ worker_connections 256; }}
        http {{
            access_log off;
            client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
            uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
            {config}
        }}
        "
    );
    let config = place.write("nginx.conf", &config)?;
    let mut command = Command::new(find("nginx").unwrap_or_default());
    command.arg("-e").arg(log).arg("-c").arg(config).arg("-p").arg(place.path(""));
    Process::start(place, "nginx", &mut command)
}

fn apache(place: &Place, address: SocketAddr, config: String) -> io::Result<Process> {
    const MODULES: &str = "/usr/lib/apache2/modules";
    let needed = [
        "mpm_event",
        "authz_core",
        "headers",
        "proxy",
        "proxy_ajp",
        "proxy_balancer",
        "proxy_hcheck",
        "slotmem_shm",
        "lbmethod_bybusyness",
        "watchdog",
    ];
    let loads: String = needed
        .iter()
        // What is missing is built in.
        .filter(|module| Path::new(&format!("{MODULES}/mod_{module}.so")).exists())
        .map(|module| format!("LoadModule {module}_module {MODULES}/mod_{module}.so\n"))
        .collect();
    let user = if is_root() { format!("User {USER}\nGroup {USER}") } else { String::new() };
    place.folder("run")?;
    let config = format!(
        "ServerRoot {root}
        ServerName localhost
        Listen {address}
        {loads}
        {user}
        PidFile {root}run/apache.pid
        DefaultRuntimeDir {root}run
        ErrorLog {root}apache-error.log
        StartServers 1
        ServerLimit 1
        ThreadsPerChild 32
        MaxRequestWorkers 32
        {config}
        ",
        root = place.text("")
    );
    let config = place.write("apache.conf", &config)?;
    let mut command = Command::new(find("apache2").unwrap_or_default());
    command.args(["-D", "FOREGROUND", "-f"]).arg(config);
    Process::start(place, "apache", &mut command)
}
