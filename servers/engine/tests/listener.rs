//! Addresses and listening sockets, with real sockets on free ports and in temporary folders.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Barrier;
use std::thread;

use socket2::{SockRef, Socket};
use wgi_engine::{Address, BindOptions, Listener};

fn tcp(host: &str, port: u16) -> Address {
    Address::Tcp { host: host.into(), port }
}

fn unix(path: &Path) -> Address {
    Address::Unix(path.to_owned())
}

fn port(listener: &Listener) -> u16 {
    match listener.address() {
        Address::Tcp { port, .. } => *port,
        Address::Unix(path) => panic!("{}", path.display()),
    }
}

/// Accepts one connection that is known to wait, and gives it as a blocking socket.
fn accept(listener: &Listener) -> Socket {
    let (socket, _) = SockRef::from(listener).accept().unwrap();
    socket.set_nonblocking(false).unwrap();
    socket
}

fn message(address: &Address) -> (ErrorKind, String) {
    let error = Listener::bind(address).unwrap_err();
    (error.kind(), error.to_string())
}

#[test]
fn addresses_are_read_and_shown() {
    for (text, address) in [
        ("127.0.0.1:80", tcp("127.0.0.1", 80)),
        ("localhost:0", tcp("localhost", 0)),
        ("[::1]:8080", tcp("::1", 8080)),
        (":65535", tcp("", 65535)),
        ("unix:/run/a b:1.sock", unix(Path::new("/run/a b:1.sock"))),
        ("unix:app.sock", unix(Path::new("app.sock"))),
    ] {
        assert_eq!(text.parse(), Ok(address.clone()), "{text}");
        assert_eq!(address.to_string(), text);
    }
}

#[test]
fn a_bad_address_is_told_what_was_expected() {
    for (text, hint) in [
        ("", "has no port"),
        ("localhost", "has no port; write HOST:PORT"),
        ("8080", "write 127.0.0.1:8080, or :8080"),
        ("localhost:", "is no port"),
        ("localhost:http", "`http` in `localhost:http` is no port"),
        ("localhost:+80", "is no port"),
        ("localhost:-1", "is no port"),
        ("localhost:65536", "from 0 to 65535"),
        ("::1:80", "in brackets"),
        ("[::1]", "[V6]:PORT"),
        ("[::1]80", "[V6]:PORT"),
        ("[localhost]:80", "no IPv6 address"),
        ("unix:", "names no path"),
        ("/run/app.sock", "write unix:/run/app.sock"),
        ("http://localhost:80", "leave out `http://`"),
        ("local host:80", "' '"),
        ("a/b:80", "'/'"),
    ] {
        let error = text.parse::<Address>().unwrap_err();
        assert!(error.contains(hint), "{text}: {error}");
        assert!(error.contains(text), "{text}: {error}");
    }
}

#[test]
fn a_listener_tells_the_port_that_the_system_chose() {
    let listener = Listener::bind(&tcp("127.0.0.1", 0)).unwrap();
    assert_ne!(port(&listener), 0);
    assert_eq!(listener.address(), &tcp("127.0.0.1", port(&listener)));
    TcpStream::connect(("127.0.0.1", port(&listener))).unwrap();
}

#[test]
fn a_name_is_resolved_and_kept() {
    let listener = Listener::bind(&tcp("localhost", 0)).unwrap();
    assert_eq!(listener.address(), &tcp("localhost", port(&listener)));
    TcpStream::connect(("localhost", port(&listener))).unwrap();
}

#[test]
fn an_empty_host_is_every_interface_of_both_versions() {
    let listener = Listener::bind(&tcp("", 0)).unwrap();
    TcpStream::connect((Ipv4Addr::LOCALHOST, port(&listener))).unwrap();
    if TcpListener::bind("[::1]:0").is_ok() {
        TcpStream::connect(("::1", port(&listener))).unwrap();
    }
}

#[test]
fn a_connection_inherits_what_is_set_on_its_listener() {
    let listener = Listener::bind(&tcp("127.0.0.1", 0)).unwrap();
    assert!(SockRef::from(&listener).nonblocking().unwrap());
    let _peer = TcpStream::connect(("127.0.0.1", port(&listener))).unwrap();
    let accepted = accept(&listener);
    assert!(accepted.tcp_nodelay().unwrap());
    assert!(accepted.keepalive().unwrap());
}

#[test]
fn a_taken_port_is_in_use() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    for host in ["127.0.0.1", ""] {
        let (kind, text) = message(&tcp(host, port));
        assert_eq!(kind, ErrorKind::AddrInUse);
        assert_eq!(
            text,
            format!("cannot listen on {host}:{port}: the address is in use; another program listens there")
        );
    }
}

#[test]
fn a_port_is_free_again_when_its_server_has_closed_connections() {
    let listener = Listener::bind(&tcp("127.0.0.1", 0)).unwrap();
    let address = listener.address().clone();
    let mut peer = TcpStream::connect(("127.0.0.1", port(&listener))).unwrap();
    // The side that closes first keeps the port in TIME_WAIT.
    drop(accept(&listener));
    assert_eq!(peer.read(&mut [0; 1]).unwrap(), 0);
    drop(peer);
    drop(listener);
    Listener::bind(&address).unwrap();
}

#[test]
fn an_address_of_another_machine_is_refused() {
    // TEST-NET-1 (RFC 5737) is nobody's.
    let (kind, text) = message(&tcp("192.0.2.1", 0));
    assert_eq!(kind, ErrorKind::AddrNotAvailable);
    assert_eq!(text, "cannot listen on 192.0.2.1:0: no interface of this machine has that address");
}

#[test]
fn a_name_without_address_is_named() {
    // `.invalid` never resolves (RFC 6761 §6.4).
    let (_, text) = message(&tcp("wgi.invalid", 80));
    assert!(text.starts_with("cannot listen on wgi.invalid:80: `wgi.invalid` cannot be resolved: "), "{text}");
}

#[test]
fn a_socket_file_lives_as_long_as_its_listener() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    let listener = Listener::bind(&unix(&path)).unwrap();
    assert_eq!(listener.address(), &unix(&path));
    UnixStream::connect(&path).unwrap();
    drop(listener);
    assert!(!path.exists());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing else is left behind");
}

#[test]
fn the_mode_of_a_socket_file_is_exact() {
    let folder = tempfile::tempdir().unwrap();
    for mode in [0o600, 0o660, 0o666] {
        let path = folder.path().join(format!("{mode:o}.sock"));
        let mut options = BindOptions::default();
        options.unix_mode = Some(mode);
        let _listener = Listener::bind_with(&unix(&path), &options).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, mode);
    }
}

#[test]
fn a_stale_socket_file_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let _listener = Listener::bind(&unix(&path)).unwrap();
    UnixStream::connect(&path).unwrap();
}

#[test]
fn a_live_socket_file_is_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    let live = UnixListener::bind(&path).unwrap();
    let (kind, text) = message(&unix(&path));
    assert_eq!(kind, ErrorKind::AddrInUse);
    assert!(text.starts_with(&format!("cannot listen on unix:{}: the address is in use", path.display())), "{text}");
    drop(live);
}

#[test]
fn a_live_server_with_a_full_queue_is_in_use_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    let mut options = BindOptions::default();
    options.backlog = 0;
    let _live = Listener::bind_with(&unix(&path), &options).unwrap();
    let mut waiting = Vec::new();
    loop {
        let socket = Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
        socket.set_nonblocking(true).unwrap();
        match socket.connect(&socket2::SockAddr::unix(&path).unwrap()) {
            Ok(()) => waiting.push(socket),
            Err(error) => break assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
    }
    assert_eq!(message(&unix(&path)).0, ErrorKind::AddrInUse);
}

#[test]
fn what_is_no_socket_is_never_removed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("precious");
    fs::write(&path, "data").unwrap();
    let (kind, text) = message(&unix(&path));
    assert_eq!(kind, ErrorKind::AlreadyExists);
    assert!(text.ends_with("no socket; it was left as it is"), "{text}");
    assert_eq!(fs::read(&path).unwrap(), b"data");

    let link = folder.path().join("link");
    symlink(folder.path().join("elsewhere.sock"), &link).unwrap();
    assert_eq!(message(&unix(&link)).0, ErrorKind::AlreadyExists);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
}

#[test]
fn a_file_that_took_the_place_of_ours_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    let first = Listener::bind(&unix(&path)).unwrap();
    // The successor's file is made before ours goes, so that it cannot be given our inode.
    let second_path = folder.path().join("successor.sock");
    let _second = UnixListener::bind(&second_path).unwrap();
    fs::rename(&second_path, &path).unwrap();
    drop(first);
    assert!(fs::symlink_metadata(&path).unwrap().file_type().is_socket());
    UnixStream::connect(&path).unwrap();
}

#[test]
fn of_servers_that_start_at_once_on_a_stale_file_one_wins() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    for _ in 0..20 {
        drop(UnixListener::bind(&path).unwrap());
        let start = Barrier::new(4);
        let bound: Vec<_> = thread::scope(|scope| {
            let bind = || {
                start.wait();
                Listener::bind(&unix(&path))
            };
            let starting: Vec<_> = (0..4).map(|_| scope.spawn(bind)).collect();
            starting.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let winner: Vec<_> = bound.iter().filter_map(|listener| listener.as_ref().ok()).collect();
        assert_eq!(winner.len(), 1);
        UnixStream::connect(&path).unwrap();
        accept(winner[0]);
        drop(bound);
        assert!(!path.exists());
    }
}

#[test]
fn a_path_that_cannot_be_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let (kind, text) = message(&unix(&folder.path().join("missing/app.sock")));
    assert_eq!(kind, ErrorKind::NotFound);
    assert!(text.ends_with(&format!("there is no folder {}/missing", folder.path().display())), "{text}");

    let (_, text) = message(&unix(&folder.path().join("x".repeat(120))));
    assert!(text.contains("at most 107"), "{text}");
}

#[test]
fn a_listening_socket_is_taken_over() {
    let made = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = made.local_addr().unwrap();
    let listener = Listener::from_fd(made.into()).unwrap();
    assert_eq!(listener.address().to_string(), address.to_string());
    assert!(SockRef::from(&listener).nonblocking().unwrap());
    let mut peer = TcpStream::connect(address).unwrap();
    let mut accepted = accept(&listener);
    assert!(accepted.tcp_nodelay().unwrap());
    peer.write_all(b"x").unwrap();
    accepted.read_exact(&mut [0; 1]).unwrap();
}

#[test]
fn the_file_of_an_inherited_socket_belongs_to_who_made_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    let made = UnixListener::bind(&path).unwrap();
    let listener = Listener::from_fd(made.into()).unwrap();
    assert_eq!(listener.address(), &unix(&path));
    drop(listener);
    assert!(path.exists());
}

#[test]
fn what_does_not_listen_is_not_taken_over() {
    let text = |socket| Listener::from_fd(socket).unwrap_err().to_string();
    let listening = TcpListener::bind("127.0.0.1:0").unwrap();
    let connected = TcpStream::connect(listening.local_addr().unwrap()).unwrap();
    assert_eq!(text(connected.into()), "the descriptor is a socket that does not listen");
    let datagram = UdpSocket::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    assert_eq!(text(datagram.into()), "the descriptor is a socket of another type than stream");
    assert_eq!(text(fs::File::open("/dev/null").unwrap().into()), "the descriptor is no socket");
}

#[test]
fn a_listener_lends_its_descriptor() {
    let listener = Listener::bind(&tcp("127.0.0.1", 0)).unwrap().allow(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]);
    let local = SockRef::from(&listener.as_fd()).local_addr().unwrap();
    assert_eq!(local.as_socket().unwrap().port(), port(&listener));
}
