//! nginx: `proxy_pass`, `fastcgi_pass`, `scgi_pass` and `uwsgi_pass`, and what stands behind its FastCGI only.

use std::io;
use std::net::SocketAddr;
use std::process::Command;

use crate::pair::{ITS_OWN_ADDRESS, NO_RESET, ONE_CALL, Pair, probe_at_port, probe_at_socket, probe_at_socket_with};
use crate::process::{Place, Process, find, is_root};

/// ngx_http_upstream.c, `preserve_output`: only proxy_pass and grpc_pass go on sending behind the head of a response.
const STOPS_SENDING: &str = "nginx sends a FastCGI program no more of the request once its response has begun";
const COLLECTS: &str = "nginx collects a response before it passes it on, unless proxy_buffering is off";
const WANTS_LENGTH: &str = "fcgiwrap takes no request body without a length";
const WRAP_COLLECTS: &str = "fcgiwrap leaves what it reads in libfcgi's buffer until that is full";
const WRAP_IGNORES_STATUS: &str = "fcgiwrap does not pass on that a script failed";

/// The parameters that Debian's nginx ships as `fastcgi_params`: with them SCRIPT_NAME is the whole path, and there is
/// no PATH_INFO.
const SHIPPED_PARAMS: &str = "
    fastcgi_param QUERY_STRING $query_string;
    fastcgi_param REQUEST_METHOD $request_method;
    fastcgi_param CONTENT_TYPE $content_type;
    fastcgi_param CONTENT_LENGTH $content_length;
    fastcgi_param SCRIPT_NAME $fastcgi_script_name;
    fastcgi_param REQUEST_URI $request_uri;
    fastcgi_param DOCUMENT_URI $document_uri;
    fastcgi_param DOCUMENT_ROOT $document_root;
    fastcgi_param SERVER_PROTOCOL $server_protocol;
    fastcgi_param REQUEST_SCHEME $scheme;
    fastcgi_param HTTPS $https if_not_empty;
    fastcgi_param GATEWAY_INTERFACE CGI/1.1;
    fastcgi_param SERVER_SOFTWARE nginx/$nginx_version;
    fastcgi_param REMOTE_ADDR $remote_addr;
    fastcgi_param REMOTE_PORT $remote_port;
    fastcgi_param SERVER_ADDR $server_addr;
    fastcgi_param SERVER_PORT $server_port;
    fastcgi_param SERVER_NAME $server_name;
    fastcgi_param REDIRECT_STATUS 200;
";

/// What a deployment with a prefix adds: the split into SCRIPT_NAME and PATH_INFO.
const SPLIT_PARAMS: &str = "
    fastcgi_split_path_info ^(/app)(.*)$;
    fastcgi_param SCRIPT_NAME $fastcgi_script_name;
    fastcgi_param PATH_INFO $fastcgi_path_info;
";

/// A piece passes as soon as it is there.
const UNBUFFERED: &str = "fastcgi_buffering off; fastcgi_request_buffering off;";

pub(crate) const PROXY_PASS: Pair = Pair {
    name: "nginx_proxy_pass",
    needs: &["nginx"],
    prefix: "",
    cannot: &[],
    lacks: &[("REMOTE_ADDR", ITS_OWN_ADDRESS)],
    start: |place, address| {
        let (probe, port) = probe_at_port(place, "--http")?;
        let upstream = format!("upstream probe {{ server {port}; keepalive 4; }}");
        let location = "location / {
            proxy_pass http://probe;
            proxy_http_version 1.1;
            proxy_set_header Connection '';
            proxy_set_header Host $http_host;
            proxy_buffering off;
            proxy_request_buffering off;
        }";
        Ok(vec![nginx(place, address, &upstream, location)?, probe])
    },
};

/// As nginx does it unless it is told otherwise: HTTP/1.0, buffers, a connection for each request.
pub(crate) const PROXY_PASS_1_0: Pair = Pair {
    name: "nginx_proxy_pass_1_0",
    needs: &["nginx"],
    prefix: "",
    cannot: &[("drip", COLLECTS), ("async", COLLECTS)],
    lacks: &[("REMOTE_ADDR", ITS_OWN_ADDRESS), ("SERVER_PROTOCOL", "it speaks HTTP/1.0, whatever the client spoke")],
    start: |place, address| {
        let (probe, port) = probe_at_port(place, "--http")?;
        let location = format!("location / {{ proxy_pass http://{port}; proxy_set_header Host $http_host; }}");
        Ok(vec![nginx(place, address, "", &location)?, probe])
    },
};

pub(crate) const FASTCGI_TCP: Pair = Pair {
    name: "nginx_fastcgi_tcp",
    needs: &["nginx"],
    prefix: "",
    cannot: &[("echo_large", STOPS_SENDING)],
    lacks: &[],
    start: |place, address| {
        let (probe, port) = probe_at_port(place, "--fastcgi")?;
        let location = format!("location / {{ fastcgi_pass {port}; {UNBUFFERED} {SHIPPED_PARAMS} }}");
        Ok(vec![nginx(place, address, "", &location)?, probe])
    },
};

pub(crate) const FASTCGI_TCP_KEPT: Pair = Pair {
    name: "nginx_fastcgi_tcp_kept",
    needs: &["nginx"],
    prefix: "/app",
    cannot: &[("echo_large", STOPS_SENDING)],
    lacks: &[],
    start: |place, address| {
        let (probe, port) = probe_at_port(place, "--fastcgi")?;
        let upstream = format!("upstream probe {{ server {port}; keepalive 4; }}");
        let params = SHIPPED_PARAMS.replace("fastcgi_param SCRIPT_NAME $fastcgi_script_name;", SPLIT_PARAMS);
        let location = format!("location /app {{ fastcgi_pass probe; fastcgi_keep_conn on; {UNBUFFERED} {params} }}");
        Ok(vec![nginx(place, address, &upstream, &location)?, probe])
    },
};

pub(crate) const FASTCGI_UNIX: Pair = Pair {
    name: "nginx_fastcgi_unix",
    needs: &["nginx"],
    prefix: "/app",
    cannot: &[("echo_large", STOPS_SENDING)],
    lacks: &[],
    start: |place, address| {
        let (probe, socket) = probe_at_socket(place, "--fastcgi")?;
        let params = SHIPPED_PARAMS.replace("fastcgi_param SCRIPT_NAME $fastcgi_script_name;", SPLIT_PARAMS);
        let location = format!("location /app {{ fastcgi_pass unix:{socket}; {UNBUFFERED} {params} }}");
        Ok(vec![nginx(place, address, "", &location)?, probe])
    },
};

pub(crate) const FASTCGI_UNIX_KEPT: Pair = Pair {
    name: "nginx_fastcgi_unix_kept",
    needs: &["nginx"],
    prefix: "",
    cannot: &[("echo_large", STOPS_SENDING)],
    lacks: &[],
    start: |place, address| {
        let (probe, socket) = probe_at_socket(place, "--fastcgi")?;
        let upstream = format!("upstream probe {{ server unix:{socket}; keepalive 4; }}");
        let location =
            format!("location / {{ fastcgi_pass probe; fastcgi_keep_conn on; {UNBUFFERED} {SHIPPED_PARAMS} }}");
        Ok(vec![nginx(place, address, &upstream, &location)?, probe])
    },
};

/// `spawn-fcgi` opens the socket, and starts the probe with it as descriptor 0.
pub(crate) const SPAWN_FCGI: Pair = Pair {
    name: "spawn_fcgi",
    needs: &["nginx", "spawn-fcgi"],
    prefix: "",
    cannot: &[("echo_large", STOPS_SENDING)],
    lacks: &[],
    start: |place, address| {
        let socket = place.path("spawned.socket");
        let mut command = Command::new(find("spawn-fcgi").unwrap_or_default());
        command.arg("-n").arg("-s").arg(&socket).args(["-M", "0666", "--"]).arg(place.path("probe"));
        let mut spawned = Process::start(place, "spawn-fcgi", &mut command)?;
        spawned.await_unix(&socket)?;
        let location =
            format!("location / {{ fastcgi_pass unix:{}; {UNBUFFERED} {SHIPPED_PARAMS} }}", socket.display());
        Ok(vec![nginx(place, address, "", &location)?, spawned])
    },
};

/// `fcgiwrap` speaks FastCGI to nginx, and starts the probe as a CGI program for each request.
pub(crate) const FCGIWRAP: Pair = Pair {
    name: "fcgiwrap",
    needs: &["nginx", "fcgiwrap"],
    prefix: "/app",
    cannot: &[
        ("drip", WRAP_COLLECTS),
        ("async", WRAP_COLLECTS),
        ("upload_chunked", WANTS_LENGTH),
        ("error_later", WRAP_IGNORES_STATUS),
        ("panic_later", WRAP_IGNORES_STATUS),
        ("closes", ONE_CALL),
        ("echo_large", STOPS_SENDING),
    ],
    lacks: &[],
    start: |place, address| {
        let socket = place.path("wrap.socket");
        let mut command = Command::new(find("fcgiwrap").unwrap_or_default());
        command.args(["-c", "2", "-s", &format!("unix:{}", socket.display())]);
        let mut wrap = Process::start(place, "fcgiwrap", &mut command)?;
        wrap.await_unix(&socket)?;
        let params = SHIPPED_PARAMS.replace("fastcgi_param SCRIPT_NAME $fastcgi_script_name;", SPLIT_PARAMS);
        let location = format!(
            "location /app {{ fastcgi_pass unix:{}; {UNBUFFERED} {params} fastcgi_param SCRIPT_FILENAME {}; }}",
            socket.display(),
            place.text("probe")
        );
        Ok(vec![nginx(place, address, "", &location)?, wrap])
    },
};

/// The parameters that nginx ships as `scgi_params`: neither SCRIPT_NAME nor PATH_INFO is among them.
const SCGI_PARAMS: &str = "
    scgi_param REQUEST_METHOD $request_method;
    scgi_param REQUEST_URI $request_uri;
    scgi_param QUERY_STRING $query_string;
    scgi_param CONTENT_TYPE $content_type;
    scgi_param DOCUMENT_URI $document_uri;
    scgi_param DOCUMENT_ROOT $document_root;
    scgi_param SCGI 1;
    scgi_param SERVER_PROTOCOL $server_protocol;
    scgi_param REQUEST_SCHEME $scheme;
    scgi_param HTTPS $https if_not_empty;
    scgi_param REMOTE_ADDR $remote_addr;
    scgi_param REMOTE_PORT $remote_port;
    scgi_param SERVER_PORT $server_port;
    scgi_param SERVER_NAME $server_name;
";

/// The parameters that nginx ships as `uwsgi_params`: PATH_INFO is the whole path, and there is no SCRIPT_NAME.
const UWSGI_PARAMS: &str = "
    uwsgi_param QUERY_STRING $query_string;
    uwsgi_param REQUEST_METHOD $request_method;
    uwsgi_param CONTENT_TYPE $content_type;
    uwsgi_param CONTENT_LENGTH $content_length;
    uwsgi_param REQUEST_URI $request_uri;
    uwsgi_param PATH_INFO $document_uri;
    uwsgi_param DOCUMENT_ROOT $document_root;
    uwsgi_param SERVER_PROTOCOL $server_protocol;
    uwsgi_param REQUEST_SCHEME $scheme;
    uwsgi_param HTTPS $https if_not_empty;
    uwsgi_param REMOTE_ADDR $remote_addr;
    uwsgi_param REMOTE_PORT $remote_port;
    uwsgi_param SERVER_PORT $server_port;
    uwsgi_param SERVER_NAME $server_name;
";

/// A piece passes as soon as it is there; but not of a request, whose length nginx would say wrong.
const SCGI_UNBUFFERED: &str = "scgi_buffering off;";
const UWSGI_UNBUFFERED: &str = "uwsgi_buffering off; uwsgi_request_buffering off;";

pub(crate) const SCGI_TCP: Pair = Pair {
    name: "nginx_scgi_tcp",
    needs: &["nginx"],
    prefix: "",
    cannot: &[("echo_large", STOPS_SENDING)],
    lacks: &[],
    start: |place, address| {
        let (probe, port) = probe_at_port(place, "--scgi")?;
        let location = format!("location / {{ scgi_pass {port}; {SCGI_UNBUFFERED} {SCGI_PARAMS} }}");
        Ok(vec![nginx(place, address, "", &location)?, probe])
    },
};

/// nginx is told where to split, by the parts of a regular expression.
pub(crate) const SCGI_UNIX: Pair = Pair {
    name: "nginx_scgi_unix",
    needs: &["nginx"],
    prefix: "/app",
    cannot: &[("echo_large", STOPS_SENDING), ("error_later", NO_RESET), ("panic_later", NO_RESET)],
    lacks: &[],
    start: |place, address| {
        let (probe, socket) = probe_at_socket(place, "--scgi")?;
        let location = format!(
            "location ~ ^(/app)(/.*)?$ {{
                scgi_pass unix:{socket}; {SCGI_UNBUFFERED} {SCGI_PARAMS}
                scgi_param SCRIPT_NAME $1;
                scgi_param PATH_INFO $2;
            }}"
        );
        Ok(vec![nginx(place, address, "", &location)?, probe])
    },
};

pub(crate) const UWSGI_TCP: Pair = Pair {
    name: "nginx_uwsgi_tcp",
    needs: &["nginx"],
    prefix: "",
    cannot: &[("echo_large", STOPS_SENDING)],
    lacks: &[],
    start: |place, address| {
        let (probe, port) = probe_at_port(place, "--uwsgi")?;
        let location = format!("location / {{ uwsgi_pass {port}; {UWSGI_UNBUFFERED} {UWSGI_PARAMS} }}");
        Ok(vec![nginx(place, address, "", &location)?, probe])
    },
};

/// It is the probe that is told where it is mounted.
pub(crate) const UWSGI_UNIX: Pair = Pair {
    name: "nginx_uwsgi_unix",
    needs: &["nginx"],
    prefix: "/app",
    cannot: &[("echo_large", STOPS_SENDING), ("error_later", NO_RESET), ("panic_later", NO_RESET)],
    lacks: &[],
    start: |place, address| {
        let (probe, socket) = probe_at_socket_with(place, "--uwsgi", &["--script-name", "/app"])?;
        let location = format!("location /app {{ uwsgi_pass unix:{socket}; {UWSGI_UNBUFFERED} {UWSGI_PARAMS} }}");
        Ok(vec![nginx(place, address, "", &location)?, probe])
    },
};

/// Starts nginx with a FastCGI program mounted at `/app`.
pub(crate) fn below_app(place: &Place, address: SocketAddr, backend: &str) -> io::Result<Process> {
    let params = SHIPPED_PARAMS.replace("fastcgi_param SCRIPT_NAME $fastcgi_script_name;", SPLIT_PARAMS);
    nginx(place, address, "", &format!("location /app {{ fastcgi_pass {backend}; {params} }}"))
}

/// Starts nginx with an upstream and a location.
pub(crate) fn nginx(place: &Place, address: SocketAddr, upstream: &str, location: &str) -> io::Result<Process> {
    let folder = place.folder("nginx")?.display().to_string();
    let user = if is_root() { "user root;" } else { "" };
    let config = format!(
        "daemon off; worker_processes 1; {user}
        pid {folder}/nginx.pid; error_log {log} info;
        events {{ worker_connections 256; }}
        http {{
            access_log off;
            client_max_body_size 64m;
            client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
            uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
            {upstream}
            server {{ listen {address}; server_name localhost; merge_slashes off; {location} }}
        }}
        ",
        log = place.text("nginx-error.log")
    );
    let config = place.write("nginx.conf", &config)?;
    let mut command = Command::new(find("nginx").unwrap_or_default());
    command.arg("-e").arg(place.path("nginx-error.log")).arg("-c").arg(config).arg("-p").arg(place.path(""));
    Process::start(place, "nginx", &mut command)
}
