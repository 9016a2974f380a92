//! What is said to a program, by options and variables, and what it says when that is wrong.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use super::{HOST, Running, ask_tcp, finish, host, text};

/// [10.12]
pub(crate) fn a_cgi_program_answers_whatever_its_command_line_says() {
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

pub(crate) fn the_deployers_variables_arrive() {
    let mut running = Running::new(&mut host(&["--http", "127.0.0.1:0", "--environ", "SHELF=a=b"]));
    assert!(ask_tcp(&running.address(), "/shelf").ends_with("\r\n\r\na=b"));
    assert_eq!(running.stop().0, Some(0));
}

pub(crate) fn a_limit_of_http_is_kept() {
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

pub(crate) fn the_validator_is_put_around_the_application() {
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

pub(crate) fn what_cannot_be_listened_on_is_one_line_and_status_1() {
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

pub(crate) fn a_wrong_option_is_two_lines_and_status_2() {
    let output = finish(&mut host(&["--htp", ":80"]));
    assert_eq!(output.status.code(), Some(2));
    let expected = "shelf: unknown option --htp; did you mean --http?\nTry `shelf --help`.\n";
    assert_eq!(text(&output.stderr), expected);
    let output = finish(host(&[]).env("LISTEN_FDS", "many"));
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).starts_with("shelf: LISTEN_FDS is `many`"), "{}", text(&output.stderr));
}

pub(crate) fn help_and_version_go_to_standard_output() {
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

pub(crate) fn a_program_is_made_of_its_own_options() {
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
