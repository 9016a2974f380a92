//! What an application sees of TLS, and what each side can rely on.

use std::fs;
use std::io::{BufRead, Read, Seek, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, HandshakeKind, StreamOwned};
use wgi::{Body, Bytes, Environ, Error, StartResponse, StatusCode};
use wgi_engine::{Options, ProxyProtocol};

use crate::common::{Authority, Client, Files, PATIENCE, Server, get, options};

/// Tells its variables, a line each; below `/echo` the body comes back, below `/break` the body breaks off.
fn tell(mut environ: Environ, start_response: &mut dyn StartResponse) -> Result<Body, Error> {
    start_response.start(StatusCode::OK, [("content-type", "text/plain")])?;
    match environ.path_info() {
        b"/echo" => {
            let mut input = std::mem::take(environ.input());
            Ok(Body::from_results(std::iter::from_fn(move || {
                let chunk = input.fill_buf().map(Bytes::copy_from_slice);
                if let Ok(chunk) = &chunk {
                    input.consume(chunk.len());
                }
                (!matches!(&chunk, Ok(chunk) if chunk.is_empty())).then_some(chunk)
            })))
        }
        b"/chunks" => Ok(Body::from_chunks(["one ", "two ", "three"])),
        b"/break" => Ok(Body::from_results([Ok("half"), Err(Error::new("on purpose"))])),
        _ => {
            let mut told = format!("url_scheme={}\n", environ.gateway().url_scheme.as_str());
            for (name, value) in environ.vars().iter() {
                told += &format!("{}={}\n", String::from_utf8_lossy(name), String::from_utf8_lossy(value));
            }
            Ok(Body::from(told))
        }
    }
}

/// A server of `tell`, and a client that trusts it.
fn start(options: Options) -> (Server, Arc<ClientConfig>, Files, Authority) {
    let authority = Authority::new("authority");
    let files = Files::new(&authority.identity("server"));
    let server = Server::start(options, files.certificate_files(), tell);
    let client = Arc::new(authority.client(rustls::ALL_VERSIONS, None));
    (server, client, files, authority)
}

fn has(answer: &str, line: &str) -> bool {
    answer.lines().any(|told| told == line)
}

/// [10.40]
#[test]
fn the_environ_tells_of_tls() {
    let (server, _, _files, authority) = start(options(2));
    for (version, protocol, cipher) in
        [(&TLS13, "TLSv1.3", "TLS_AES_256_GCM_SHA384"), (&TLS12, "TLSv1.2", "ECDHE-ECDSA-AES256-GCM-SHA384")]
    {
        let client = Arc::new(authority.client(&[version], None));
        let request =
            "GET / HTTP/1.1\r\nHost: h\r\nSSL-Client-Verify: SUCCESS\r\nSSL_CIPHER: x\r\nConnection: close\r\n\r\n";
        let answer = server.connect(&client).exchange(request).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        for line in [
            "url_scheme=https",
            "HTTPS=on",
            "REQUEST_SCHEME=https",
            &format!("SSL_PROTOCOL={protocol}"),
            &format!("SSL_CIPHER={cipher}"),
            "SSL_TLS_SNI=localhost",
            "SSL_CLIENT_VERIFY=NONE",
            // What a client says of itself is a field, and nothing else.
            "HTTP_SSL_CLIENT_VERIFY=SUCCESS",
        ] {
            assert!(has(&answer, line), "{line} is not in {answer}");
        }
        assert_eq!(answer.matches("SSL_C").count(), 3, "{answer}");
    }
    // A client that asks for an address names no host.
    let client = Arc::new(authority.client(rustls::ALL_VERSIONS, None));
    let answer = server.connect_to(&client, "127.0.0.1").exchange(&get("/")).unwrap();
    assert!(!answer.contains("SSL_TLS_SNI"), "{answer}");
}

/// [10.40]
#[test]
fn a_client_shows_who_it_is() {
    let authority = Authority::new("authority");
    let clients = Authority::new("clients");
    let reader = clients.identity("A, \"reader\"");
    let files = Files::new(&authority.identity("server"));
    fs::write(files.path("clients.pem"), clients.pem()).unwrap();
    for is_required in [false, true] {
        let files = files.certificate_files().client_ca(files.path("clients.pem"), is_required);
        let server = Server::start(options(2), files, tell);
        for version in [&TLS12, &TLS13] {
            let shown = Arc::new(authority.client(&[version], Some(&reader)));
            // The second comes again, and shows nothing anew.
            for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
                let mut client = server.connect(&shown);
                let answer = client.exchange(&get("/")).unwrap();
                let full = [HandshakeKind::Full, HandshakeKind::FullWithHelloRetryRequest];
                let seen = client.0.conn.handshake_kind().unwrap();
                assert!(seen == kind || full.contains(&kind) && full.contains(&seen), "{seen:?}");
                for line in [
                    "SSL_CLIENT_VERIFY=SUCCESS",
                    "SSL_CLIENT_S_DN=CN=A\\, \\\"reader\\\",O=Books\\, Ltd.",
                    "SSL_CLIENT_I_DN=CN=clients",
                    "SSL_TLS_SNI=localhost",
                ] {
                    assert!(has(&answer, line), "{line} is not in {answer}");
                }
                assert!(answer.contains("SSL_CLIENT_M_SERIAL="), "{answer}");
                let certificate = reader.certificate.replace("\r\n", "\n");
                assert!(answer.contains(&format!("SSL_CLIENT_CERT={certificate}")), "{answer}");
            }
            let unknown = Arc::new(authority.client(&[version], Some(&authority.identity("stranger"))));
            assert!(server.get(&unknown, "/").is_err(), "a certificate of somebody else");
            let answer = server.get(&Arc::new(authority.client(&[version], None)), "/");
            assert_eq!(answer.is_err(), is_required, "{answer:?}");
            assert!(is_required || has(&answer.unwrap(), "SSL_CLIENT_VERIFY=NONE"));
        }
    }
}

#[test]
fn the_protocol_is_agreed_on() {
    let (server, _, _files, authority) = start(options(1));
    for (offered, agreed) in [(&["h2", "http/1.1"][..], Some("http/1.1")), (&["http/1.0"], Some("http/1.0"))] {
        let mut client = authority.client(rustls::ALL_VERSIONS, None);
        client.alpn_protocols = offered.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        let mut client = server.connect(&Arc::new(client));
        assert!(client.exchange(&get("/")).is_ok());
        assert_eq!(client.0.conn.alpn_protocol(), agreed.map(str::as_bytes));
    }
    let mut client = authority.client(rustls::ALL_VERSIONS, None);
    client.alpn_protocols = vec![b"h2".to_vec()];
    assert!(server.get(&Arc::new(client), "/").is_err());
}

/// [10.41]
#[test]
fn who_speaks_in_clear_is_told_so() {
    let (server, client, _files, _) = start(options(1));
    let mut stream = server.tcp();
    stream.write_all(get("/").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("this port is for https"), "{answer}");
    assert!(server.get(&client, "/").is_ok());
}

/// [10.41]
#[test]
fn what_is_no_tls_is_closed() {
    let (server, client, _files, _) = start(options(1));
    // A message of 64 KiB and more, of which all comes but its end; records of no type, no version, no length.
    let mut long = Vec::new();
    for _ in 0..5 {
        long.extend_from_slice(&[22, 3, 1, 0x40, 0]);
        long.extend_from_slice(&[[1, 0xff, 0xff, 0xff].as_slice(), &[0; 0x3ffc]].concat());
    }
    for bytes in [
        &b"\x16\x03\x01\x00\x05hello"[..],
        b"\0\0\0\0\0",
        b"\x16\xff\xff\xff\xff",
        b"\x15\x03\x01\x00\x02\x02\x28",
        b"\x17\x03\x03\x00\x01x",
        b"\x80\x2e\x01\x03\x01",
        b"\r\n\r\n\0\r\nQUIT\n",
        &long,
    ] {
        let mut stream = server.tcp();
        // It may be closed before all is sent.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        // An alert (RFC 8446 §6), or nothing.
        assert!(answer.is_empty() || answer.starts_with(&[21, 3]) && answer.len() == 7, "{}", answer.escape_ascii());
    }
    assert!(server.get(&client, "/").is_ok());
}

/// A stream that passes bytes on one by one.
struct Slowly(TcpStream);

impl Read for Slowly {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(&mut buffer[..1])
    }
}

impl Write for Slowly {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(&bytes[..bytes.len().min(1)])
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

#[test]
fn bytes_may_come_one_by_one() {
    let (server, client, _files, _) = start(options(1));
    let Client(StreamOwned { conn, sock }) = server.connect(&client);
    sock.set_nodelay(true).unwrap();
    let mut slowly = StreamOwned::new(conn, Slowly(sock));
    slowly.write_all(get("/chunks").as_bytes()).unwrap();
    let mut answer = String::new();
    slowly.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("three\r\n0\r\n\r\n"), "{answer}");
}

#[test]
fn a_large_body_goes_both_ways() {
    let (server, client, _files, _) = start(options(2));
    const SIZE: usize = 3_000_000;
    let block: Vec<u8> = (0..SIZE).map(|n| (n % 251) as u8).collect();
    let Client(StreamOwned { mut conn, mut sock }) = server.connect(&client);
    conn.complete_io(&mut sock).unwrap();
    // Both ends of a connection of rustls take turns; a peer that only sends would wait for one that only sends.
    sock.set_nonblocking(true).unwrap();
    let head = format!("POST /echo HTTP/1.0\r\nHost: localhost\r\nContent-Length: {SIZE}\r\n\r\n");
    let (mut unsent, mut answer) = ([head.as_bytes(), &block].concat(), Vec::new());
    let start = std::time::Instant::now();
    while answer.len() < SIZE || !answer.ends_with(&block[SIZE - 100..]) {
        assert!(start.elapsed() < PATIENCE, "{} came back", answer.len());
        let written = conn.writer().write(&unsent[..unsent.len().min(50_000)]).unwrap();
        unsent.drain(..written);
        let _ = conn.write_tls(&mut sock);
        if conn.read_tls(&mut sock).is_ok() {
            conn.process_new_packets().unwrap();
            let _ = conn.reader().read_to_end(&mut answer);
        } else {
            thread::yield_now();
        }
    }
    let head = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    assert!(answer[head..] == block);
}

#[test]
fn files_are_sent() {
    let authority = Authority::new("authority");
    let files = Files::new(&authority.identity("server"));
    let path = files.path("file");
    let content: Vec<u8> = (0..1_000_000_u32).flat_map(|n| n.to_le_bytes()).collect();
    fs::write(&path, &content).unwrap();
    let opened = path.clone();
    let server =
        Server::start(options(1), files.certificate_files(), move |environ: Environ, start: &mut dyn StartResponse| {
            start.start(StatusCode::OK, ())?;
            assert!(!environ.gateway().sends_files);
            let mut file = fs::File::open(&opened)?;
            file.seek(std::io::SeekFrom::Start(3))?;
            Ok::<_, Error>(Body::file(file)?)
        });
    let client = Arc::new(authority.client(rustls::ALL_VERSIONS, None));
    let mut connection = server.connect(&client);
    connection.send(get("/")).unwrap();
    let mut answer = Vec::new();
    connection.0.read_to_end(&mut answer).unwrap();
    assert!(answer.ends_with(&content[3..]), "{}", answer.len());
    let length = format!("content-length: {}", content.len() - 3);
    assert!(String::from_utf8_lossy(&answer[..400]).to_lowercase().contains(&length));

    // [6.11]: one that becomes shorter is cut, and the client can tell.
    let mut connection = server.connect(&client);
    connection.send(get("/")).unwrap();
    connection.0.read_exact(&mut [0; 100]).unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_len(500_000).unwrap();
    assert!(connection.rest().is_err());
}

#[test]
fn requests_come_one_behind_the_other() {
    let (server, client, _files, _) = start(options(2));
    let mut connection = server.connect(&client);
    let several = "GET /chunks HTTP/1.1\r\nHost: h\r\n\r\n".repeat(50);
    let answer = connection.exchange(&format!("{several}{}", get("/chunks"))).unwrap();
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 51);
    assert!(answer.ends_with("three\r\n0\r\n\r\n"));
}

#[test]
fn keys_may_be_renewed() {
    let (server, _, _files, authority) = start(options(1));
    let mut connection = server.connect(&Arc::new(authority.client(&[&TLS13], None)));
    for _ in 0..3 {
        connection.send("GET /chunks HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
        assert!(connection.read_until(b"0\r\n\r\n").starts_with(b"HTTP/1.1 200 "));
        connection.0.conn.refresh_traffic_keys().unwrap();
    }
    assert!(connection.exchange(&get("/")).unwrap().starts_with("HTTP/1.1 200 "));
}

/// [10.42]: a client of rustls takes an end without close_notify for an error.
#[test]
fn an_end_is_said_to_be_one() {
    let mut options = options(1);
    options.keep_alive_timeout = Duration::from_millis(300);
    let (server, client, _files, _) = start(options);
    // The end of the connection is the end of the body.
    let mut connection = server.connect(&client);
    let answer = connection.exchange("GET /chunks HTTP/1.0\r\n\r\n").unwrap();
    assert!(answer.ends_with("\r\n\r\none two three"), "{answer}");
    // Nothing more is to come on a connection that is idle.
    let mut connection = server.connect(&client);
    let answer = connection.exchange("GET /chunks HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    assert!(answer.ends_with("0\r\n\r\n"), "{answer}");
    // Nor behind what was refused.
    let mut connection = server.connect(&client);
    assert!(connection.exchange("nonsense\r\n\r\n").unwrap().starts_with("HTTP/1.1 400 "));
}

/// [10.42]
#[test]
fn a_cut_is_no_end() {
    let (server, client, _files, _) = start(options(1));
    for request in ["GET /break HTTP/1.0\r\n\r\n", "GET /break HTTP/1.1\r\nHost: h\r\n\r\n"] {
        let mut connection = server.connect(&client);
        connection.send(request).unwrap();
        assert!(connection.rest().is_err(), "{request}");
    }
    assert!(server.get(&client, "/").is_ok());
}

/// [10.43]
#[test]
fn a_body_that_ends_with_the_connection_is_not_whole() {
    let (sender, receiver) = channel();
    let sender = Mutex::new(sender);
    let authority = Authority::new("authority");
    let files = Files::new(&authority.identity("server"));
    let mut options = options(1);
    options.body_buffer = 4;
    let server = Server::start(
        options,
        files.certificate_files(),
        move |mut environ: Environ, start: &mut dyn StartResponse| {
            let read = environ.input().read_to_end(&mut Vec::new());
            sender.lock().unwrap().send(read.is_ok()).unwrap();
            start.start(StatusCode::OK, ())?;
            Ok::<_, Error>(Body::empty())
        },
    );
    let client = Arc::new(authority.client(rustls::ALL_VERSIONS, None));
    for (body, is_whole) in [
        ("Content-Length: 10\r\n\r\n12345", false),
        ("Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n", false),
        ("Content-Length: 5\r\n\r\n12345", true),
    ] {
        for says_so in [false, true] {
            let mut connection = server.connect(&client);
            connection.send(format!("POST / HTTP/1.1\r\nHost: h\r\n{body}")).unwrap();
            if says_so {
                connection.0.conn.send_close_notify();
                connection.0.flush().unwrap();
            }
            connection.0.sock.shutdown(Shutdown::Write).unwrap();
            assert_eq!(receiver.recv_timeout(PATIENCE).unwrap(), is_whole, "{body}");
        }
    }
}

#[test]
fn a_client_that_says_its_last_is_answered() {
    let (server, client, _files, _) = start(options(1));
    for is_shut in [false, true] {
        let mut connection = server.connect(&client);
        connection.send("GET /chunks HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
        connection.0.conn.send_close_notify();
        connection.0.flush().unwrap();
        if is_shut {
            connection.0.sock.shutdown(Shutdown::Write).unwrap();
        }
        assert!(connection.rest().unwrap().ends_with("three\r\n0\r\n\r\n"));
    }
}

/// [4.50]: the header of a proxy comes in front of TLS.
#[test]
fn a_proxy_may_stand_in_front() {
    let authority = Authority::new("authority");
    let files = Files::new(&authority.identity("server"));
    let server = Server::with(options(1), files.certificate_files(), tell, |listener| {
        listener.proxied(ProxyProtocol::from("127.0.0.1".parse().unwrap()))
    });
    let client = Arc::new(authority.client(rustls::ALL_VERSIONS, None));
    let header = b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n";
    for together in [true, false] {
        let mut connection = server.connect(&client);
        let mut first = header.to_vec();
        if together {
            connection.0.conn.write_tls(&mut first).unwrap();
        }
        connection.0.sock.write_all(&first).unwrap();
        let answer = connection.exchange(&get("/")).unwrap();
        for line in ["REMOTE_ADDR=192.0.2.1", "SERVER_PORT=443", "HTTPS=on", "SSL_TLS_SNI=localhost"] {
            assert!(has(&answer, line), "{line} is not in {answer}");
        }
    }
    assert!(server.get(&client, "/").is_err(), "without the header");
    let mut stream = server.tcp();
    stream.write_all(&[header, get("/").as_bytes()].concat()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "in clear: {answer}");
}
