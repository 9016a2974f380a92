//! The launcher as a process: this program hosts an application when it is started as one, and is its test otherwise.

#![allow(clippy::print_stdout)]

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, Command, ExitCode, Output, Stdio};
use std::time::Duration;

use wgi::{Body, Environ, Error, StartResponse, StatusCode};
use wgi_host::{Given, Host};

/// Tells a process of this program to be a host.
const HOST: &str = "WGI_TEST_HOST";

const TESTS: &[(&str, fn())] = &[
    ("an_address_is_told_and_served", an_address_is_told_and_served),
    ("several_addresses_are_served_together", several_addresses_are_served_together),
    ("ajp_is_served_to_who_knows_the_secret", ajp_is_served_to_who_knows_the_secret),
    ("ajp_for_everybody_needs_a_secret", ajp_for_everybody_needs_a_secret),
    ("a_unix_socket_has_its_mode_and_goes_at_the_end", a_unix_socket_has_its_mode_and_goes_at_the_end),
    ("a_signal_lets_requests_in_flight_finish", a_signal_lets_requests_in_flight_finish),
    ("descriptor_0_is_fastcgi", descriptor_0_is_fastcgi),
    ("descriptor_0_is_for_known_web_servers", descriptor_0_is_for_known_web_servers),
    ("sockets_of_a_service_manager_are_served", sockets_of_a_service_manager_are_served),
    ("other_sockets_of_a_service_manager_are_explained", other_sockets_of_a_service_manager_are_explained),
    ("sockets_for_another_process_are_left_alone", sockets_for_another_process_are_left_alone),
    ("systemd_activates_sockets_by_name", systemd_activates_sockets_by_name),
    ("the_service_manager_is_told", the_service_manager_is_told),
    ("the_watchdog_is_told_while_the_engine_gets_on", the_watchdog_is_told_while_the_engine_gets_on),
    ("a_cgi_program_answers_whatever_its_command_line_says", a_cgi_program_answers_whatever_its_command_line_says),
    ("the_deployers_variables_arrive", the_deployers_variables_arrive),
    ("a_limit_of_http_is_kept", a_limit_of_http_is_kept),
    ("the_validator_is_put_around_the_application", the_validator_is_put_around_the_application),
    ("what_cannot_be_listened_on_is_one_line_and_status_1", what_cannot_be_listened_on_is_one_line_and_status_1),
    ("a_wrong_option_is_two_lines_and_status_2", a_wrong_option_is_two_lines_and_status_2),
    ("help_and_version_go_to_standard_output", help_and_version_go_to_standard_output),
    ("a_program_is_made_of_its_own_options", a_program_is_made_of_its_own_options),
];

fn main() -> ExitCode {
    if std::env::var_os(HOST).is_some_and(|host| host == "greeter") {
        Host::configured(greeter).name("greeter").option("to", "NAME", "greet this one;\nat least one").run()
    }
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

/// Greets those that its own options name.
fn greeter(given: &Given) -> Result<impl wgi::App + use<>, String> {
    let names: Vec<_> = given.all("to").iter().map(|name| name.to_string_lossy().into_owned()).collect();
    if names.is_empty() {
        return Err("there is nobody to greet".into());
    }
    Ok(move |_: Environ, start: &mut dyn StartResponse| {
        start.start(StatusCode::OK, [("content-type", "text/plain")])?;
        Ok(Body::from(format!("Hello, {}!", names.join(" and "))))
    })
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
        // What a process that the application starts has in its environment.
        b"/child" => {
            let output = Command::new("/usr/bin/env").output()?;
            start.start(StatusCode::OK, plain)?;
            Ok(Body::from(output.stdout))
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

    /// The first line that starts like this.
    fn line_with(&mut self, start: &str) -> String {
        loop {
            let line = self.line();
            assert!(!line.is_empty(), "there is no line `{start}`");
            if line.starts_with(start) {
                return line;
            }
        }
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

/// Sends a request and reads to the end.
fn ask_with(request: &[u8], mut connection: impl Read + Write) -> String {
    connection.write_all(request).unwrap();
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).unwrap();
    text(&answer)
}

/// A request of SCGI for `/`.
const SCGI: &[u8] = b"57:CONTENT_LENGTH\x000\0SCGI\x001\0REQUEST_METHOD\0GET\0REQUEST_URI\0/\0,";

/// The same of uwsgi.
const UWSGI: &[u8] = b"\0\x23\0\0\x0e\0REQUEST_METHOD\x03\0GET\x09\0PATH_INFO\x01\0/";

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
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    let at_path = format!("unix:{}", path.display());
    let args = ["--http", "127.0.0.1:0", "--fastcgi", "127.0.0.1:0", "--http", "localhost:0"];
    let more = ["--scgi", "127.0.0.1:0", "--uwsgi", "127.0.0.1:0", "--scgi", &at_path];
    let mut running = Running::new(&mut host(&[&args[..], &more].concat()));
    let (http, fastcgi, named) = (running.address(), running.address(), running.address());
    assert!(named.starts_with("localhost:"), "{named}");
    for address in [http, named] {
        assert!(ask_tcp(&address, "/").ends_with("GET false"));
    }
    let answer = ask_fastcgi(TcpStream::connect(fastcgi).unwrap()).unwrap();
    assert!(answer.contains("Status: 200 OK") && answer.contains("GET false"), "{answer}");
    let (scgi, uwsgi) = (running.address(), running.address());
    assert_eq!(running.line(), format!("listening on {at_path} (scgi)"));
    for answer in [
        ask_with(SCGI, TcpStream::connect(scgi).unwrap()),
        ask_with(UWSGI, TcpStream::connect(uwsgi).unwrap()),
        ask_with(SCGI, UnixStream::connect(path).unwrap()),
    ] {
        assert!(answer.contains(" 200 OK\r\n") && answer.ends_with("GET false"), "{answer}");
    }
    assert_eq!(running.stop().0, Some(0));
}

/// A request of AJP for `/`, with the secret `sesame`.
const AJP: &[u8] = b"\x12\x34\0\x31\x02\x02\0\x08HTTP/1.1\0\0\x01/\0\xff\xff\xff\xff\0\x09localhost\0\0\x50\0\0\0\
    \x0c\0\x06sesame\0\xff";

/// Sends a request of AJP and reads to the end of its response.
fn ask_ajp(mut connection: impl Read + Write) -> String {
    connection.write_all(AJP).unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"AB\0\x02\x05\x01") {
        let mut byte = [0];
        match connection.read(&mut byte) {
            Ok(1) => answer.push(byte[0]),
            _ => break,
        }
    }
    text(&answer)
}

/// [10.25]
fn ajp_is_served_to_who_knows_the_secret() {
    let folder = tempfile::tempdir().unwrap();
    let (path, secret) = (folder.path().join("app.sock"), folder.path().join("secret"));
    let at_path = format!("unix:{}", path.display());
    let secret_file = secret.to_str().unwrap();
    for (content, served) in [("sesame", true), ("sesame\n", true), ("sesame\r\n", true), ("sesame \n", false)] {
        fs::write(&secret, content).unwrap();
        let args = ["--ajp", "127.0.0.1:0", "--ajp", &at_path, "--ajp", ":0", "--ajp-secret-file", secret_file];
        let mut running = Running::new(&mut host(&args));
        let address = running.address();
        assert_eq!(running.line(), format!("listening on {at_path} (ajp)"));
        let open = running.line();
        assert!(open.starts_with("listening on ajp://localhost:") && open.ends_with(" (every interface)"), "{open}");
        for answer in [ask_ajp(TcpStream::connect(address).unwrap()), ask_ajp(UnixStream::connect(&path).unwrap())] {
            assert_eq!(answer.contains("GET false"), served, "{answer}");
            assert_eq!(answer.contains("Forbidden"), !served, "{answer}");
        }
        assert_eq!(running.stop().0, Some(0));
    }
}

/// [10.25]
fn ajp_for_everybody_needs_a_secret() {
    for address in [":0", "0.0.0.0:0"] {
        let output = finish(&mut host(&["--ajp", "127.0.0.1:0", "--ajp", address]));
        assert_eq!(output.status.code(), Some(1), "{address}");
        let said = text(&output.stderr);
        assert!(said.starts_with("shelf: cannot listen on ") && said.contains("AJP without a secret"), "{said}");
        assert!(said.ends_with("; name one with --ajp-secret-file\n") && said.lines().count() == 1, "{said}");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    for (content, reason) in [(None, "No such file"), (Some(""), "it is empty"), (Some("\n"), "it is empty")] {
        if let Some(content) = content {
            fs::write(&file, content).unwrap();
        }
        let args = ["--ajp", ":0", "--ajp-secret-file", file.to_str().unwrap()];
        let output = finish(&mut host(&args));
        assert_eq!(output.status.code(), Some(1));
        let said = text(&output.stderr);
        assert!(said.starts_with("shelf: cannot take the secret of AJP from ") && said.contains(reason), "{said}");
    }
    // Without one, this machine alone.
    let mut running = Running::new(&mut host(&["--ajp", "localhost:0"]));
    let address = running.address();
    assert!(ask_ajp(TcpStream::connect(address).unwrap()).contains("GET false"));
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

/// A host that is started with sockets as systemd does it.
fn host_with_sockets(sockets: &[&dyn AsFd]) -> Command {
    let mut descriptors = Vec::new();
    for socket in sockets {
        let socket = socket.as_fd();
        rustix::io::fcntl_setfd(socket, rustix::io::FdFlags::empty()).unwrap();
        descriptors.push(socket.as_raw_fd().to_string());
    }
    let mut command = host(&[]);
    command.env_remove(HOST).env("WGI_TEST_PASS_SOCKETS", descriptors.join(","));
    command
}

fn sockets_of_a_service_manager_are_served() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    let (http, fastcgi) = (TcpListener::bind("127.0.0.1:0").unwrap(), UnixListener::bind(&path).unwrap());
    let mut running = Running::new(host_with_sockets(&[&http, &fastcgi]).env("LISTEN_FDNAMES", "web:fastcgi"));
    assert_eq!(running.address(), http.local_addr().unwrap().to_string());
    assert_eq!(running.line(), format!("listening on unix:{} (fastcgi)", path.display()));
    assert!(ask_tcp(&http.local_addr().unwrap().to_string(), "/").ends_with("GET false"));
    assert!(ask_fastcgi(UnixStream::connect(&path).unwrap()).unwrap().contains("Status: 200 OK"));
    assert_eq!(running.stop().0, Some(0));
}

fn other_sockets_of_a_service_manager_are_explained() {
    let http = TcpListener::bind("127.0.0.1:0").unwrap();
    let datagram = UdpSocket::bind("127.0.0.1:0").unwrap();
    let connected = TcpStream::connect(http.local_addr().unwrap()).unwrap();
    let file = fs::File::open("/dev/null").unwrap();
    let no_stream = "it is no stream socket of TCP or Unix";
    for (other, reason) in [
        (&datagram as &dyn AsFd, no_stream),
        (&file, no_stream),
        (&connected, "the descriptor is a socket that does not listen"),
    ] {
        let output = finish(&mut host_with_sockets(&[&http, other]));
        let remedy = "a socket unit for it has ListenStream=, and no Accept=yes";
        assert_eq!(text(&output.stderr), format!("shelf: socket 1 of LISTEN_FDS: {reason}; {remedy}\n"));
        assert_eq!(output.status.code(), Some(1));
    }
}

fn sockets_for_another_process_are_left_alone() {
    let mut running = Running::new(host(&["--http", "127.0.0.1:0"]).env("LISTEN_FDS", "1").env("LISTEN_PID", "1"));
    let line = running.line();
    assert!(line.contains("LISTEN_FDS is meant for process 1, not for this one"), "{line}");
    assert!(ask_tcp(&running.address(), "/").ends_with("GET false"));
    assert_eq!(running.stop().0, Some(0));
}

/// With systemd's own program for this, which passes sockets on and becomes the host at the first connection.
fn systemd_activates_sockets_by_name() {
    if Command::new("systemd-socket-activate").arg("--version").output().is_err() {
        println!("skipped: there is no systemd-socket-activate here");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    // A port that is free now may be taken by the time systemd asks for it.
    let (mut running, address) = (0..5)
        .find_map(|_| {
            let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
            let _ = fs::remove_file(&path);
            let mut command = Command::new("systemd-socket-activate");
            command.args(["--listen", &address, "--listen"]).arg(&path).arg("--fdname=shelf-http:fastcgi-internal");
            command.arg(format!("--setenv={HOST}=1")).arg(std::env::current_exe().unwrap()).args(["--threads", "2"]);
            let mut running = Running::new(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()));
            running.line().starts_with("Listening on").then_some((running, address))
        })
        .expect("systemd-socket-activate listens");
    running.line_with("Listening on");
    let first = std::thread::spawn({
        let address = address.clone();
        move || ask_tcp(&address, "/")
    });
    assert_eq!(running.line_with("listening on"), format!("listening on http://{address}/"));
    assert_eq!(running.line(), format!("listening on unix:{} (fastcgi)", path.display()));
    assert!(first.join().unwrap().ends_with("GET false"), "the connection that started it is served");
    assert!(ask_tcp(&address, "/").ends_with("GET false"));
    assert!(ask_fastcgi(UnixStream::connect(&path).unwrap()).unwrap().contains("Status: 200 OK"));
    assert!(!ask_tcp(&address, "/child").contains("LISTEN_PID"));
    assert_eq!(running.stop().0, Some(0));
    assert!(path.exists(), "the file belongs to who made it");
}

/// A service manager: a socket that hosts send datagrams to.
struct Manager(UnixDatagram);

impl Manager {
    /// The next message; none when nothing comes for a while.
    fn message(&self) -> Option<String> {
        let mut message = [0; 4096];
        let length = self.0.recv(&mut message).ok()?;
        Some(text(&message[..length]))
    }

    /// The next message with this line.
    fn message_with(&self, line: &str) -> String {
        self.0.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        loop {
            let message = self.message().unwrap_or_else(|| panic!("no message with {line}"));
            if message.lines().any(|candidate| candidate == line) {
                return message;
            }
        }
    }
}

fn the_service_manager_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let name = format!("@wgi-test-{}", std::process::id());
    let with_name = SocketAddr::from_abstract_name(name.trim_start_matches('@')).unwrap();
    for (socket, name) in [
        (UnixDatagram::bind(&path).unwrap(), path.to_str().unwrap()),
        (UnixDatagram::bind_addr(&with_name).unwrap(), &name),
    ] {
        let manager = Manager(socket);
        let mut command = host(&["--http", "127.0.0.1:0", "--http", "127.0.0.1:0"]);
        let mut running = Running::new(command.env("NOTIFY_SOCKET", name).env("WATCHDOG_PID", "1"));
        let addresses = [running.address(), running.address()];
        let ready = manager.message_with("READY=1");
        let [first, second] = &addresses;
        let status = format!("STATUS=listening on http://{first}/; listening on http://{second}/");
        assert!(ready.lines().any(|line| line == status), "{ready}");
        let environment = ask_tcp(first, "/child");
        assert!(environment.contains(HOST), "{environment}");
        for variable in ["NOTIFY_SOCKET", "WATCHDOG_PID"] {
            assert!(!environment.contains(variable), "{environment}");
        }
        assert_eq!(running.stop().0, Some(0));
        manager.message_with("STOPPING=1");
    }
}

fn the_watchdog_is_told_while_the_engine_gets_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let manager = Manager(UnixDatagram::bind(&path).unwrap());
    let mut command = host(&["--http", "127.0.0.1:0", "--threads", "1", "--body-buffer", "1"]);
    let mut running = Running::new(command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "200000"));
    let mut connection = TcpStream::connect(running.address()).unwrap();
    for _ in 0..3 {
        manager.message_with("WATCHDOG=1");
    }
    // Its only thread waits for a body.
    connection.write_all(b"POST /length HTTP/1.0\r\nContent-Length: 5\r\n\r\nab").unwrap();
    assert_eq!(running.line(), "reading");
    manager.0.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    assert!((0..100).any(|_| manager.message().is_none()), "the watchdog is told of an engine that stands still");
    connection.write_all(b"cde").unwrap();
    manager.message_with("WATCHDOG=1");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("\r\n\r\n5"), "{answer}");
    assert_eq!(running.stop().0, Some(0));
    manager.message_with("STOPPING=1");
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

fn a_program_is_made_of_its_own_options() {
    let greeter = |args: &[&str]| {
        let mut command = host(args);
        command.env(HOST, "greeter");
        command
    };
    let mut running = Running::new(&mut greeter(&["--to", "Ada", "--http", "127.0.0.1:0", "--to", "Bob"]));
    assert!(ask_tcp(&running.address(), "/").ends_with("Hello, Ada and Bob!"));
    assert_eq!(running.stop().0, Some(0));

    let output = finish(&mut greeter(&["--http", "127.0.0.1:0"]));
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(text(&output.stderr), "greeter: there is nobody to greet\nTry `greeter --help`.\n");

    let help = text(&finish(&mut greeter(&["--help"])).stdout);
    for part in ["What it does:\n  --to NAME                   greet this one;\n", "  at least one\n", "GREETER_TO"] {
        assert!(help.contains(part), "{part} in {help}");
    }

    // A CGI program has what its variables say, and still never looks at its command line.
    let mut cgi = greeter(&["--to", "Eve"]);
    cgi.env("GATEWAY_INTERFACE", "CGI/1.1").env("REQUEST_METHOD", "GET").env("PATH_INFO", "/");
    let output = finish(&mut cgi);
    assert!(text(&output.stdout).starts_with("Status: 500 "), "{}", text(&output.stdout));
    assert!(text(&output.stderr).starts_with("greeter: there is nobody to greet\n"), "{}", text(&output.stderr));
    let output = finish(cgi.env("GREETER_TO", "Ada"));
    assert!(text(&output.stdout).ends_with("Hello, Ada!"), "{}", text(&output.stdout));
}
