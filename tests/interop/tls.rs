//! TLS with programs that others wrote: curl, openssl, Python's `http.client`, HAProxy. The certificates are openssl's.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

use crate::clients::PYTHON;
use crate::host::{eventually, text};
use crate::nginx::nginx;
use crate::pair::{ITS_OWN_ADDRESS, Pair, probe};
use crate::process::{Place, Process, output};
use crate::proxied::{TIMEOUTS, ask, environ, haproxy, is_missing, start_proxy};

fn openssl(place: &Place, arguments: &[&str], input: &[u8]) -> io::Result<String> {
    let output = output(Command::new("openssl").args(arguments).current_dir(place.path("")), input)?;
    Ok(String::from_utf8_lossy(&output).into_owned())
}

/// Makes an authority: `NAME.pem` and `NAME.key`.
fn make_authority(place: &Place, name: &str) {
    let (certificate, key, subject) = (format!("{name}.pem"), format!("{name}.key"), format!("/CN={name}"));
    let request = ["req", "-x509", "-nodes", "-days", "2", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
    let more = ["-subj", &subject, "-keyout", &key, "-out", &certificate];
    openssl(place, &[&request[..], &more].concat(), b"").unwrap();
}

/// Makes a certificate of an authority for whoever that is, at this machine: `NAME.pem` and `NAME.key`.
fn make_certificate(place: &Place, authority: &str, name: &str, subject: &str, kind: &[&str]) {
    let (certificate, key, request) = (format!("{name}.new"), format!("{name}.key"), format!("{name}.csr"));
    let new = ["req", "-nodes", "-subj", subject, "-keyout", &key, "-out", &request, "-newkey"];
    openssl(place, &[&new[..], kind].concat(), b"").unwrap();
    place.write("extensions", "subjectAltName=DNS:localhost,IP:127.0.0.1\n").unwrap();
    let (ca, ca_key) = (format!("{authority}.pem"), format!("{authority}.key"));
    let sign = ["x509", "-req", "-days", "2", "-CA", &ca, "-CAkey", &ca_key, "-CAcreateserial"];
    let files = ["-extfile", "extensions", "-in", &request, "-out", &certificate];
    openssl(place, &[&sign[..], &files].concat(), b"").unwrap();
    fs::rename(place.path(&certificate), place.path(&format!("{name}.pem"))).unwrap();
}

const P256: &[&str] = &["ec", "-pkeyopt", "ec_paramgen_curve:P-256"];

/// A place with an authority and the certificate of a server.
fn place_with(kind: &[&str]) -> Place {
    let place = Place::new().unwrap();
    place.program("probe").unwrap();
    make_authority(&place, "authority");
    make_certificate(&place, "authority", "server", "/CN=localhost", kind);
    place
}

fn serve(place: &Place, name: &str, more: &[&str]) -> (Process, SocketAddr) {
    let files = ["--tls-certificate", "server.pem", "--tls-key", "server.key"];
    let mut process = probe(place, name, &[&["--https", "127.0.0.1:0"][..], &files, more].concat()).unwrap();
    let address = process.await_address().unwrap();
    (process, address)
}

fn curl(place: &Place, arguments: &[&str], url: &str, input: &[u8]) -> io::Result<String> {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--max-time", "60", "--noproxy", "*", "--cacert", "authority.pem"]);
    let output = output(command.args(arguments).arg(url).current_dir(place.path("")), input)?;
    Ok(String::from_utf8_lossy(&output).into_owned())
}

#[test]
fn curl_https() {
    if is_missing("curl_https", &["curl", "openssl"]) {
        return;
    }
    for kind in [P256, &["rsa:2048"]] {
        let place = place_with(kind);
        let (_probe, address) = serve(&place, "probe", &[]);
        let curl = |arguments: &[&str], path: &str, input: &[u8]| {
            curl(&place, arguments, &format!("https://{address}{path}"), input)
        };
        let large = vec![b'x'; 3_000_000];
        assert_eq!(curl(&[], "/", b"").unwrap(), "Hello, world!");
        let several = format!("https://{address}/none");
        let connects = ["--write-out", "%{num_connects}", &several, &several];
        assert_eq!(curl(&connects, "/", b"").unwrap(), "10Hello, world!0");
        let head = curl(&["--head"], "/bytes/12", b"").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.to_lowercase().contains("content-length: 12\r\n"));
        let answer = curl(&["--data-binary", "@-"], "/length", &large).unwrap();
        assert!(answer.contains("3000000"), "{answer}");
        assert_eq!(curl(&["--upload-file", "-"], "/echo", &large).unwrap().len(), large.len());
        assert_eq!(curl(&[], "/file/2000000", b"").unwrap().len(), 2_000_000);
        // The end of the connection is the end of the body, and is known to be.
        assert_eq!(curl(&["--http1.0"], "/stream/3/4", b"").unwrap(), "012301230123");
        assert!(curl(&["--http1.0"], "/error/later", b"").is_err());
        assert!(curl(&[], "/error/later", b"").is_err());
        for (arguments, protocol) in
            [(&["--tls-max", "1.2"][..], "TLSv1.2"), (&["--tlsv1.3"], "TLSv1.3"), (&["--http2"], "TLSv1.3")]
        {
            let environ = environ(&curl(arguments, "/environ", b"").unwrap());
            assert_eq!(text(&environ, "SSL_PROTOCOL"), protocol);
            assert_eq!((text(&environ, "HTTPS"), text(&environ, "REQUEST_SCHEME")), ("on", "https"));
            assert_eq!(environ["wgi"]["url_scheme"], "https");
        }
        let name = ["--connect-to", &format!("localhost:443:{address}")];
        let named = self::curl(&place, &name, "https://localhost/environ", b"").unwrap();
        assert_eq!(text(&environ(&named), "SSL_TLS_SNI"), "localhost");
        // In clear, at the same port.
        let answer = self::curl(&place, &[], &format!("http://{address}/"), b"").unwrap();
        assert!(answer.contains("400 Bad Request") && answer.contains("https"), "{answer}");
        assert!(self::curl(&place, &["--cacert", "server.key"], &format!("https://{address}/"), b"").is_err());
    }
}

#[test]
fn curl_with_a_certificate() {
    if is_missing("curl_with_a_certificate", &["curl", "openssl"]) {
        return;
    }
    let place = place_with(P256);
    make_authority(&place, "clients");
    let subject = "/C=SE/O=Books, Ltd. + Sons/CN=Åsa \"reader\" <a=b>";
    make_certificate(&place, "clients", "reader", subject, &["rsa:2048"]);
    make_certificate(&place, "authority", "stranger", "/CN=stranger", P256);
    let reader = ["--cert", "reader.pem", "--key", "reader.key"];
    let stranger = ["--cert", "stranger.pem", "--key", "stranger.key"];
    for (name, required) in [("asks", &[][..]), ("requires", &["--tls-client-required"])] {
        let (_probe, address) = serve(&place, name, &[&["--tls-client-ca", "clients.pem"], required].concat());
        let url = format!("https://{address}/environ");
        let environ = environ(&curl(&place, &reader, &url, b"").unwrap());
        assert_eq!(text(&environ, "SSL_CLIENT_VERIFY"), "SUCCESS");
        // In the words of openssl, which mod_ssl uses: RFC 2253, in UTF-8.
        for (variable, option, start) in [
            ("SSL_CLIENT_S_DN", "-subject", "subject="),
            ("SSL_CLIENT_I_DN", "-issuer", "issuer="),
            ("SSL_CLIENT_M_SERIAL", "-serial", "serial="),
        ] {
            let options = ["x509", "-in", "reader.pem", "-noout", option, "-nameopt", "RFC2253,-esc_msb,utf8"];
            let expected = openssl(&place, &options, b"").unwrap();
            assert_eq!(Some(text(&environ, variable)), expected.trim().strip_prefix(start), "{variable}");
        }
        let certificate = openssl(&place, &["x509", "-in", "reader.pem"], b"").unwrap();
        assert_eq!(text(&environ, "SSL_CLIENT_CERT").trim(), certificate.trim());
        assert!(curl(&place, &stranger, &url, b"").is_err());
        assert_eq!(curl(&place, &[], &url, b"").is_err(), !required.is_empty());
    }
}

#[test]
fn openssl_s_client() {
    if is_missing("openssl_s_client", &["openssl"]) {
        return;
    }
    let place = place_with(P256);
    let (_probe, address) = serve(&place, "probe", &[]);
    let address = address.to_string();
    let client = |arguments: &[&str], input: &str| {
        let basic = ["s_client", "-connect", &address, "-CAfile", "authority.pem", "-verify_return_error", "-ign_eof"];
        openssl(&place, &[&basic[..], arguments].concat(), input.as_bytes())
    };
    let get = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    for (version, protocol) in [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")] {
        let answer = client(&[version, "-alpn", "h2,http/1.1", "-sess_out", "session"], get).unwrap();
        assert!(answer.contains("Hello, world!"), "{answer}");
        assert!(answer.contains("ALPN protocol: http/1.1"), "{answer}");
        assert!(answer.contains(&format!("New, {protocol}")), "{answer}");
        let again = client(&[version, "-sess_in", "session"], get).unwrap();
        assert!(again.contains(&format!("Reused, {protocol}")) && again.contains("Hello, world!"), "{again}");
    }
    for old in ["-tls1_1", "-tls1"] {
        let error = client(&[old, "-cipher", "DEFAULT@SECLEVEL=0"], get).unwrap_err().to_string();
        assert!(error.contains(" alert "), "{error}");
    }
    let error = client(&["-alpn", "h2"], get).unwrap_err().to_string();
    assert!(error.contains("alert no application protocol"), "{error}");
}

#[test]
fn python_https() {
    if is_missing("python_https", &["python3", "openssl"]) {
        return;
    }
    let place = place_with(P256);
    let (_probe, address) = serve(&place, "probe", &[]);
    let plain = "http.client.HTTPConnection(host, timeout=60)";
    let tls = "http.client.HTTPSConnection(host, timeout=60, context=ssl.create_default_context(cafile=sys.argv[2]))";
    let program = PYTHON.replace(plain, tls).replace("import http.client,", "import ssl, http.client,");
    assert!(program.contains(tls) && program.contains("import ssl"));
    let script = place.write("client.py", &program).unwrap();
    let mut python = Command::new("python3");
    python.arg(script).arg(address.to_string()).arg(place.path("authority.pem"));
    assert_eq!(output(&mut python, b"").unwrap(), b"done\n");
}

#[test]
fn haproxy_to_https() {
    if is_missing("haproxy_to_https", &["haproxy", "curl", "openssl"]) {
        return;
    }
    let place = place_with(P256);
    let (_probe, port) = serve(&place, "probe", &["--proxy-protocol-from", "127.0.0.1"]);
    for option in ["send-proxy", "send-proxy-v2"] {
        let (_proxy, address) = start_proxy(|address| {
            let configuration = format!(
                "defaults\nmode http\n{TIMEOUTS}\nfrontend front\nbind {address}\ndefault_backend probe\n\
                 backend probe\nserver probe {port} {option} ssl verify required ca-file {}\n",
                place.text("authority.pem")
            );
            haproxy(&place, "haproxy", &configuration)
        });
        let (client, answer) = ask(address, &[]).unwrap();
        let environ = environ(&answer);
        assert_eq!(format!("{} {}", text(&environ, "REMOTE_ADDR"), text(&environ, "REMOTE_PORT")), client);
        assert_eq!(text(&environ, "HTTPS"), "on");
    }
}

#[test]
fn a_certificate_is_renewed() {
    if is_missing("a_certificate_is_renewed", &["curl", "openssl"]) {
        return;
    }
    let place = place_with(P256);
    let manager = UnixDatagram::bind(place.path("manager")).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut command = Command::new(place.path("probe"));
    command.args(["--https", "127.0.0.1:0", "--tls-certificate", "server.pem", "--tls-key", "server.key"]);
    let mut probe = Process::start(&place, "probe", command.env("NOTIFY_SOCKET", place.path("manager"))).unwrap();
    let address = probe.await_address().unwrap();
    let hears = |line: &str| {
        let mut message = [0; 4096];
        while let Ok(length) = manager.recv(&mut message) {
            if String::from_utf8_lossy(&message[..length]).lines().any(|candidate| candidate == line) {
                return;
            }
        }
        panic!("the service manager is not told {line}");
    };
    hears("READY=1");
    let url = format!("https://{address}/");
    let is_trusted = |authority: &str| {
        Ok(curl(&place, &["--cacert", &format!("{authority}.pem")], &url, b"")
            .is_ok_and(|body| body.starts_with("Hello")))
    };
    assert!(is_trusted("authority").unwrap());
    // By itself, when the files are others.
    make_authority(&place, "second");
    make_certificate(&place, "second", "server", "/CN=localhost", P256);
    assert!(eventually(|| is_trusted("second")).unwrap(), "{}", place.logs());
    // Told to.
    make_authority(&place, "third");
    make_certificate(&place, "third", "server", "/CN=localhost", P256);
    probe.signal(rustix::process::Signal::HUP).unwrap();
    hears("RELOADING=1");
    hears("READY=1");
    assert!(is_trusted("third").unwrap(), "{}", place.logs());
    // What is no good is told, and changes nothing.
    place.write("server.pem", "nothing").unwrap();
    probe.signal(rustix::process::Signal::HUP).unwrap();
    let log = || fs::read_to_string(place.path("probe.log"));
    assert!(eventually(|| Ok(log()?.contains("the certificate stays as it was: server.pem holds no"))).unwrap());
    assert!(is_trusted("third").unwrap());
}

#[test]
fn what_cannot_be_served_is_said() {
    if is_missing("what_cannot_be_served_is_said", &["openssl"]) {
        return;
    }
    let place = place_with(P256);
    make_certificate(&place, "authority", "other", "/CN=localhost", P256);
    for (arguments, expected) in [
        (&["--tls-certificate", "none.pem"][..], "probe: cannot serve HTTPS: none.pem cannot be read: No such file"),
        (
            &["--tls-certificate", "server.pem", "--tls-key", "other.key"],
            "probe: cannot serve HTTPS: the key in other.key is not that of the certificate in server.pem",
        ),
        (&["--tls-certificate", "server.pem"], "probe: cannot serve HTTPS: server.pem holds no key"),
        (&[], "probe: HTTPS takes a certificate; name its file with --tls-certificate"),
    ] {
        let mut command = Command::new(place.path("probe"));
        let error = output(command.args(["--https", "127.0.0.1:0"]).args(arguments).current_dir(place.path("")), b"");
        let error = error.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

const OWN_SCHEME: &str = "the scheme is that of nginx's own connection, not of its client's";

/// The whole table, through a web server that asks the probe within TLS, on connections that it keeps.
pub(crate) const NGINX: Pair = Pair {
    name: "nginx_proxy_pass_https",
    needs: &["nginx", "openssl"],
    prefix: "",
    cannot: &[("environ_gateway", OWN_SCHEME), ("url", OWN_SCHEME)],
    lacks: &[("REMOTE_ADDR", ITS_OWN_ADDRESS)],
    start: |place, address| {
        make_authority(place, "authority");
        make_certificate(place, "authority", "server", "/CN=localhost", P256);
        let (probe, port) = serve(place, "probe", &[]);
        let upstream = format!("upstream probe {{ server {port}; keepalive 4; }}");
        let location = format!(
            "location / {{
                proxy_pass https://probe;
                proxy_ssl_verify on;
                proxy_ssl_name localhost;
                proxy_ssl_server_name on;
                proxy_ssl_trusted_certificate {};
                proxy_http_version 1.1;
                proxy_set_header Connection '';
                proxy_set_header Host $http_host;
                proxy_buffering off;
                proxy_request_buffering off;
            }}",
            place.text("authority.pem")
        );
        Ok(vec![nginx(place, address, &upstream, &location)?, probe])
    },
};

/// The most memory that a process has held, in bytes.
fn peak(process: &Process) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", process.id()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse().map_err(io::Error::other)?;
    Ok(kibibytes * 1024)
}

#[test]
fn large_bodies_take_no_memory() {
    if is_missing("large_bodies_take_no_memory", &["curl", "openssl"]) {
        return;
    }
    const SIZE: u64 = 128 << 20;
    let place = place_with(P256);
    let (process, address) = serve(&place, "probe", &[]);
    let file = fs::File::create(place.path("large")).unwrap();
    file.set_len(SIZE).unwrap();
    let discard = |path: &str, more: &[&str]| {
        let arguments = [&["--output", "/dev/null", "--write-out", "%{size_download} %{size_upload}"], more].concat();
        curl(&place, &arguments, &format!("https://{address}{path}"), b"").unwrap()
    };
    discard("/", &[]);
    let before = peak(&process).unwrap();
    assert_eq!(discard(&format!("/stream/{}/65536", SIZE >> 16), &[]), format!("{SIZE} 0"));
    assert_eq!(discard(&format!("/file/{SIZE}"), &[]), format!("{SIZE} 0"));
    assert_eq!(discard("/echo", &["--upload-file", "large"]), format!("{SIZE} {SIZE}"));
    let grown = peak(&process).unwrap() - before;
    assert!(grown < 16 << 20, "it grew by {grown} bytes");
}
