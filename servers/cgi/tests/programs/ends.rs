//! How a program ends: by itself, for its time is over, or with its client; and those that never start.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use wgi::{Environ, Errors, StatusCode};
use wgi_cgi::{ProgramOptions, Script};
use wgi_engine::{Engine, Listener, Options};
use wgi_http::Http;
use wgi_testbed::gateway::call;

use super::{Fifo, Written, bytes, client, directory, fifo, get, short_silence};

#[test]
fn a_program_that_dies_is_told_apart() {
    let client = client(directory());
    let before = client.get("/cgi-bin/dies.sh").send();
    assert_eq!(before.status, 502);
    assert!(before.errors.contains("it was ended by signal 9"), "{}", before.errors);
    let behind = client.get("/cgi-bin/dies.sh?Content-Type:text/plain++partial").try_send();
    match behind {
        Ok(response) => assert_eq!(response.status, 502),
        Err(cut) => assert_eq!(cut.response.body, "partial"),
    }
    // All that was announced is there.
    let whole = client.get("/cgi-bin/dies.sh?Content-Type:text/plain+Content-Length:5++whole").send();
    assert_eq!(whole.text(), "whole");
}

#[test]
fn an_exit_status_counts_where_it_is_said_to() {
    let response = get(directory(), "exits.sh");
    assert_eq!(response.text(), "partial");
    assert!(response.errors.contains("it ended with exit status 3"), "{}", response.errors);
    let mut options = ProgramOptions::default();
    options.heed_exit_status = true;
    match client(directory().options(options)).get("/cgi-bin/exits.sh").try_send() {
        Ok(response) => assert_eq!(response.status, 502),
        Err(cut) => assert_eq!(cut.response.body, "partial"),
    }
}

#[test]
fn a_flood_of_errors_is_bounded() {
    let response = get(directory(), "floods.sh");
    assert_eq!(response.text(), "answered");
    assert!(response.errors.starts_with("floods.sh: line 0\nfloods.sh: line 1\n"), "{:.100}", response.errors);
    assert!(response.errors.contains("bytes more of its errors stream were dropped"));
    // Each NUL is shown as `\u{0}`.
    assert!(response.errors.len() < 6 * 65_536, "{}", response.errors.len());
}

#[test]
fn a_program_that_hangs_is_ended_with_its_group() {
    for (query, what) in [("", "before its head"), ("Content-Type:text/plain++started", "behind it")] {
        let fifo = Fifo::new();
        let app = directory().options(short_silence()).env("FIFO", bytes(&fifo.path));
        match client(app).get(&format!("/cgi-bin/hangs.sh?{query}")).try_send() {
            Ok(response) => {
                assert_eq!((response.status.as_u16(), query), (504, ""), "{what}");
                assert!(response.errors.contains("it did nothing for 300ms"), "{}", response.errors);
            }
            Err(cut) => assert_eq!((&cut.response.body[..], query.is_empty()), (&b"started"[..], false), "{what}"),
        }
        fifo.ended();
    }
}

#[test]
fn a_program_has_a_time_in_all() {
    let mut options = short_silence();
    options.limits.silence = Duration::from_secs(600);
    options.limits.total = Duration::from_millis(300);
    let fifo = Fifo::new();
    let app = directory().options(options).env("FIFO", bytes(&fifo.path));
    let cut = client(app).get("/cgi-bin/endless.sh").try_send().unwrap_err();
    assert!(cut.response.errors.contains("took more than 300ms"), "{}", cut.response.errors);
    fifo.ended();
}

#[test]
fn a_program_ends_when_nobody_wants_the_rest() {
    for (program, first) in [
        ("/endless.sh", &b"0123456789"[..]),
        ("/stubborn.sh", b"started"),
        ("/hangs.sh?Content-Type:text/plain++started", b"started"),
    ] {
        let fifo = Fifo::new();
        let mut options = ProgramOptions::default();
        options.grace = Duration::from_millis(100);
        let app = directory().options(options).env("FIFO", bytes(&fifo.path));
        let (head, mut body) = call(&app, Environ::for_testing("GET", program)).unwrap();
        assert_eq!(head.status, StatusCode::OK);
        assert!(body.next().unwrap().unwrap().starts_with(first), "{program}");
        drop(body);
        fifo.ended();
    }
}

/// A client that asks for the head alone cannot make it run for ever.
#[test]
fn a_body_that_nobody_gets_comes_to_an_end() {
    for (program, query) in [("endless.sh", ""), ("hangs.sh", "?Content-Type:text/plain++started")] {
        let fifo = Fifo::new();
        let app = directory().env("FIFO", bytes(&fifo.path));
        let response = client(app).head(&format!("/cgi-bin/{program}{query}")).send();
        assert_eq!((response.status.as_u16(), response.body.len()), (200, 0), "{program}");
        fifo.ended();
    }
}

/// [6.12]
#[test]
fn a_program_that_is_silent_holds_no_thread_and_ends_with_its_client() {
    let fifo = Fifo::new();
    let app = directory().env("FIFO", bytes(&fifo.path));
    let mut options = Options::default();
    options.threads = 1;
    let mut engine = Engine::new(options);
    let listener = Listener::bind(&"127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.address().to_string();
    engine.listen(listener, Http::new(), Arc::new(app));
    let handle = engine.handle();
    let running = std::thread::spawn(move || engine.run());

    let ask = |path: &str| {
        let mut connection = TcpStream::connect(&address).unwrap();
        write!(connection, "GET {path} HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
        BufReader::new(connection)
    };
    let read_to = |connection: &mut BufReader<TcpStream>, end: &str| {
        let mut text = String::new();
        while !text.ends_with(end) {
            assert_ne!(connection.read_line(&mut text).unwrap(), 0, "{text}");
        }
        text
    };
    let mut silent = ask("/hangs.sh?Content-Type:text/plain++started+");
    read_to(&mut silent, "started\n");
    // There is one thread, and it is free.
    let mut other = ask("/hello.sh?Ada");
    assert!(read_to(&mut other, "Hello from a shell, Ada!\n").starts_with("HTTP/1.1 200 OK\r\n"));
    // The client is gone for good: closed with a reset, as by the end of its machine.
    rustix::net::sockopt::set_socket_linger(silent.get_ref(), Some(Duration::ZERO)).unwrap();
    drop(silent);
    fifo.ended();
    drop(other);
    handle.stop();
    running.join().unwrap().unwrap();
}

#[test]
fn a_program_may_go_on_behind_its_response() {
    let (_folder, release) = fifo();
    let fifo = Fifo::new();
    let app = directory().env("FIFO", bytes(&fifo.path)).env("RELEASE", bytes(&release));
    assert_eq!(get(app, "lingers.sh").text(), "done");
    // Only now it is let on, and what it does then is still done.
    File::options().write(true).open(&release).unwrap().write_all(b"worked on").unwrap();
    assert_eq!(fifo.ended(), "worked on");
}

#[test]
fn as_many_run_as_may() {
    let fifo = Fifo::new();
    let mut options = ProgramOptions::default();
    options.max_children = 1;
    options.grace = Duration::from_millis(100);
    options.limits.queue = Duration::from_millis(50);
    let app = directory().options(options).env("FIFO", bytes(&fifo.path));
    let (_, body) = call(&app, Environ::for_testing("GET", "/endless.sh")).unwrap();
    let error = call(&app, Environ::for_testing("GET", "/hello.sh")).unwrap_err();
    assert_eq!(error.status(), 503);
    drop(body);
    fifo.ended();
    let mut last = None;
    // Its place is free when it is reaped, which comes a little behind its end.
    for _ in 0..200 {
        last = call(&app, Environ::for_testing("GET", "/hello.sh")).ok();
        if last.is_some() {
            break;
        }
    }
    assert!(last.is_some(), "the place stays taken");
}

#[test]
fn no_process_is_left_unreaped() {
    for _ in 0..5 {
        assert_eq!(get(directory(), "hello.sh").status, 200);
        assert_eq!(get(directory(), "dies.sh").status, 502);
    }
    let this = std::process::id().to_string();
    let mut zombies = 0;
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        let Some((before, after)) = stat.rsplit_once(") ") else { continue };
        let mut fields = after.split(' ');
        let (state, parent) = (fields.next(), fields.next());
        // Other tests of this process run at the same time, and theirs may just have ended.
        if state == Some("Z") && parent == Some(&this) && before.ends_with("(hello.sh") {
            zombies += 1;
        }
    }
    assert!(zombies < 3, "{zombies} are left");
}

#[test]
fn what_cannot_be_started_says_so_to_the_operator() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data");
    fs::write(&path, "no program").unwrap();
    for (script, status, reason) in [
        (path.as_path(), 403, "Permission denied"),
        (Path::new("/nonexistent/program"), 500, "No such file"),
        (Path::new("/"), 403, "Permission denied"),
    ] {
        let written = Arc::new(Written::default());
        let environ = Environ::for_testing("GET", "/").with_errors(Errors::new(written.clone()));
        let error = call(&Script::new(script).unwrap(), environ).unwrap_err();
        assert_eq!(error.status().as_u16(), status, "{}", script.display());
        let said = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        assert!(said.contains(reason), "{said}");
        assert!(!error.to_string().contains("nonexistent"), "{error}");
    }
    let mut environ = Environ::for_testing("GET", "/hello.sh");
    environ.set_var("HTTP_X_LONG", "x".repeat(200_000));
    assert_eq!(call(&directory(), environ).unwrap_err().status().as_u16(), 431);
}
