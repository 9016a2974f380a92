//! Proxies that say for whom they connect, with a header of the PROXY protocol: HAProxy, nginx and curl.
//!
//! The client comes from 127.0.0.2 and the proxy from 127.0.0.1, which is the only one that may say so.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use serde_json::{Map, Value};

use crate::host::{eventually, request, text};
use crate::pair::probe;
use crate::process::{Place, Process, find, free_port, output, skipped};

pub(crate) const TIMEOUTS: &str = "timeout connect 10s\ntimeout client 60s\ntimeout server 60s";

/// Where nginx has its modules.
const NGINX_STREAM: &str = "/usr/lib/nginx/modules/ngx_stream_module.so";

pub(crate) fn is_missing(test: &str, needed: &[&str]) -> bool {
    let missing = needed.iter().find(|needed| !Path::new(needed).exists() && find(needed).is_none());
    if let Some(missing) = missing {
        skipped(test, &format!("there is no {missing} here"));
    }
    missing.is_some()
}

/// The probe, for proxies at 127.0.0.1.
fn start_probe(place: &Place, protocol: &str) -> io::Result<(Process, SocketAddr)> {
    place.program("probe")?;
    let arguments = [protocol, "127.0.0.1:0", "--proxy-protocol-from", "127.0.0.1"];
    let mut process = probe(place, "probe", &arguments)?;
    let address = process.await_address()?;
    Ok((process, address))
}

/// Starts a proxy in front of the probe, at a port that may be taken just when it asks for it.
pub(crate) fn start_proxy(start: impl Fn(SocketAddr) -> io::Result<Process>) -> (Process, SocketAddr) {
    let mut last = String::new();
    for _ in 0..5 {
        let address = free_port().unwrap();
        let started = start(address).and_then(|mut process| process.await_tcp(address).map(|()| process));
        match started {
            Ok(process) => return (process, address),
            Err(error) => last = error.to_string(),
        }
    }
    panic!("the proxy does not start: {last}");
}

pub(crate) fn haproxy(place: &Place, name: &str, configuration: &str) -> io::Result<Process> {
    let file = place.write(&format!("{name}.cfg"), configuration)?;
    Process::start(place, name, Command::new(find("haproxy").unwrap_or_default()).arg("-db").arg("-f").arg(file))
}

/// Asks as curl does from 127.0.0.2, with these arguments too; gives what curl says it connected from, and the answer.
pub(crate) fn ask(address: SocketAddr, arguments: &[&str]) -> io::Result<(String, String)> {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--max-time", "60", "--noproxy", "*", "--interface", "127.0.0.2"]);
    command.args(["--write-out", "\n%{local_ip} %{local_port}"]).args(arguments);
    let output = output(command.arg(format!("http://{address}/environ")), b"")?;
    let output = String::from_utf8_lossy(&output).into_owned();
    let (answer, client) = output.rsplit_once('\n').unwrap_or_default();
    Ok((client.to_owned(), answer.to_owned()))
}

pub(crate) fn environ(answer: &str) -> Map<String, Value> {
    serde_json::from_str(answer).unwrap_or_else(|error| panic!("{error} in {answer}"))
}

/// The application sees the client and the address that it came to, and of the proxy nothing.
#[track_caller]
fn tells_the_client(address: SocketAddr) {
    let (client, answer) = ask(address, &[]).unwrap();
    let environ = environ(&answer);
    assert_eq!(format!("{} {}", text(&environ, "REMOTE_ADDR"), text(&environ, "REMOTE_PORT")), client);
    assert!(client.starts_with("127.0.0.2 "), "{client}");
    let local = format!("{}:{}", text(&environ, "SERVER_ADDR"), text(&environ, "SERVER_PORT"));
    assert_eq!(local, address.to_string());
}

#[test]
fn haproxy_send_proxy() {
    if is_missing("haproxy_send_proxy", &["haproxy", "curl"]) {
        return;
    }
    let place = Place::new().unwrap();
    let (_probe, port) = start_probe(&place, "--http").unwrap();
    for (mode, option) in [
        ("tcp", "send-proxy"),
        ("http", "send-proxy"),
        ("tcp", "send-proxy-v2"),
        ("http", "send-proxy-v2"),
        ("tcp", "send-proxy-v2 proxy-v2-options crc32c,unique-id,authority"),
        ("tcp", "send-proxy-v2-ssl-cn"),
    ] {
        let (_proxy, address) = start_proxy(|address| {
            let unique = if option.contains("unique-id") { "unique-id-format %[uuid()]" } else { "" };
            let configuration = format!(
                "defaults\nmode {mode}\n{TIMEOUTS}\nfrontend front\nbind {address}\n{unique}\ndefault_backend probe\n\
                 backend probe\nserver probe {port} {option}\n"
            );
            haproxy(&place, "haproxy", &configuration)
        });
        tells_the_client(address);
    }
}

/// Its own connections, with which it looks whether the server is there, it makes for itself.
#[test]
fn haproxy_checks_health() {
    if is_missing("haproxy_checks_health", &["haproxy"]) {
        return;
    }
    for option in ["send-proxy", "send-proxy-v2"] {
        let place = Place::new().unwrap();
        let (_probe, port) = start_probe(&place, "--http").unwrap();
        let (_proxy, address) = start_proxy(|address| {
            let configuration = format!(
                "defaults\nmode http\n{TIMEOUTS}\nfrontend front\nbind {address}\ndefault_backend probe\n\
                 backend probe\noption httpchk GET /\nserver probe {port} {option} check inter 100ms\n"
            );
            haproxy(&place, "haproxy", &configuration)
        });
        // Each answer to a check is a body that was opened.
        let is_checked = eventually(|| {
            let closes = request(address, "GET", "/closes", "", b"")?;
            let counts: Value = serde_json::from_slice(&closes.body).unwrap_or_default();
            Ok(counts["opened"].as_u64() >= Some(3))
        });
        assert!(is_checked.unwrap(), "{option}: no check was answered\n{}", place.logs());
    }
}

#[test]
fn haproxy_send_proxy_fastcgi() {
    if is_missing("haproxy_send_proxy_fastcgi", &["haproxy", "curl"]) {
        return;
    }
    let place = Place::new().unwrap();
    let (_probe, port) = start_probe(&place, "--fastcgi").unwrap();
    let (_proxy, address) = start_proxy(|address| {
        let configuration = format!(
            "defaults\nmode http\n{TIMEOUTS}\nfrontend front\nbind {address}\ndefault_backend probe\n\
             fcgi-app app\ndocroot /\nbackend probe\nuse-fcgi-app app\n\
             server probe {port} proto fcgi send-proxy-v2\n"
        );
        haproxy(&place, "haproxy", &configuration)
    });
    let (client, answer) = ask(address, &[]).unwrap();
    assert_eq!(text(&environ(&answer), "REMOTE_ADDR"), client.split(' ').next().unwrap());
}

#[test]
fn nginx_stream_proxy_protocol() {
    if is_missing("nginx_stream_proxy_protocol", &["nginx", NGINX_STREAM, "curl"]) {
        return;
    }
    let place = Place::new().unwrap();
    let (_probe, port) = start_probe(&place, "--http").unwrap();
    let (_proxy, address) = start_proxy(|address| {
        let configuration = format!(
            "load_module {NGINX_STREAM};\ndaemon off;\npid {};\nerror_log {} info;\nevents {{}}\n\
             stream {{ server {{ listen {address}; proxy_pass {port}; proxy_protocol on; }} }}\n",
            place.text("nginx.pid"),
            place.text("error.log"),
        );
        let file = place.write("nginx.conf", &configuration)?;
        let mut command = Command::new(find("nginx").unwrap_or_default());
        Process::start(&place, "nginx", command.arg("-p").arg(place.path("")).arg("-c").arg(file))
    });
    tells_the_client(address);
}

#[test]
fn curl_haproxy_protocol() {
    if is_missing("curl_haproxy_protocol", &["curl"]) {
        return;
    }
    let place = Place::new().unwrap();
    let (_probe, port) = start_probe(&place, "--http").unwrap();
    // The last `--interface` counts.
    let (client, answer) = ask(port, &["--interface", "127.0.0.1", "--haproxy-protocol"]).unwrap();
    let environ = environ(&answer);
    assert_eq!(format!("{} {}", text(&environ, "REMOTE_ADDR"), text(&environ, "REMOTE_PORT")), client);
    // Who may not say so is not asked, and who has to and does not is closed.
    let (_, answer) = ask(port, &["--haproxy-protocol"]).unwrap();
    assert!(answer.starts_with("400 Bad Request"), "{answer}");
    assert!(ask(port, &["--interface", "127.0.0.1"]).is_err());
    assert!(ask(port, &[]).unwrap().1.contains("\"127.0.0.2\""));
    let log = std::fs::read_to_string(place.path("probe.log")).unwrap();
    let told = log.lines().filter(|line| line.contains("127.0.0.1 has to send a header of the PROXY protocol"));
    assert_eq!(told.count(), 1, "{log}");
}
