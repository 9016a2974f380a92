//! Addresses and sockets to listen on, and each protocol there.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};

use super::{Running, SCGI, UWSGI, ask_ajp, ask_fastcgi, ask_tcp, ask_with, finish, host, text};

pub(crate) fn an_address_is_told_and_served() {
    let mut running = Running::new(&mut host(&["--http", "127.0.0.1:0"]));
    let address = running.address();
    assert!(!address.ends_with(":0"), "{address}");
    let answer = ask_tcp(&address, "/");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("GET false"), "{answer}");
    let (status, _) = running.stop();
    assert_eq!(status, Some(0));
}

pub(crate) fn several_addresses_are_served_together() {
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

/// [10.25]
pub(crate) fn ajp_is_served_to_who_knows_the_secret() {
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
pub(crate) fn ajp_for_everybody_needs_a_secret() {
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

pub(crate) fn a_unix_socket_has_its_mode_and_goes_at_the_end() {
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

pub(crate) fn a_signal_lets_requests_in_flight_finish() {
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

pub(crate) fn descriptor_0_is_fastcgi() {
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
pub(crate) fn descriptor_0_is_for_known_web_servers() {
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
