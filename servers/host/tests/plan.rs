//! What is chosen, by what a process was started with.

use std::ffi::OsString;
use std::time::Duration;

use wgi_ajp::{Ajp, Dialect};
use wgi_host::{Listen, OwnOption, Place, Plan, Protocol, Settings, Started};

fn started(args: &[&str], vars: &[(&str, &str)]) -> Started {
    let mut started = Started::default();
    started.args = args.iter().map(OsString::from).collect();
    started.vars = vars.iter().map(|&(name, value)| (name.into(), value.into())).collect();
    started
}

fn settings(started: &Started) -> Settings {
    match Plan::of(started) {
        Ok(Plan::Serve(settings)) => *settings,
        plan => panic!("{plan:?}"),
    }
}

fn serve(args: &[&str], vars: &[(&str, &str)]) -> Settings {
    settings(&started(args, vars))
}

fn at(protocol: Protocol, address: &str) -> Listen {
    Listen { protocol, at: Place::Address(address.parse().unwrap()) }
}

fn refused(args: &[&str], vars: &[(&str, &str)]) -> String {
    Plan::of(&started(args, vars)).unwrap_err().to_string()
}

#[test]
fn nothing_said_is_http_on_loopback() {
    assert_eq!(serve(&[], &[]).listeners, [at(Protocol::Http, "127.0.0.1:8080")]);
    assert_eq!(serve(&[], &[("PORT", "")]).listeners, [at(Protocol::Http, "127.0.0.1:8080")]);
    assert_eq!(serve(&["--threads", "4"], &[]).listeners, [at(Protocol::Http, "127.0.0.1:8080")]);
}

#[test]
fn a_port_from_outside_is_on_every_interface() {
    assert_eq!(serve(&[], &[("PORT", "3000")]).listeners, [at(Protocol::Http, ":3000")]);
    assert_eq!(serve(&["--http", "[::1]:1"], &[("PORT", "3000")]).listeners, [at(Protocol::Http, "[::1]:1")]);
    for bad in ["http", "65536", "-1", "+80"] {
        assert!(refused(&[], &[("PORT", bad)]).starts_with("PORT: "), "{bad}");
    }
}

#[test]
fn a_cgi_program_never_looks_at_its_command_line() {
    for args in [&["--http", ":80"][..], &["--help"], &["--no-such-thing"]] {
        assert!(matches!(Plan::of(&started(args, &[("GATEWAY_INTERFACE", "CGI/1.1")])), Ok(Plan::Cgi)), "{args:?}");
    }
    assert!(matches!(Plan::of(&started(&["--help"], &[("GATEWAY_INTERFACE", "")])), Ok(Plan::Help)));
}

#[test]
fn a_listening_descriptor_0_is_fastcgi() {
    let mut started = started(&[], &[("FCGI_WEB_SERVER_ADDRS", "127.0.0.1,::1, 192.0.2.7")]);
    started.listens_on_stdin = true;
    let settings = settings(&started);
    assert_eq!(settings.listeners, [Listen { protocol: Protocol::FastCgi, at: Place::Stdin }]);
    assert!(settings.engine.multiprocess);
    let allowed = settings.web_servers.unwrap();
    assert_eq!(allowed, ["127.0.0.1", "::1", "192.0.2.7"].map(|address| address.parse::<std::net::IpAddr>().unwrap()));
}

#[test]
fn a_list_of_web_servers_that_cannot_be_read_lets_nobody_in() {
    let mut started = started(&[], &[("FCGI_WEB_SERVER_ADDRS", "127.0.0.1,localhost")]);
    started.listens_on_stdin = true;
    let error = Plan::of(&started).unwrap_err().to_string();
    assert_eq!(error, "FCGI_WEB_SERVER_ADDRS: `127.0.0.1,localhost` is no list of addresses");
}

#[test]
fn sockets_of_a_service_manager_go_by_their_names() {
    let mut started =
        started(&[], &[("LISTEN_FDNAMES", "fastcgi:http:unknown:scgi:uwsgi-internal:fastcgis:http.socket")]);
    started.sockets = 8;
    // systemd's own socket as standard input is one of these, and not another one.
    started.listens_on_stdin = true;
    use Protocol::{FastCgi, Http, Scgi, Uwsgi};
    let expected = [FastCgi, Http, Http, Scgi, Uwsgi, Http, Http, Http];
    let listen = |(socket, protocol)| Listen { protocol, at: Place::Socket(socket) };
    assert_eq!(settings(&started).listeners, expected.into_iter().enumerate().map(listen).collect::<Vec<_>>());
}

#[test]
fn a_socket_named_for_a_protocol_that_is_not_spoken_is_an_error() {
    let unspoken = ["https", "scgi", "uwsgi", "ajp"].into_iter().filter(|name| Protocol::of_socket(name).is_none());
    for name in unspoken {
        let mut started = started(&[], &[("LISTEN_FDNAMES", &format!("http:{name}-internal"))]);
        started.sockets = 2;
        let error = Plan::of(&started).unwrap_err().to_string();
        assert_eq!(error, format!("LISTEN_FDNAMES: socket 1 is named `{name}-internal`, which is not spoken here"));
    }
}

#[test]
fn sockets_and_addresses_go_together() {
    let mut started = started(&["--http", ":80"], &[]);
    started.sockets = 1;
    let socket = Listen { protocol: Protocol::Http, at: Place::Socket(0) };
    assert_eq!(settings(&started).listeners, [socket, at(Protocol::Http, ":80")]);
}

#[test]
fn addresses_are_repeatable_and_together() {
    let args = ["--http", "localhost:80", "--fastcgi=unix:/run/a.sock", "--http=[::1]:80", "--fastcgi", ":9000"];
    let more = ["--scgi", ":4000", "--uwsgi=unix:/run/u.sock", "--scgi=unix:/run/s.sock", "--uwsgi", "[::1]:3031"];
    let ajp = ["--ajp", "127.0.0.1:8009", "--ajp=unix:/run/j.sock"];
    let args = [&args[..], &more, &ajp].concat();
    let expected = [
        at(Protocol::Http, "localhost:80"),
        at(Protocol::FastCgi, "unix:/run/a.sock"),
        at(Protocol::Http, "[::1]:80"),
        at(Protocol::FastCgi, ":9000"),
        at(Protocol::Scgi, ":4000"),
        at(Protocol::Uwsgi, "unix:/run/u.sock"),
        at(Protocol::Scgi, "unix:/run/s.sock"),
        at(Protocol::Uwsgi, "[::1]:3031"),
        at(Protocol::Ajp, "127.0.0.1:8009"),
        at(Protocol::Ajp, "unix:/run/j.sock"),
    ];
    assert_eq!(serve(&args, &[]).listeners, expected);
    let vars = [
        ("WGI_HTTP", ":80, [::1]:81"),
        ("WGI_FASTCGI", "unix:/run/a.sock"),
        ("WGI_SCGI", ":4000"),
        ("WGI_UWSGI", ":3031"),
        ("WGI_AJP", "localhost:8009, unix:/run/j.sock"),
    ];
    let expected = [
        at(Protocol::Http, ":80"),
        at(Protocol::Http, "[::1]:81"),
        at(Protocol::FastCgi, "unix:/run/a.sock"),
        at(Protocol::Scgi, ":4000"),
        at(Protocol::Uwsgi, ":3031"),
        at(Protocol::Ajp, "localhost:8009"),
        at(Protocol::Ajp, "unix:/run/j.sock"),
    ];
    assert_eq!(serve(&[], &vars).listeners, expected);
}

#[test]
fn an_option_beats_its_variable() {
    assert_eq!(serve(&["--max-body", "1M"], &[("WGI_MAX_BODY", "2M")]).engine.max_body, 1 << 20);
    assert_eq!(serve(&[], &[("WGI_MAX_BODY", "2M")]).engine.max_body, 2 << 20);
    assert_eq!(serve(&[], &[("WGI_MAX_BODY", "")]).engine.max_body, 2 << 30);
    assert_eq!(serve(&["--http", ":1"], &[("WGI_HTTP", ":2")]).listeners, [at(Protocol::Http, ":1")]);
    // A variable that is beaten need not even be right.
    assert_eq!(serve(&["--threads", "3"], &[("WGI_THREADS", "many")]).engine.threads, 3);
}

#[test]
fn limits_and_timeouts_are_set() {
    let args = ["--threads=7", "--head-timeout", "250ms", "--keep-alive-timeout", "2m", "--max-drain", "0", "--lint"];
    let settings = serve(&args, &[("WGI_MULTIPROCESS", "yes"), ("WGI_SOCKET_MODE", "660")]);
    assert_eq!(settings.engine.threads, 7);
    assert_eq!(settings.engine.head_timeout, Duration::from_millis(250));
    assert_eq!(settings.engine.keep_alive_timeout, Duration::from_secs(120));
    assert_eq!(settings.engine.max_drain, 0);
    assert_eq!(settings.bind.unix_mode, Some(0o660));
    assert!(settings.lint && settings.engine.multiprocess);
}

#[test]
fn proxies_are_named() {
    assert!(serve(&[], &[]).proxies.is_empty());
    let args = ["--proxy-protocol-from", "192.0.2.7,unix:", "--proxy-protocol-from=10.0.0.0/8"];
    let expected = "192.0.2.7, unix:, 10.0.0.0/8".parse().unwrap();
    assert_eq!(serve(&args, &[]).proxies, expected);
    assert_eq!(serve(&[], &[("WGI_PROXY_PROTOCOL_FROM", "192.0.2.7, unix:,10.0.0.0/8")]).proxies, expected);
    assert_eq!(serve(&["--max-proxy-header", "536"], &[]).max_proxy_header, 536);
}

#[test]
fn ajp_is_set() {
    let args = ["--ajp", "127.0.0.1:0", "--ajp-secret-file", "/etc/shelf/secret", "--ajp-packet-size", "64K"];
    let settings = serve(&args, &[("WGI_AJP_DIALECT", "lighttpd"), ("WGI_AJP_PACKET_SIZE", "nonsense")]);
    assert_eq!(settings.ajp_secret_file.as_deref(), Some("/etc/shelf/secret".as_ref()));
    let expected = Ajp::new().packet_size(64 * 1024).dialect(Dialect::Lighttpd);
    assert_eq!(format!("{:?}", settings.ajp), format!("{expected:?}"));
    let settings = serve(&["--max-fields", "7"], &[("WGI_AJP_SECRET_FILE", "secret"), ("WGI_AJP_PACKET_SIZE", "9000")]);
    assert_eq!(settings.ajp_secret_file.as_deref(), Some("secret".as_ref()));
    assert_eq!(format!("{:?}", settings.ajp), format!("{:?}", Ajp::new().packet_size(9000).max_fields(7)));
}

#[cfg(feature = "tls")]
#[test]
fn https_takes_a_certificate() {
    let args = ["--https", ":443", "--tls-certificate", "/a.pem", "--tls-key=/k.pem", "--tls-client-ca", "/ca.pem"];
    let settings = serve(&[&args[..], &["--tls-client-required"]].concat(), &[]);
    assert_eq!(settings.listeners, [at(Protocol::Https, ":443")]);
    let path = |path: &str| Some(std::path::PathBuf::from(path));
    assert_eq!(
        [settings.tls.certificate, settings.tls.key, settings.tls.client_ca],
        [path("/a.pem"), path("/k.pem"), path("/ca.pem")]
    );
    assert!(settings.tls.client_required);
    let mut started = started(&[], &[("LISTEN_FDNAMES", "https-public"), ("WGI_TLS_CERTIFICATE", "/a.pem")]);
    started.sockets = 1;
    let listen = Listen { protocol: Protocol::Https, at: Place::Socket(0) };
    assert_eq!(self::settings(&started).listeners, [listen]);
    assert!(refused(&["--https", ":443"], &[]).starts_with("HTTPS takes a certificate"));
    assert!(refused(&["--tls-client-required"], &[]).contains("takes --tls-client-ca"));
}

#[cfg(not(feature = "tls"))]
#[test]
fn without_tls_its_options_are_told_why() {
    for option in ["--https", "--tls-key"] {
        let expected = format!("{option}: this program was built without TLS, the feature `tls` of wgi-host");
        assert_eq!(refused(&[option, "x"], &[]), expected);
    }
}

#[test]
fn variables_are_added_to_the_environ() {
    let settings = serve(&["--environ", "DB=/srv/a=b", "--environ", "EMPTY=", "--environ=DB=/srv/c"], &[]);
    assert_eq!(settings.engine.variables.get("DB"), Some(&b"/srv/c"[..]));
    assert_eq!(settings.engine.variables.get("EMPTY"), Some(&b""[..]));
}

#[test]
fn help_and_version_come_first() {
    for args in [&["--help"][..], &["-h"], &["--http", ":80", "--help", "--nonsense"]] {
        assert!(matches!(Plan::of(&started(args, &[])), Ok(Plan::Help)), "{args:?}");
    }
    for args in [&["--version"][..], &["-V"]] {
        assert!(matches!(Plan::of(&started(args, &[])), Ok(Plan::Version)), "{args:?}");
    }
}

#[test]
fn what_is_wrong_is_said_in_a_sentence() {
    for (args, vars, expected) in [
        (&["--htp", ":80"][..], &[][..], "unknown option --htp; did you mean --http?"),
        (&["--keepalive-timeout"], &[], "unknown option --keepalive-timeout; did you mean --keep-alive-timeout?"),
        (&["--keep"], &[], "unknown option --keep; did you mean --keep-alive-timeout?"),
        (&["--gopher", ":70"], &[], "unknown option --gopher"),
        (&["--frobnicate"], &[], "unknown option --frobnicate"),
        (&["-p", "80"], &[], "unknown option -p"),
        (&["127.0.0.1:80"], &[], "unexpected `127.0.0.1:80`; did you mean --http 127.0.0.1:80?"),
        (&["serve"], &[], "unexpected `serve`; every option starts with --"),
        (&["--http"], &[], "--http wants ADDRESS"),
        (&["--lint=1"], &[], "--lint takes no value"),
        (
            &["--http", "8080"],
            &[],
            "--http: `8080` is a port alone; write 127.0.0.1:8080, or :8080 for every interface",
        ),
        (&["--threads", "0"], &[], "--threads: 0 is too small; the least is 1"),
        (&["--threads", "-1"], &[], "--threads: `-1` is no number, or too large a one"),
        (
            &["--proxy-protocol-from", "10.0.0.1/8"],
            &[],
            "--proxy-protocol-from: `10.0.0.1/8` has bits behind its prefix; write 10.0.0.0/8 for the network",
        ),
        (&["--environ", "A"], &[], "--environ: `A` is no variable; write NAME=VALUE"),
        (&["--script-name", "app"], &[], "--script-name: `app` does not start with a slash"),
        (&["--ajp-packet-size", "4K"], &[], "--ajp-packet-size: a packet of AJP has 8K to 64K, and not 4096 bytes"),
        (&["--ajp-packet-size", "65537"], &[], "--ajp-packet-size: a packet of AJP has 8K to 64K, and not 65537 bytes"),
        (&["--ajp-dialect", "apache"], &[], "--ajp-dialect: `apache` is no dialect; write standard or lighttpd"),
        (&["--log", "loud"], &[], "--log: `loud` is no level; write off, error, warn, info or debug"),
        (&[], &[("WGI_LINT", "perhaps")], "WGI_LINT: `perhaps` is neither 1 nor 0"),
        (
            &[],
            &[("WGI_MAX_BODY", "much")],
            "WGI_MAX_BODY: `much` is no size; write a number of bytes, or one of K, M, G: 64K, 2G",
        ),
        (&[], &[("WGI_HEAD_TIMEOUT", "1.5s")], "WGI_HEAD_TIMEOUT: `1.5s` is no duration; write 500ms, 15s, 2m or 1h"),
        (&[], &[("WGI_HTTP", ":80,")], "WGI_HTTP: `` has no port; write HOST:PORT, [V6]:PORT, :PORT or unix:PATH"),
    ] {
        assert_eq!(refused(args, vars), expected, "{args:?} {vars:?}");
    }
}

/// Options of a program's own: `--mount PATH=BACKEND` and `--quiet`.
fn own(args: &[&str], vars: &[(&str, &str)]) -> Result<Settings, String> {
    let options = [
        OwnOption { name: "mount", value: Some("PATH=BACKEND"), help: "mount it" },
        OwnOption { name: "quiet", value: None, help: "say nothing" },
        OwnOption { name: "http", value: None, help: "never given" },
    ];
    match Plan::with_own(&started(args, vars), &options, "my-gate") {
        Ok(Plan::Serve(settings)) => Ok(*settings),
        Ok(plan) => panic!("{plan:?}"),
        Err(usage) => Err(usage.to_string()),
    }
}

#[test]
fn a_programs_own_options_are_read_with_the_others() {
    let settings = own(&["--mount", "/a=b", "--http", ":1", "--quiet", "--mount=/c=d e"], &[]).unwrap();
    assert_eq!(settings.listeners, [at(Protocol::Http, ":1")]);
    assert_eq!(settings.own.all("mount"), ["/a=b", "/c=d e"]);
    assert_eq!(settings.own.last("mount").unwrap(), "/c=d e");
    assert!(settings.own.has("quiet"));
    // A name that the launcher has is the launcher's.
    assert!(!settings.own.has("http"));
    let settings = own(&[], &[]).unwrap();
    assert!(settings.own.all("mount").is_empty() && !settings.own.has("quiet"));
}

#[test]
fn a_programs_own_options_are_explained_like_the_others() {
    assert_eq!(own(&["--mount"], &[]).unwrap_err(), "--mount wants PATH=BACKEND");
    assert_eq!(own(&["--quiet=1"], &[]).unwrap_err(), "--quiet takes no value");
    assert_eq!(own(&["--moun", "x"], &[]).unwrap_err(), "unknown option --moun; did you mean --mount?");
    assert_eq!(refused(&["--mount", "x"], &[]), "unknown option --mount");
}

#[test]
fn a_programs_own_options_have_variables() {
    let vars = [("MY_GATE_MOUNT", " /a=b  /c=d "), ("MY_GATE_QUIET", "1")];
    let settings = own(&[], &vars).unwrap();
    assert_eq!(settings.own.all("mount"), ["/a=b", "/c=d"]);
    assert!(settings.own.has("quiet"));
    // What stands on the command line counts.
    assert_eq!(own(&["--mount", "/e=f"], &vars).unwrap().own.all("mount"), ["/e=f"]);
    assert!(!own(&[], &[("MY_GATE_QUIET", "0")]).unwrap().own.has("quiet"));
}
