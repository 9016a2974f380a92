//! A CGI program as a process, with real pipes: this one is the program itself when it is started as one.

#![allow(clippy::print_stdout)]

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, ExitCode, Output, Stdio};
use std::thread;

use wgi::{Body, Bytes, Environ, Error, StartResponse, StatusCode};

const TESTS: &[(&str, fn())] = &[
    ("a_program_answers_and_exits_with_success", a_program_answers_and_exits_with_success),
    ("the_command_line_is_never_looked_at", the_command_line_is_never_looked_at),
    ("a_cut_is_seen_in_the_exit_status", a_cut_is_seen_in_the_exit_status),
    ("without_a_request_a_person_is_told_what_this_is", without_a_request_a_person_is_told_what_this_is),
    ("a_server_without_method_gets_400", a_server_without_method_gets_400),
    ("a_chunk_arrives_before_the_next_is_made", a_chunk_arrives_before_the_next_is_made),
    ("a_file_is_sent_whole", a_file_is_sent_whole),
    ("a_server_that_goes_away_ends_the_program_quietly", a_server_that_goes_away_ends_the_program_quietly),
    ("a_server_may_write_all_before_it_reads", a_server_may_write_all_before_it_reads),
    ("a_socket_is_not_closed_with_something_unread_in_it", a_socket_is_not_closed_with_something_unread_in_it),
    ("a_server_may_write_all_to_a_socket_before_it_reads", a_server_may_write_all_to_a_socket_before_it_reads),
    (
        "a_body_that_breaks_off_while_it_is_taken_in_is_an_error",
        a_body_that_breaks_off_while_it_is_taken_in_is_an_error,
    ),
    ("a_body_that_nobody_reads_is_no_obstacle", a_body_that_nobody_reads_is_no_obstacle),
];

fn main() -> ExitCode {
    if wgi_cgi::is_cgi() || std::env::var_os("WGI_TEST_BY_HAND").is_some() {
        return wgi_cgi::run(app);
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
        b"/hello" => {
            start.start(StatusCode::OK, plain)?;
            Ok(Body::from("Hello, world!"))
        }
        b"/cut" => {
            start.start(StatusCode::OK, plain)?;
            Ok(Body::from_results([Ok(Bytes::from("partial")), Err(Error::new("later"))]))
        }
        // Makes a chunk for each byte that it reads.
        b"/turns" => {
            start.start(StatusCode::OK, plain)?;
            let mut turn = [0];
            let turns = std::iter::from_fn(move || match environ.input().read(&mut turn) {
                Ok(0) => None,
                Ok(_) => Some(Ok(turn.to_vec())),
                Err(error) => Some(Err(error)),
            });
            Ok(Body::from_results(turns))
        }
        b"/echo" => {
            start.start(StatusCode::OK, plain)?;
            Ok(Body::from_reader(std::mem::take(environ.input())))
        }
        b"/file" => {
            let mut file = tempfile::tempfile()?;
            file.write_all(&pattern(LARGE))?;
            std::io::Seek::rewind(&mut file)?;
            start.start(StatusCode::OK, plain)?;
            Ok(Body::file(file)?)
        }
        b"/bytes" => {
            start.start(StatusCode::OK, plain)?;
            Ok(Body::from(pattern(LARGE)))
        }
        _ => Err(Error::refused(StatusCode::NOT_FOUND, "no such path")),
    }
}

/// More than every buffer on the way, and than is kept in memory.
const LARGE: usize = 3_000_000;

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8).collect()
}

/// This program as a CGI program, with nothing in its environment but a request.
fn program(path: &str, length: Option<usize>) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env_clear().env("GATEWAY_INTERFACE", "CGI/1.1").env("REQUEST_METHOD", "POST").env("PATH_INFO", path);
    if let Some(length) = length {
        command.env("CONTENT_LENGTH", length.to_string());
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn body(output: &[u8]) -> &[u8] {
    let end = output.windows(4).position(|four| four == b"\r\n\r\n").expect("an empty line");
    &output[end + 4..]
}

fn finish(child: Child) -> Output {
    child.wait_with_output().unwrap()
}

fn a_program_answers_and_exits_with_success() {
    let output = program("/hello", None).output().unwrap();
    assert!(output.status.success());
    let expected = "Status: 200 OK\r\ncontent-type: text/plain\r\nContent-Length: 13\r\n\r\nHello, world!";
    assert_eq!(text(&output.stdout), expected);
    assert_eq!(text(&output.stderr), "");
}

fn the_command_line_is_never_looked_at() {
    let output = program("/hello", None).args(["--http", ":80", "--help", "-d", "x"]).output().unwrap();
    assert!(output.status.success());
    assert!(text(&output.stdout).ends_with("Hello, world!"));
}

/// [10.14]
fn a_cut_is_seen_in_the_exit_status() {
    let output = program("/cut", None).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(body(&output.stdout), b"partial");
    assert_eq!(text(&output.stderr), "wgi: POST /cut: later\n");
}

fn without_a_request_a_person_is_told_what_this_is() {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let output = command.env_clear().env("WGI_TEST_BY_HAND", "1").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stdout), "");
    assert!(text(&output.stderr).contains("this is a CGI program"), "{}", text(&output.stderr));
}

fn a_server_without_method_gets_400() {
    let output = program("/hello", None).env_remove("REQUEST_METHOD").output().unwrap();
    assert!(output.status.success());
    assert!(text(&output.stdout).starts_with("Status: 400 "));
}

fn a_chunk_arrives_before_the_next_is_made() {
    let mut child = program("/turns", Some(3)).spawn().unwrap();
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut seen = Vec::new();
    for turn in *b"abc" {
        stdin.write_all(&[turn]).unwrap();
        // Would wait forever for a chunk that is held back.
        while seen.last() != Some(&turn) || !seen.windows(4).any(|four| four == b"\r\n\r\n") {
            let mut byte = [0];
            stdout.read_exact(&mut byte).unwrap();
            seen.push(byte[0]);
        }
    }
    assert_eq!(body(&seen), b"abc");
    assert!(finish(child).status.success());
}

fn a_file_is_sent_whole() {
    let output = program("/file", None).output().unwrap();
    assert!(output.status.success());
    assert_eq!(body(&output.stdout), pattern(LARGE));
    // A file takes what a pipe does: some ways to send one into another are refused by the system.
    let mut into = tempfile::tempfile().unwrap();
    let status = program("/file", None).stdout(into.try_clone().unwrap()).status().unwrap();
    assert!(status.success());
    let mut sent = Vec::new();
    std::io::Seek::rewind(&mut into).unwrap();
    into.read_to_end(&mut sent).unwrap();
    assert_eq!(body(&sent), pattern(LARGE));
}

/// [10.14]
fn a_server_that_goes_away_ends_the_program_quietly() {
    for path in ["/bytes", "/file"] {
        let mut child = program(path, None).spawn().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        stdout.read_exact(&mut [0; 10]).unwrap();
        drop(stdout);
        let output = finish(child);
        assert!(output.status.success(), "{path}: {}", output.status);
        assert_eq!(text(&output.stderr), "", "{path}");
    }
}

fn a_server_may_write_all_before_it_reads() {
    let sent = pattern(LARGE);
    let mut child = program("/echo", Some(LARGE)).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&sent).unwrap();
    let output = finish(child);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(body(&output.stdout) == sent, "every byte comes back, in order");
}

/// As Apache's mod_cgid has it: one socket is standard input and output.
fn spawn_on_socket(mut command: Command) -> (Child, UnixStream) {
    let (server, program_end) = UnixStream::pair().unwrap();
    command.stdin(OwnedFd::from(program_end.try_clone().unwrap())).stdout(OwnedFd::from(program_end));
    // With the command goes what it holds of the program's end, which would keep the socket open.
    (command.spawn().unwrap(), server)
}

fn a_server_may_write_all_to_a_socket_before_it_reads() {
    let sent = pattern(LARGE);
    let (mut child, mut server) = spawn_on_socket(program("/echo", Some(LARGE)));
    server.write_all(&sent).unwrap();
    let mut output = Vec::new();
    server.read_to_end(&mut output).unwrap();
    assert!(body(&output) == sent, "every byte comes back, in order");
    assert!(child.wait().unwrap().success());
}

fn a_socket_is_not_closed_with_something_unread_in_it() {
    for (path, length, expected) in [
        ("/hello", LARGE.to_string(), b"Hello, world!".to_vec()),
        ("/bytes", LARGE.to_string(), pattern(LARGE)),
        ("/hello", "many".into(), b"400 Bad Request\nCONTENT_LENGTH is no decimal number of 64 bits\n".to_vec()),
    ] {
        let mut command = program(path, None);
        command.env("CONTENT_LENGTH", length);
        let (mut child, mut server) = spawn_on_socket(command);
        server.write_all(&pattern(LARGE)).unwrap();
        server.shutdown(Shutdown::Write).unwrap();
        let mut output = Vec::new();
        server.read_to_end(&mut output).expect("an end, and no error");
        assert!(body(&output) == expected, "{path}: {}", text(&output));
        assert!(child.wait().unwrap().success());
    }
}

fn a_body_that_breaks_off_while_it_is_taken_in_is_an_error() {
    let sent = pattern(LARGE);
    let mut child = program("/echo", Some(LARGE + 1)).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&sent).unwrap();
    let output = finish(child);
    assert_eq!(output.status.code(), Some(1));
    assert!(sent.starts_with(body(&output.stdout)));
}

fn a_body_that_nobody_reads_is_no_obstacle() {
    for path in ["/hello", "/bytes", "/file"] {
        let mut child = program(path, Some(LARGE)).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let writer = thread::spawn(move || {
            // fcgiwrap drops a response when it cannot write this.
            stdin.write_all(&pattern(LARGE))
        });
        let output = finish(child);
        writer.join().unwrap().expect("all of it is taken");
        assert!(output.status.success());
        let expected = if path == "/hello" { b"Hello, world!".to_vec() } else { pattern(LARGE) };
        assert!(body(&output.stdout) == expected, "{path}");
    }
}
