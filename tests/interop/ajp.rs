//! What AJP alone has, through the real web servers: kept connections, secrets, packets larger than usual, who the
//! client is, and what TLS it came with.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use serde_json::{Map, Value};

use crate::apache::apache;
use crate::checks::{is_uploaded, pattern, upload, upload_chunked, upload_unread};
use crate::host::{Check, ensure, equal, status_is, text};
use crate::lighttpd::lighttpd;
use crate::pair::{Pair, Running, probe, probe_at_port};
use crate::process::{Place, output};

/// Starts a pair and checks something of it.
#[track_caller]
fn with(pair: &Pair, check: impl FnOnce(&Running) -> Check) {
    let Some(running) = pair.start() else { return };
    if let Err(what) = check(&running) {
        panic!("{}: {what}\n{}", pair.name, running.place.logs());
    }
}

/// A key and a certificate of its own, in one file.
fn certificate(place: &Place) -> io::Result<String> {
    let (key, certificate) = (place.text("key.pem"), place.text("certificate.pem"));
    let mut command = Command::new("openssl");
    command.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]);
    output(command.args(["-keyout", &key, "-out", &certificate]), b"")?;
    let both = [std::fs::read_to_string(&key)?, std::fs::read_to_string(&certificate)?].concat();
    Ok(place.write("both.pem", &both)?.display().to_string())
}

/// What the probe is called with when curl asks over TLS.
fn environ_over_tls(address: SocketAddr, arguments: &[&str]) -> Result<Map<String, Value>, Box<dyn std::error::Error>> {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--insecure", "--max-time", "60", "--noproxy", "*"]).args(arguments);
    let answer = output(command.arg(format!("https://{address}/environ")), b"")?;
    serde_json::from_slice(&answer).map_err(|error| format!("{error} in {}", String::from_utf8_lossy(&answer)).into())
}

fn tells_of_tls(environ: &Map<String, Value>) -> Check {
    equal("HTTPS", text(environ, "HTTPS"), "on")?;
    equal("REQUEST_SCHEME", text(environ, "REQUEST_SCHEME"), "https")?;
    equal("wgi.url_scheme", environ["wgi"]["url_scheme"].as_str(), Some("https"))?;
    let cipher = text(environ, "SSL_CIPHER");
    ensure(cipher.contains("AES") || cipher.contains("CHACHA"), || format!("SSL_CIPHER is {cipher}"))?;
    let bits = text(environ, "SSL_CIPHER_USEKEYSIZE");
    ensure(matches!(bits, "128" | "256"), || format!("SSL_CIPHER_USEKEYSIZE is {bits}"))
}

const KEPT: Pair = Pair {
    name: "apache_proxy_ajp_keeps_connections",
    needs: &["apache2"],
    prefix: "",
    cannot: &[],
    lacks: &[],
    start: |place, address| {
        let (probe, port) = probe_at_port(place, "--ajp")?;
        let config = format!("LogLevel proxy:debug\nProxyPass / ajp://{port}/ ping=5");
        Ok(vec![apache(place, address, &["proxy", "proxy_ajp"], &config)?, probe])
    },
};

/// Whatever an application did with the body of a request, the connection is used for the next.
#[test]
fn apache_proxy_ajp_keeps_connections() {
    with(&KEPT, |running| {
        let host = &running.host;
        for _ in 0..5 {
            upload_unread(host)?;
            upload_chunked(host)?;
            status_is(&host.get("/none")?, 200)?;
            let part = host.request("POST", "/read/10", "", &pattern(1 << 20))?;
            status_is(&part, 200)?;
            let body = pattern(9000);
            is_uploaded(&host.request("POST", "/length", "", &body)?, &body)?;
        }
        upload(host)?;
        // AH02824: AJP: connection established with …
        let log = std::fs::read_to_string(running.place.path("apache-error.log"))?;
        let established = log.matches("AH02824").count();
        // A request may come before the connection of the one in front has gone back to where Apache keeps it.
        ensure((1..=5).contains(&established), || format!("{established} connections for 26 requests"))
    });
}

const LARGE_HEADS: Pair = Pair {
    name: "apache_proxy_ajp_large_heads",
    needs: &["apache2"],
    prefix: "",
    cannot: &[],
    lacks: &[],
    start: |place, address| {
        let arguments = ["--ajp", "127.0.0.1:0", "--ajp-packet-size", "64K"];
        let mut probe = probe(place, "probe", &arguments)?;
        let port = probe.await_address()?;
        let config = format!(
            "LimitRequestLine 65000
            LimitRequestFieldSize 65000
            ProxyIOBufferSize 65536
            ProxyPass / ajp://{port}/"
        );
        Ok(vec![apache(place, address, &["proxy", "proxy_ajp"], &config)?, probe])
    },
};

#[test]
fn apache_proxy_ajp_large_heads() {
    with(&LARGE_HEADS, |running| {
        let large = "l".repeat(30_000);
        let environ = running.host.environ("GET", "/environ", &format!("X-Large: {large}\r\n"), b"")?;
        equal("the field's length", text(&environ, "HTTP_X_LARGE").len(), large.len())?;
        let response = running.host.get(&format!("/header?X-Large={large}"))?;
        status_is(&response, 200)?;
        equal("the response's field", response.header("x-large").map(str::len), Some(large.len()))
    });
}

const WRONG_SECRET: Pair = Pair {
    name: "apache_proxy_ajp_wrong_secret",
    needs: &["apache2"],
    prefix: "",
    cannot: &[],
    lacks: &[],
    start: |place, address| {
        let secret = place.write("secret", "sesame\n")?.display().to_string();
        // Open to every interface, which a secret allows.
        let mut probe = probe(place, "probe", &["--ajp", "0.0.0.0:0", "--ajp-secret-file", &secret])?;
        let port = probe.await_text(|log| {
            let (_, rest) = log.split_once("ajp://localhost:")?;
            rest.split_once(' ')?.0.parse::<u16>().ok()
        })?;
        let config = format!(
            "ProxyPass /right/ ajp://127.0.0.1:{port}/ secret=sesame
            ProxyPass /wrong/ ajp://localhost:{port}/ secret=Sesame
            ProxyPass /none/ ajp://127.0.0.2:{port}/"
        );
        Ok(vec![apache(place, address, &["proxy", "proxy_ajp"], &config)?, probe])
    },
};

/// [10.25]
#[test]
fn apache_proxy_ajp_wrong_secret() {
    with(&WRONG_SECRET, |running| {
        for _ in 0..3 {
            status_is(&running.host.get("/right/none")?, 200)?;
            status_is(&running.host.get("/wrong/none")?, 403)?;
            status_is(&running.host.get("/none/none")?, 403)?;
        }
        Ok(())
    });
}

const USER: Pair = Pair {
    name: "apache_proxy_ajp_user",
    needs: &["apache2"],
    prefix: "",
    cannot: &[],
    lacks: &[],
    start: |place, address| {
        let (probe, port) = probe_at_port(place, "--ajp")?;
        // `lovelace`, as htpasswd -s writes it.
        place.write("users", "ada:{SHA}MJgvYgf2tRctgBqviyzN0HpBdyY=\n")?;
        let config = format!(
            "ProxyPass / ajp://{port}/
            <Location />
                AuthType Basic
                AuthName probe
                AuthUserFile {}
                Require valid-user
            </Location>",
            place.text("users")
        );
        let modules = ["proxy", "proxy_ajp", "authn_core", "authn_file", "auth_basic", "authz_user"];
        Ok(vec![apache(place, address, &modules, &config)?, probe])
    },
};

#[test]
fn apache_proxy_ajp_user() {
    with(&USER, |running| {
        status_is(&running.host.get("/environ")?, 401)?;
        let fields = "Authorization: Basic YWRhOmxvdmVsYWNl\r\n";
        let environ = running.host.environ("GET", "/environ", fields, b"")?;
        equal("REMOTE_USER", text(&environ, "REMOTE_USER"), "ada")?;
        equal("AUTH_TYPE", text(&environ, "AUTH_TYPE"), "Basic")?;
        equal("REMOTE_ADDR", text(&environ, "REMOTE_ADDR"), "127.0.0.2")?;
        equal("SERVER_ADDR", text(&environ, "SERVER_ADDR"), "127.0.0.1")?;
        ensure(text(&environ, "REMOTE_PORT").parse::<u16>().is_ok(), || "REMOTE_PORT is no port".into())
    });
}

const APACHE_TLS: Pair = Pair {
    name: "apache_proxy_ajp_tls",
    needs: &["apache2", "/usr/lib/apache2/modules/mod_ssl.so", "openssl", "curl"],
    prefix: "",
    cannot: &[],
    lacks: &[],
    start: |place, address| {
        let (probe, port) = probe_at_port(place, "--ajp")?;
        let both = certificate(place)?;
        let config = format!(
            "SSLEngine on
            SSLCertificateFile {both}
            SSLCACertificateFile {both}
            SSLVerifyClient optional_no_ca
            SSLSessionCache none
            ProxyPass / ajp://{port}/"
        );
        Ok(vec![apache(place, address, &["ssl", "proxy", "proxy_ajp"], &config)?, probe])
    },
};

#[test]
fn apache_proxy_ajp_tls() {
    with(&APACHE_TLS, |running| {
        let environ = environ_over_tls(running.host.address, &[])?;
        tells_of_tls(&environ)?;
        let protocol = text(&environ, "SSL_PROTOCOL");
        ensure(protocol.starts_with("TLSv1."), || format!("SSL_PROTOCOL is {protocol}"))?;
        ensure(!environ.contains_key("SSL_CLIENT_CERT"), || "a certificate that nobody sent".into())?;
        let certificate = running.place.text("certificate.pem");
        let known = ["--cert", &certificate, "--key", &running.place.text("key.pem")];
        let environ = environ_over_tls(running.host.address, &known)?;
        let pem = std::fs::read_to_string(Path::new(&certificate))?;
        equal("SSL_CLIENT_CERT", text(&environ, "SSL_CLIENT_CERT").trim(), pem.trim())
    });
}

const LIGHTTPD_TLS: Pair = Pair {
    name: "lighttpd_ajp_tls",
    needs: &["lighttpd", "/usr/lib/lighttpd/mod_openssl.so", "openssl", "curl"],
    prefix: "",
    cannot: &[],
    lacks: &[],
    start: |place, address| {
        let secret = place.write("secret", "sesame")?.display().to_string();
        let arguments = ["--ajp", "127.0.0.1:0", "--ajp-dialect", "lighttpd", "--ajp-secret-file", &secret];
        let mut probe = probe(place, "probe", &arguments)?;
        let port = probe.await_address()?;
        let config = format!(
            "server.modules = (\"mod_setenv\", \"mod_openssl\", \"mod_ajp13\")
            ssl.engine = \"enable\"
            ssl.pemfile = \"{}\"
            setenv.add-environment = (\"AJP13_SECRET\" => \"sesame\", \"SSL_CIPHER_USE_KEYSIZE\" => \"256\")
            ajp13.server = (\"\" => ((\"host\" => \"{}\", \"port\" => {})))",
            certificate(place)?,
            port.ip(),
            port.port()
        );
        Ok(vec![lighttpd(place, address, &config)?, probe])
    },
};

/// lighttpd 1.4.69 sends a secret only along with what came over TLS, and looks for the size of the key under a name
/// of its own.
#[test]
fn lighttpd_ajp_tls() {
    with(&LIGHTTPD_TLS, |running| tells_of_tls(&environ_over_tls(running.host.address, &[])?));
}

/// Behind lighttpd, but not told so: what has no body works, and what has is refused, with a line that says what to do.
const UNTOLD: Pair = Pair {
    name: "lighttpd_ajp_untold",
    needs: &["lighttpd"],
    prefix: "",
    cannot: &[],
    lacks: &[],
    start: |place, address| {
        let (probe, port) = probe_at_port(place, "--ajp")?;
        let config = format!(
            "server.modules = (\"mod_ajp13\")
            ajp13.server = (\"\" => ((\"host\" => \"{}\", \"port\" => {})))",
            port.ip(),
            port.port()
        );
        Ok(vec![lighttpd(place, address, &config)?, probe])
    },
};

#[test]
fn lighttpd_ajp_untold() {
    with(&UNTOLD, |running| {
        status_is(&running.host.get("/")?, 200)?;
        status_is(&running.host.request("POST", "/length", "", b"hello")?, 400)?;
        let log = std::fs::read_to_string(running.place.path("probe.log"))?;
        ensure(log.contains("lighttpd's: set its dialect"), || "no line tells of the dialect".into())
    });
}
