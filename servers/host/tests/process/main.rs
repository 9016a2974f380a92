//! The launcher as a process: this program hosts an application when it is started as one, and is its test otherwise.

#![allow(clippy::print_stdout)]

mod listening;
mod options;
mod service_manager;

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, Command, ExitCode, Output, Stdio};

use wgi::{Body, Environ, Error, StartResponse, StatusCode};
use wgi_host::{Given, Host};

/// Tells a process of this program to be a host.
const HOST: &str = "WGI_TEST_HOST";

const TESTS: &[(&str, fn())] = &[
    ("an_address_is_told_and_served", listening::an_address_is_told_and_served),
    ("several_addresses_are_served_together", listening::several_addresses_are_served_together),
    ("ajp_is_served_to_who_knows_the_secret", listening::ajp_is_served_to_who_knows_the_secret),
    ("ajp_for_everybody_needs_a_secret", listening::ajp_for_everybody_needs_a_secret),
    ("a_unix_socket_has_its_mode_and_goes_at_the_end", listening::a_unix_socket_has_its_mode_and_goes_at_the_end),
    ("a_signal_lets_requests_in_flight_finish", listening::a_signal_lets_requests_in_flight_finish),
    ("descriptor_0_is_fastcgi", listening::descriptor_0_is_fastcgi),
    ("descriptor_0_is_for_known_web_servers", listening::descriptor_0_is_for_known_web_servers),
    ("sockets_of_a_service_manager_are_served", service_manager::sockets_of_a_service_manager_are_served),
    (
        "other_sockets_of_a_service_manager_are_explained",
        service_manager::other_sockets_of_a_service_manager_are_explained,
    ),
    ("sockets_for_another_process_are_left_alone", service_manager::sockets_for_another_process_are_left_alone),
    ("systemd_activates_sockets_by_name", service_manager::systemd_activates_sockets_by_name),
    ("the_service_manager_is_told", service_manager::the_service_manager_is_told),
    ("the_watchdog_is_told_while_the_engine_gets_on", service_manager::the_watchdog_is_told_while_the_engine_gets_on),
    (
        "a_cgi_program_answers_whatever_its_command_line_says",
        options::a_cgi_program_answers_whatever_its_command_line_says,
    ),
    ("the_deployers_variables_arrive", options::the_deployers_variables_arrive),
    ("a_limit_of_http_is_kept", options::a_limit_of_http_is_kept),
    ("the_validator_is_put_around_the_application", options::the_validator_is_put_around_the_application),
    (
        "what_cannot_be_listened_on_is_one_line_and_status_1",
        options::what_cannot_be_listened_on_is_one_line_and_status_1,
    ),
    ("a_wrong_option_is_two_lines_and_status_2", options::a_wrong_option_is_two_lines_and_status_2),
    ("help_and_version_go_to_standard_output", options::help_and_version_go_to_standard_output),
    ("a_program_is_made_of_its_own_options", options::a_program_is_made_of_its_own_options),
];

fn main() -> ExitCode {
    if std::env::var_os(HOST).is_some_and(|host| host == "greeter") {
        Host::configured(greeter).name("greeter").option("to", "NAME", "greet this one;\nat least one").run()
    }
    if std::env::var_os(HOST).is_some() {
        wgi_host::Host::new(app).name("shelf").version("1.2.3").about("A shelf.").run()
    }
    if let Ok(descriptors) = std::env::var("WGI_TEST_PASS_SOCKETS") {
        return service_manager::pass_sockets(&descriptors);
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
