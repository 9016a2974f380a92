//! The launcher as a process: this program hosts an application when it is started as one, and is its test otherwise.

#![allow(clippy::print_stdout)]

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, Command, ExitCode, Output, Stdio};

use wgi::{Body, Environ, Error, StartResponse, StatusCode};

/// Tells a process of this program to be a host.
const HOST: &str = "WGI_TEST_HOST";

const TESTS: &[(&str, fn())] = &[
    ("an_address_is_told_and_served", an_address_is_told_and_served),
    ("several_addresses_are_served_together", several_addresses_are_served_together),
    ("a_unix_socket_has_its_mode_and_goes_at_the_end", a_unix_socket_has_its_mode_and_goes_at_the_end),
    ("a_signal_lets_requests_in_flight_finish", a_signal_lets_requests_in_flight_finish),
    ("descriptor_0_is_fastcgi", descriptor_0_is_fastcgi),
    ("descriptor_0_is_for_known_web_servers", descriptor_0_is_for_known_web_servers),
    ("sockets_of_a_service_manager_are_served", sockets_of_a_service_manager_are_served),
    ("a_cgi_program_answers_whatever_its_command_line_says", a_cgi_program_answers_whatever_its_command_line_says),
    ("the_deployers_variables_arrive", the_deployers_variables_arrive),
    ("a_limit_of_http_is_kept", a_limit_of_http_is_kept),
    ("the_validator_is_put_around_the_application", the_validator_is_put_around_the_application),
    ("what_cannot_be_listened_on_is_one_line_and_status_1", what_cannot_be_listened_on_is_one_line_and_status_1),
    ("a_wrong_option_is_two_lines_and_status_2", a_wrong_option_is_two_lines_and_status_2),
    ("help_and_version_go_to_standard_output", help_and_version_go_to_standard_output),
];

fn main() -> ExitCode {
    if std::env::var_os(HOST).is_some() {
        wgi_host::Host::new(app).name("shelf").version("1.2.3").about("A shelf.").run()
    }
    if let Ok(descriptors) = std::env::var("WGI_TEST_PASS_SOCKETS") {
        return pass_sockets(&descriptors);
    }
    let filter = std::env::args().nth(1).filter(|arg| !arg.starts_with('-')).unwrap_or_default();
    for (name, test) in TESTS.iter().filter(|(name, _)| name.contains(&filter)) {
        println!("test {name} ...");
        test();
    }
    ExitCode::SUCCESS
}

fn app(mut environ: Environ, start: &mut dyn StartResponse) -> Result<Body, Error> {
    let plain = [("content-type", "text/plain")];
    match environ.path_info() {
        b"/length" => {
            writeln!(environ.errors(), "reading")?;
            let length = environ.input().read_to_end(&mut Vec::new())?;
            start.start(StatusCode::OK, plain)?;
            Ok(Body::from(length.to_string()))
        }
        b"/shelf" => {
            start.start(StatusCode::OK, plain)?;
            Ok(Body::from(environ.var("SHELF").unwrap_or_default().to_vec()))
        }
        // Against [5.16], which only the validator minds.
        b"/untyped" => {
            start.start(StatusCode::OK, ())?;
            Ok(Body::from("untyped"))
        }
        _ => {
            start.start(StatusCode::OK, plain)?;
            Ok(Body::from(format!("{} {:?}", environ.method(), environ.gateway().multiprocess)))
        }
    }
}

/// This program as a host, with nothing in its environment but what a test puts there.
fn host(args: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env_clear().env(HOST, "1").args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A host that runs; killed when a test fails.
struct Running {
    child: Child,
    stderr: BufReader<ChildStderr>,
}

impl Running {
    fn new(command: &mut Command) -> Running {
        let mut child = command.spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Running { child, stderr }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stderr.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// The address in a line `listening on http://ADDRESS/`.
    fn address(&mut self) -> String {
        let line = self.line();
        let url = line.strip_prefix("listening on ").unwrap_or_else(|| panic!("{line}"));
        url.split_once("://").expect("a URL").1.trim_end_matches('/').to_owned()
    }

    /// Stops it by SIGTERM; gives the exit status, and what else it said.
    fn stop(mut self) -> (Option<i32>, String) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let mut rest = String::new();
        self.stderr.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().code(), rest)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn finish(command: &mut Command) -> Output {
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Sends a request of HTTP/1.0 and reads to the end.
fn ask(mut connection: impl Read + Write, path: &str) -> String {
    write!(connection, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    answer
}

fn ask_tcp(address: &str, path: &str) -> String {
    ask(TcpStream::connect(address).unwrap(), path)
}

/// Sends a request of FastCGI for `/`, without keeping the connection, and reads to the end.
fn ask_fastcgi(mut connection: impl Read + Write) -> io::Result<String> {
    let record = |kind: u8, content: &[u8]| {
        let mut record = vec![1, kind, 0, 1, 0, content.len() as u8, 0, 0];
        record.extend_from_slice(content);
        record
    };
    let mut params = Vec::new();
    for (name, value) in [("REQUEST_METHOD", "GET"), ("SCRIPT_NAME", ""), ("PATH_INFO", "/")] {
        params.extend_from_slice(&[name.len() as u8, value.len() as u8]);
        params.extend_from_slice(name.as_bytes());
        params.extend_from_slice(value.as_bytes());
    }
    let begin = record(1, &[0, 1, 0, 0, 0, 0, 0, 0]);
    let request = [begin, record(4, &params), record(4, b""), record(5, b"")].concat();
    connection.write_all(&request)?;
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer)?;
    Ok(text(&answer))
}

fn an_address_is_told_and_served() {
    let mut running = Running::new(&mut host(&["--http", "127.0.0.1:0"]));
    let address = running.address();
    assert!(!address.ends_with(":0"), "{address}");
    let answer = ask_tcp(&address, "/");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("GET false"), "{answer}");
    let (status, _) = running.stop();
    assert_eq!(status, Some(0));
}

fn several_addresses_are_served_together() {
    let args = ["--http", "127.0.0.1:0", "--fastcgi", "127.0.0.1:0", "--http", "localhost:0"];
    let mut running = Running::new(&mut host(&args));
    let (http, fastcgi, named) = (running.address(), running.address(), running.address());
    assert!(named.starts_with("localhost:"), "{named}");
    for address in [http, named] {
        assert!(ask_tcp(&address, "/").ends_with("GET false"));
    }
    let answer = ask_fastcgi(TcpStream::connect(fastcgi).unwrap()).unwrap();
    assert!(answer.contains("Status: 200 OK") && answer.contains("GET false"), "{answer}");
    assert_eq!(running.stop().0, Some(0));
}

fn a_unix_socket_has_its_mode_and_goes_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    // What a killed server leaves behind.
    drop(UnixListener::bind(&path).unwrap());
    let address = format!("unix:{}", path.display());
    let mut running = Running::new(&mut host(&["--fastcgi", &address, "--socket-mode", "660"]));
    assert_eq!(running.line(), format!("listening on {address} (fastcgi)"));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
    assert!(ask_fastcgi(UnixStream::connect(&path).unwrap()).unwrap().contains("Status: 200 OK"));
    assert_eq!(running.stop().0, Some(0));
    assert!(!path.exists());
}

fn a_signal_lets_requests_in_flight_finish() {
    let mut running = Running::new(&mut host(&["--http", "127.0.0.1:0", "--body-buffer", "1"]));
    let mut connection = TcpStream::connect(running.address()).unwrap();
    connection.write_all(b"POST /length HTTP/1.0\r\nContent-Length: 5\r\n\r\nab").unwrap();
    assert_eq!(running.line(), "reading");
    let pid = rustix::process::Pid::from_child(&running.child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(running.line().contains("stopping"));
    connection.write_all(b"cde").unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("\r\n\r\n5"), "{answer}");
    assert_eq!(running.child.wait().unwrap().code(), Some(0));
}

fn descriptor_0_is_fastcgi() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    let socket = UnixListener::bind(&path).unwrap();
    let running = Running::new(host(&["--threads", "2"]).stdin(OwnedFd::from(socket)));
    let answer = ask_fastcgi(UnixStream::connect(&path).unwrap()).unwrap();
    assert!(answer.contains("Status: 200 OK") && answer.contains("GET true"), "{answer}");
    assert_eq!(running.stop().0, Some(0));
    assert!(path.exists(), "the file belongs to who made it");
}

/// [10.23]
fn descriptor_0_is_for_known_web_servers() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    for (allowed, served) in [("127.0.0.1", true), ("192.0.2.1,::1", false)] {
        let socket = OwnedFd::from(socket.try_clone().unwrap());
        let running = Running::new(host(&[]).stdin(socket).env("FCGI_WEB_SERVER_ADDRS", allowed));
        let answer = ask_fastcgi(TcpStream::connect(address).unwrap());
        assert_eq!(answer.is_ok_and(|answer| answer.contains("Status: 200 OK")), served, "{allowed}");
        assert_eq!(running.stop().0, Some(0));
    }
}

/// Becomes a host with the sockets at `descriptors` as systemd passes them: from 3 on, and with the process's own
/// number in LISTEN_PID, which nobody else can know.
fn pass_sockets(descriptors: &str) -> ExitCode {
    let count = descriptors.split(',').count();
    let mut command = Command::new("/bin/sh");
    let moves: String =
        descriptors.split(',').enumerate().map(|(at, descriptor)| format!(" {}<&{descriptor}", 3 + at)).collect();
    let script = format!("export LISTEN_PID=$$; exec \"$0\" {moves}");
    command.arg("-c").arg(script).arg(std::env::current_exe().unwrap());
    command.env_remove("WGI_TEST_PASS_SOCKETS").env(HOST, "1").env("LISTEN_FDS", count.to_string());
    let error = command.exec();
    println!("{error}");
    ExitCode::FAILURE
}

fn sockets_of_a_service_manager_are_served() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    let (http, fastcgi) = (TcpListener::bind("127.0.0.1:0").unwrap(), UnixListener::bind(&path).unwrap());
    let descriptors = [http.as_raw_fd(), fastcgi.as_raw_fd()];
    rustix::io::fcntl_setfd(&http, rustix::io::FdFlags::empty()).unwrap();
    rustix::io::fcntl_setfd(&fastcgi, rustix::io::FdFlags::empty()).unwrap();
    let mut command = host(&[]);
    command.env_remove(HOST).env("LISTEN_FDNAMES", "web:fastcgi");
    command.env("WGI_TEST_PASS_SOCKETS", format!("{},{}", descriptors[0], descriptors[1]));
    let mut running = Running::new(&mut command);
    assert_eq!(running.address(), http.local_addr().unwrap().to_string());
    assert_eq!(running.line(), format!("listening on unix:{} (fastcgi)", path.display()));
    assert!(ask_tcp(&http.local_addr().unwrap().to_string(), "/").ends_with("GET false"));
    assert!(ask_fastcgi(UnixStream::connect(&path).unwrap()).unwrap().contains("Status: 200 OK"));
    assert_eq!(running.stop().0, Some(0));
}

/// [10.12]
fn a_cgi_program_answers_whatever_its_command_line_says() {
    for args in [&["--http", "127.0.0.1:0"][..], &["--help"], &["--version"], &["-d", "allow_url_include=1"]] {
        let mut command = host(args);
        command.env("GATEWAY_INTERFACE", "CGI/1.1").env("REQUEST_METHOD", "GET").env("PATH_INFO", "/");
        let output = finish(&mut command);
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        let stdout = text(&output.stdout);
        assert!(stdout.starts_with("Status: 200 OK\r\n") && stdout.ends_with("GET true"), "{args:?}: {stdout}");
        assert_eq!(text(&output.stderr), "", "{args:?}");
    }
}

fn the_deployers_variables_arrive() {
    let mut running = Running::new(&mut host(&["--http", "127.0.0.1:0", "--environ", "SHELF=a=b"]));
    assert!(ask_tcp(&running.address(), "/shelf").ends_with("\r\n\r\na=b"));
    assert_eq!(running.stop().0, Some(0));
}

fn a_limit_of_http_is_kept() {
    let mut running = Running::new(host(&["--http", "127.0.0.1:0", "--max-target", "10"]).env("WGI_MAX_BODY", "4"));
    let address = running.address();
    assert!(ask_tcp(&address, "/0123456789").starts_with("HTTP/1.1 414 "));
    let mut connection = TcpStream::connect(&address).unwrap();
    connection.write_all(b"POST /length HTTP/1.0\r\nContent-Length: 5\r\n\r\n").unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert_eq!(running.stop().0, Some(0));
}

fn the_validator_is_put_around_the_application() {
    for (args, status) in [(&["--http", "127.0.0.1:0"][..], 200), (&["--http", "127.0.0.1:0", "--lint"], 500)] {
        let mut running = Running::new(&mut host(args));
        let answer = ask_tcp(&running.address(), "/untyped");
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        let (_, log) = running.stop();
        assert_eq!(log.contains("[5.16]"), status == 500, "{log}");
    }
    let mut command = host(&[]);
    command.env("GATEWAY_INTERFACE", "CGI/1.1").env("REQUEST_METHOD", "GET").env("PATH_INFO", "/untyped");
    let output = finish(command.env("WGI_LINT", "1"));
    assert!(text(&output.stdout).starts_with("Status: 500 "));
}

fn what_cannot_be_listened_on_is_one_line_and_status_1() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let (file, missing) = (format!("unix:{}", file.display()), format!("unix:{}/no/app.sock", folder.path().display()));
    for (address, reason) in [
        (taken.as_str(), "the address is in use; another program listens there".to_owned()),
        (&file, "there is a file at this path that is no socket; it was left as it is".to_owned()),
        (&missing, format!("there is no folder {}/no", folder.path().display())),
        ("192.0.2.1:0", "no interface of this machine has that address".to_owned()),
    ] {
        let output = finish(&mut host(&["--http", "127.0.0.1:0", "--http", address]));
        assert_eq!(output.status.code(), Some(1), "{address}");
        assert_eq!(text(&output.stderr), format!("shelf: cannot listen on {address}: {reason}\n"));
    }
}

fn a_wrong_option_is_two_lines_and_status_2() {
    let output = finish(&mut host(&["--htp", ":80"]));
    assert_eq!(output.status.code(), Some(2));
    let expected = "shelf: unknown option --htp; did you mean --http?\nTry `shelf --help`.\n";
    assert_eq!(text(&output.stderr), expected);
    let output = finish(host(&[]).env("LISTEN_FDS", "many"));
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).starts_with("shelf: LISTEN_FDS is `many`"), "{}", text(&output.stderr));
}

fn help_and_version_go_to_standard_output() {
    let output = finish(&mut host(&["--version"]));
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(0), "shelf 1.2.3\n"));
    let output = finish(&mut host(&["--help"]));
    let help = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0));
    assert!(help.starts_with("A shelf.\n\nUsage: shelf "), "{help}");
    for part in ["--max-body SIZE", "[2G]", "WGI_MAX_BODY", "--http ADDRESS", "(repeatable)", "$PORT"] {
        assert!(help.contains(part), "{part} in {help}");
    }
    for line in help.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
}
