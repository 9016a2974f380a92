//! Apache: mod_cgid, mod_fcgid, and mod_proxy with FastCGI, SCGI, uwsgi and HTTP.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use crate::pair::{ITS_OWN_ADDRESS, NO_RESET, ONE_CALL, Pair, probe, probe_at_port, probe_at_socket};
use crate::process::{Place, Process, USER, find, is_root};

const MERGES_SLASHES: &str = "Apache looks for a file, and merges slashes on the way";
const IGNORES_STATUS: &str = "mod_cgid does not look at how a script ended";
const NO_LENGTH: &str = "CGI has no request body without a length (RFC 3875 §4.2), and Apache does not make one up";
const WRITES_FIRST: &str = "mod_fcgid reads nothing of a response before it has sent the whole request";
const APPENDS: &str = "mod_fcgid appends an error page of its own, and ends that in good order";
const PROCESSES: &str = "mod_fcgid shares the requests out among several processes";
const WANTS_LENGTH: &str = "Apache refuses a request without a length here";
const PROXY_WRITES_FIRST: &str = "Apache reads nothing of a response here before it has sent the whole request";
const TAKES_RESET_FOR_END: &str =
    "mod_proxy_uwsgi takes a reset for the end of a response, where it comes right behind a part of it";

/// Where distributions keep Apache's modules.
const MODULES: [&str; 4] =
    ["/usr/lib/apache2/modules", "/usr/lib64/httpd/modules", "/usr/lib/httpd/modules", "/usr/local/libexec/apache24"];

pub(crate) const CGID: Pair = Pair {
    name: "apache_cgid",
    needs: &["apache2"],
    prefix: "/cgi-bin/probe",
    cannot: &[
        ("upload_chunked", NO_LENGTH),
        ("error_later", IGNORES_STATUS),
        ("panic_later", IGNORES_STATUS),
        ("closes", ONE_CALL),
        ("path_double_slash", MERGES_SLASHES),
    ],
    lacks: &[],
    start: |place, address| {
        let folder = place.folder("cgi-bin")?;
        place.program("cgi-bin/probe")?;
        let config = format!(
            "ScriptSock {socket}
            ScriptAlias /cgi-bin/ {folder}/
            <Directory {folder}>
                Require all granted
            </Directory>",
            socket = place.text("cgid.socket"),
            folder = folder.display()
        );
        Ok(vec![apache(place, address, &["cgid", "alias"], &config)?])
    },
};

/// mod_fcgid starts the binary itself, with its listening socket as descriptor 0.
pub(crate) const FCGID: Pair = Pair {
    name: "apache_fcgid",
    needs: &["apache2", "/usr/lib/apache2/modules/mod_fcgid.so"],
    prefix: "/app",
    cannot: &[
        ("echo_large", WRITES_FIRST),
        ("error_later", APPENDS),
        ("panic_later", APPENDS),
        ("closes", PROCESSES),
        ("path_double_slash", MERGES_SLASHES),
    ],
    lacks: &[],
    start: |place, address| {
        let folder = place.folder("fcgid")?;
        place.program("fcgid/probe")?;
        place.folder("ipc")?;
        let config = format!(
            "FcgidIPCDir {ipc}
            FcgidProcessTableFile {ipc}/table
            FcgidOutputBufferSize 0
            FcgidMaxRequestLen 67108864
            FcgidMaxProcessesPerClass 8
            FcgidSpawnScoreUpLimit 100
            FcgidSpawnScore 0
            FcgidTerminationScore 0
            Alias /app {folder}/probe
            <Directory {folder}>
                SetHandler fcgid-script
                Options +ExecCGI
                Require all granted
            </Directory>",
            ipc = place.text("ipc"),
            folder = folder.display()
        );
        Ok(vec![apache(place, address, &["fcgid", "alias"], &config)?])
    },
};

pub(crate) const PROXY_FCGI: Pair = Pair {
    name: "apache_proxy_fcgi",
    needs: &["apache2"],
    prefix: "",
    cannot: &[],
    lacks: &[],
    start: |place, address| {
        let (probe, port) = probe_at_port(place, "--fastcgi")?;
        let config = format!("ProxyPass / fcgi://{port}/ enablereuse=on flushpackets=on");
        Ok(vec![apache(place, address, &["proxy", "proxy_fcgi"], &config)?, probe])
    },
};

/// As PHP is usually set up: a handler for a file, over a Unix socket.
pub(crate) const PROXY_FCGI_HANDLER: Pair = Pair {
    name: "apache_proxy_fcgi_handler",
    needs: &["apache2"],
    prefix: "/app",
    cannot: &[("path_double_slash", MERGES_SLASHES)],
    lacks: &[],
    start: |place, address| {
        let (probe, socket) = probe_at_socket(place, "--fastcgi")?;
        let folder = place.folder("handled")?;
        place.write("handled/probe", "")?;
        let config = format!(
            "Alias /app {folder}/probe
            ProxyFCGIBackendType GENERIC
            <Proxy \"fcgi://probe/\" enablereuse=off flushpackets=on>
            </Proxy>
            <Directory {folder}>
                SetHandler \"proxy:unix:{socket}|fcgi://probe/\"
                Require all granted
            </Directory>",
            folder = folder.display()
        );
        Ok(vec![apache(place, address, &["alias", "proxy", "proxy_fcgi"], &config)?, probe])
    },
};

pub(crate) const PROXY_SCGI: Pair = Pair {
    name: "apache_proxy_scgi",
    needs: &["apache2"],
    prefix: "",
    cannot: &[("upload_chunked", WANTS_LENGTH), ("echo_large", PROXY_WRITES_FIRST)],
    lacks: &[],
    start: |place, address| {
        let (probe, port) = probe_at_port(place, "--scgi")?;
        let config = format!("ProxyPass / scgi://{port}/ flushpackets=on");
        Ok(vec![apache(place, address, &["proxy", "proxy_scgi"], &config)?, probe])
    },
};

pub(crate) const PROXY_SCGI_UNIX: Pair = Pair {
    name: "apache_proxy_scgi_unix",
    needs: &["apache2"],
    prefix: "/app",
    cannot: &[
        ("upload_chunked", WANTS_LENGTH),
        ("echo_large", PROXY_WRITES_FIRST),
        ("error_later", NO_RESET),
        ("panic_later", NO_RESET),
    ],
    lacks: &[],
    start: |place, address| {
        let (probe, socket) = probe_at_socket(place, "--scgi")?;
        let config = format!("ProxyPass /app/ unix:{socket}|scgi://localhost/ flushpackets=on");
        Ok(vec![apache(place, address, &["proxy", "proxy_scgi"], &config)?, probe])
    },
};

pub(crate) const PROXY_UWSGI: Pair = Pair {
    name: "apache_proxy_uwsgi",
    needs: &["apache2"],
    prefix: "",
    cannot: &[
        ("upload_chunked", WANTS_LENGTH),
        ("echo_large", PROXY_WRITES_FIRST),
        ("error_later", TAKES_RESET_FOR_END),
        ("panic_later", TAKES_RESET_FOR_END),
    ],
    lacks: &[],
    start: |place, address| {
        let (probe, port) = probe_at_port(place, "--uwsgi")?;
        let config = format!("ProxyPass / uwsgi://{port}/ flushpackets=on");
        Ok(vec![apache(place, address, &["proxy", "proxy_uwsgi"], &config)?, probe])
    },
};

pub(crate) const PROXY_UWSGI_UNIX: Pair = Pair {
    name: "apache_proxy_uwsgi_unix",
    needs: &["apache2"],
    prefix: "/app",
    cannot: &[
        ("upload_chunked", WANTS_LENGTH),
        ("echo_large", PROXY_WRITES_FIRST),
        ("error_later", NO_RESET),
        ("panic_later", NO_RESET),
    ],
    lacks: &[],
    start: |place, address| {
        let (probe, socket) = probe_at_socket(place, "--uwsgi")?;
        let config = format!("ProxyPass /app/ unix:{socket}|uwsgi://localhost/ flushpackets=on");
        Ok(vec![apache(place, address, &["proxy", "proxy_uwsgi"], &config)?, probe])
    },
};

pub(crate) const PROXY_HTTP: Pair = Pair {
    name: "apache_proxy_http",
    needs: &["apache2"],
    prefix: "",
    cannot: &[],
    lacks: &[("REMOTE_ADDR", ITS_OWN_ADDRESS)],
    start: |place, address| {
        let (probe, port) = probe_at_port(place, "--http")?;
        let config = format!("ProxyPreserveHost On\nProxyPass / http://{port}/ nocanon flushpackets=on");
        Ok(vec![apache(place, address, &["proxy", "proxy_http"], &config)?, probe])
    },
};

/// Kept connections, each asked by CPING whether somebody is there.
pub(crate) const PROXY_AJP: Pair = Pair {
    name: "apache_proxy_ajp",
    needs: &["apache2"],
    prefix: "",
    cannot: &[],
    lacks: &[],
    start: |place, address| {
        let (probe, port) = probe_at_port(place, "--ajp")?;
        let config = format!("ProxyPass / ajp://{port}/ ping=5");
        Ok(vec![apache(place, address, &["proxy", "proxy_ajp"], &config)?, probe])
    },
};

/// Below a path, with a secret, packets of 64 KiB, and over a Unix socket.
pub(crate) const PROXY_AJP_SECRET: Pair = Pair {
    name: "apache_proxy_ajp_secret",
    needs: &["apache2"],
    prefix: "/app",
    cannot: &[],
    lacks: &[],
    start: |place, address| {
        let secret = place.write("secret", "open sesame\n")?.display().to_string();
        let socket = place.path("probe.socket");
        let at = format!("unix:{}", socket.display());
        let arguments = ["--ajp", &at, "--socket-mode", "666", "--ajp-secret-file", &secret];
        let more = ["--ajp-packet-size", "64K", "--script-name", "/app"];
        let mut probe = probe(place, "probe", &[&arguments[..], &more].concat())?;
        probe.await_unix(&socket)?;
        let config = format!(
            "ProxyIOBufferSize 65536
            ProxyPass \"/app\" \"{at}|ajp://localhost/app\" nocanon \"secret=open sesame\""
        );
        Ok(vec![apache(place, address, &["proxy", "proxy_ajp"], &config)?, probe])
    },
};

pub(crate) fn apache(place: &Place, address: SocketAddr, modules: &[&str], config: &str) -> io::Result<Process> {
    let folder = MODULES.iter().find(|folder| Path::new(folder).is_dir()).ok_or(io::ErrorKind::NotFound)?;
    let loads: String = ["mpm_event", "authz_core"]
        .iter()
        .chain(modules)
        .filter(|module| Path::new(&format!("{folder}/mod_{module}.so")).exists())
        .map(|module| format!("LoadModule {module}_module {folder}/mod_{module}.so\n"))
        .collect();
    let user = if is_root() { format!("User {USER}\nGroup {USER}") } else { String::new() };
    place.folder("htdocs")?;
    place.folder("run")?;
    let config = format!(
        "ServerRoot {root}
        ServerName localhost
        Listen {address}
        {loads}
        {user}
        PidFile {root}run/apache.pid
        DefaultRuntimeDir {root}run
        ErrorLog {log}
        DocumentRoot {root}htdocs
        AllowEncodedSlashes On
        MergeSlashes Off
        LimitRequestBody 67108864
        StartServers 1
        ServerLimit 1
        ThreadsPerChild 16
        MaxRequestWorkers 16
        {config}
        ",
        root = place.text(""),
        log = place.text("apache-error.log")
    );
    let config = place.write("apache.conf", &config)?;
    let mut command = Command::new(find("apache2").unwrap_or_default());
    command.args(["-D", "FOREGROUND", "-f"]).arg(config);
    Process::start(place, "apache", &mut command)
}
