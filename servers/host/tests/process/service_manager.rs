//! Under a service manager: the sockets that it passes on, and what it is told.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use super::{HOST, Running, ask_fastcgi, ask_tcp, finish, host, text};

/// Becomes a host with the sockets at `descriptors` as systemd passes them: from 3 on, and with the process's own
/// number in LISTEN_PID, which nobody else can know.
pub(crate) fn pass_sockets(descriptors: &str) -> ExitCode {
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

pub(crate) fn sockets_of_a_service_manager_are_served() {
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

pub(crate) fn other_sockets_of_a_service_manager_are_explained() {
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

pub(crate) fn sockets_for_another_process_are_left_alone() {
    let mut running = Running::new(host(&["--http", "127.0.0.1:0"]).env("LISTEN_FDS", "1").env("LISTEN_PID", "1"));
    let line = running.line();
    assert!(line.contains("LISTEN_FDS is meant for process 1, not for this one"), "{line}");
    assert!(ask_tcp(&running.address(), "/").ends_with("GET false"));
    assert_eq!(running.stop().0, Some(0));
}

/// With systemd's own program for this, which passes sockets on and becomes the host at the first connection.
pub(crate) fn systemd_activates_sockets_by_name() {
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

pub(crate) fn the_service_manager_is_told() {
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

pub(crate) fn the_watchdog_is_told_while_the_engine_gets_on() {
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
