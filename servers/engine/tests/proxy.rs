//! The header of a proxy: its bytes, in pieces too, and what becomes of the connection that begins with it.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use proptest::prelude::*;
use wgi::{Body, Environ, Error, StartResponse, StatusCode};
use wgi_engine::proxy::{Endpoints, Header, decode};
use wgi_engine::{Address, Engine, Handle, Listener, Options, Peers, ProxyProtocol};
use wgi_http::Http;

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
const MAX: usize = 4096;

/// A header of version 2.
fn v2(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
    let length = (block.len() as u16).to_be_bytes();
    [SIGNATURE, &[command, family], &length, block].concat()
}

/// A field behind the addresses.
fn field(kind: u8, value: &[u8]) -> Vec<u8> {
    [&[kind], &(value.len() as u16).to_be_bytes()[..], value].concat()
}

const IPV4: [u8; 12] = [192, 0, 2, 1, 192, 0, 2, 2, 0xdc, 0x04, 0x01, 0xbb];

fn internet(peer: &str, local: &str) -> Endpoints {
    Endpoints::Internet { peer: peer.parse().unwrap(), local: local.parse().unwrap() }
}

fn ipv4() -> Endpoints {
    internet("192.0.2.1:56324", "192.0.2.2:443")
}

/// Decodes a header whole, with each byte of it as the last that has come, and with bytes behind.
#[track_caller]
fn decodes(bytes: &[u8], endpoints: Endpoints) {
    let header = Header { length: bytes.len(), endpoints };
    assert_eq!(decode(bytes, MAX), Ok(Some(header)), "{}", bytes.escape_ascii());
    for end in 0..bytes.len() {
        assert_eq!(decode(&bytes[..end], MAX), Ok(None), "{}", bytes[..end].escape_ascii());
    }
    for behind in [&b"GET / HTTP/1.1\r\n"[..], bytes, b"\r\n", b"\0"] {
        assert_eq!(decode(&[bytes, behind].concat(), MAX), Ok(Some(header)), "{}", bytes.escape_ascii());
    }
}

/// Refuses bytes, whatever comes behind them.
#[track_caller]
fn refuses(bytes: &[u8], reason: &str) {
    for behind in [&b""[..], b"\r\n", b"GET / HTTP/1.1\r\n\r\n"] {
        let error = decode(&[bytes, behind].concat(), MAX).expect_err(&bytes.escape_ascii().to_string());
        assert!(error.to_string().contains(reason), "{}: {error}", bytes.escape_ascii());
    }
}

#[test]
fn version_1_is_a_line() {
    decodes(b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n", ipv4());
    decodes(b"PROXY TCP4 255.255.255.255 0.0.0.0 65535 0\r\n", internet("255.255.255.255:65535", "0.0.0.0:0"));
    decodes(b"PROXY TCP6 2001:db8::1 ::1 1 2\r\n", internet("[2001:db8::1]:1", "[::1]:2"));
    let full = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
    decodes(
        format!("PROXY TCP6 {full} {full} 65535 65535\r\n").as_bytes(),
        internet(&format!("[{full}]:65535"), &format!("[{full}]:65535")),
    );
    decodes(b"PROXY TCP6 ::ffff:192.0.2.1 ::ffff:c000:202 56324 443\r\n", ipv4());
}

#[test]
fn version_1_may_not_know() {
    decodes(b"PROXY UNKNOWN\r\n", Endpoints::Own);
    decodes(b"PROXY UNKNOWN \r\n", Endpoints::Own);
    let full = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
    let longest = format!("PROXY UNKNOWN {full} {full} 65535 65535\r\n");
    assert_eq!(longest.len(), 107);
    decodes(longest.as_bytes(), Endpoints::Own);
}

#[test]
fn another_line_is_refused() {
    for line in [
        "PROXY TCP4  192.0.2.1 192.0.2.2 56324 443",
        "PROXY TCP4 192.0.2.1 192.0.2.2 56324 443 ",
        "PROXY TCP4 192.0.2.1 192.0.2.2 56324",
        "PROXY TCP4 192.0.2.1 192.0.2.2 56324 443 1",
        "PROXY TCP4 192.0.2.1 192.0.2.2 56324 65536",
        "PROXY TCP4 192.0.2.1 192.0.2.2 056324 443",
        "PROXY TCP4 192.0.2.1 192.0.2.2 +56324 443",
        "PROXY TCP4 192.0.2.1 192.0.2.2 -1 443",
        "PROXY TCP4 192.0.2.1 192.0.2.2 00 443",
        "PROXY TCP4 192.0.2.1 192.0.2.2  443",
        "PROXY TCP4 192.0.2.01 192.0.2.2 56324 443",
        "PROXY TCP4 192.0.2 192.0.2.2 56324 443",
        "PROXY TCP4 ::1 ::1 56324 443",
        "PROXY TCP6 192.0.2.1 192.0.2.2 56324 443",
        "PROXY TCP6 ::1%lo ::1 56324 443",
        "PROXY TCP6 [::1] ::1 56324 443",
        "PROXY tcp4 192.0.2.1 192.0.2.2 56324 443",
        "PROXY UDP4 192.0.2.1 192.0.2.2 56324 443",
        "PROXY UNKNOWNS",
        "PROXY ",
        "PROXY \t",
    ] {
        refuses(format!("{line}\r\n").as_bytes(), "not of the form of version 1");
    }
    refuses(b"PROXY TCP4 \xff\xfe 192.0.2.2 1 2\r\n", "not of the form of version 1");
    for line in ["PROXY UNKNOWN\n", "PROXY UNKNOWN\rx", "PROXY UNKNOWN\r\r\n", "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n"] {
        refuses(line.as_bytes(), "something else than CR LF");
    }
}

#[test]
fn a_line_has_107_bytes_at_the_most() {
    let line = format!("PROXY UNKNOWN {}", "x".repeat(107 - 14));
    assert_eq!(decode(&line.as_bytes()[..106], MAX), Ok(None));
    refuses(line.as_bytes(), "does not end in time");
    refuses(&[&line.as_bytes()[..106], b"\r"].concat(), "something else than CR LF");
    assert!(decode(b"PROXY UNKNOWN\r\n", 15).is_ok_and(|header| header.is_some()));
    assert!(decode(b"PROXY UNKNOWN\r\n", 14).is_err());
}

#[test]
fn what_is_no_header_is_refused_at_its_first_wrong_byte() {
    for bytes in [
        &b"GET / HTTP/1.1"[..],
        b"proxy ",
        b"PROXX",
        b"PROXY\t",
        b"\r\n\r\n\0\r\nQUIT\r",
        b"\r\n\r\nG",
        b"\x16\x03\x01",
        b"\0",
    ] {
        refuses(bytes, "neither with `PROXY ` nor");
        let end = bytes.len() - 1;
        if decode(&bytes[..end], MAX).is_ok() {
            assert_eq!(decode(&bytes[..end], MAX), Ok(None));
        }
    }
}

#[test]
fn version_2_is_a_block() {
    decodes(&v2(0x21, 0x11, &IPV4), ipv4());
    let peer = "2001:db8::1".parse::<std::net::Ipv6Addr>().unwrap().octets();
    let local = "::ffff:192.0.2.2".parse::<std::net::Ipv6Addr>().unwrap().octets();
    let block = [&peer[..], &local, &[0xdc, 0x04, 0x01, 0xbb]].concat();
    decodes(&v2(0x21, 0x21, &block), internet("[2001:db8::1]:56324", "192.0.2.2:443"));
    decodes(&v2(0x21, 0x31, &[b'/'; 216]), Endpoints::Unix);
}

#[test]
fn version_2_may_speak_for_the_proxy_or_for_nobody_known() {
    // LOCAL: whatever else it says.
    for (family, block) in [(0x00, &b""[..]), (0x11, &IPV4), (0xff, b"junk"), (0x11, b"\x03\0")] {
        decodes(&v2(0x20, family, block), Endpoints::Own);
    }
    // UNSPEC, and datagrams.
    for (family, block) in [(0x00, &b""[..]), (0x00, b"some bytes"), (0x10, b""), (0x12, &IPV4), (0x01, b"x")] {
        decodes(&v2(0x21, family, block), Endpoints::Own);
    }
}

#[test]
fn fields_behind_the_addresses_are_skipped() {
    let fields = [field(0x04, b""), field(0x02, b"example.org"), field(0xea, &[0; 300]), field(0xff, b"?")].concat();
    decodes(&v2(0x21, 0x11, &[&IPV4[..], &fields].concat()), ipv4());
    decodes(&v2(0x21, 0x31, &[&[0; 216][..], &fields].concat()), Endpoints::Unix);
}

#[test]
fn another_block_is_refused() {
    refuses(&v2(0x11, 0x11, &IPV4), "version is not 2");
    refuses(&v2(0x31, 0x11, &IPV4), "version is not 2");
    refuses(&v2(0x22, 0x11, &IPV4), "neither LOCAL nor PROXY");
    refuses(&v2(0x2f, 0x11, &IPV4), "neither LOCAL nor PROXY");
    for family in [0x41, 0x13, 0xf1, 0x1f, 0x43] {
        refuses(&v2(0x21, family, &IPV4), "family or transport protocol is unknown");
    }
    for (family, length) in [(0x11, 0), (0x11, 11), (0x21, 12), (0x21, 35), (0x31, 215)] {
        refuses(&v2(0x21, family, &vec![0; length]), "addresses are cut short");
    }
    for fields in [&b"\x04"[..], b"\x04\0", b"\x04\0\x01", b"\x04\0\0\x04\xff\xff1"] {
        refuses(&v2(0x21, 0x11, &[&IPV4, fields].concat()), "field of it is cut short");
    }
}

#[test]
fn a_length_is_bounded_before_its_bytes_come() {
    let header = [SIGNATURE, &[0x21, 0x11, 0xff, 0xff]].concat();
    refuses(&header, "longer than may be");
    assert_eq!(decode(&header, 16 + 0xffff), Ok(None));
    let exact = v2(0x21, 0x11, &IPV4);
    assert!(decode(&exact, exact.len()).is_ok());
    assert!(decode(&exact, exact.len() - 1).is_err());
}

#[test]
fn a_checksum_counts() {
    // As a proxy has it that sends one: NOOP, checksum, NOOP.
    let with = |sum: [u8; 4]| {
        v2(0x21, 0x11, &[&IPV4[..], &field(0x04, b"ab"), &field(0x03, &sum), &field(0x04, b"c")].concat())
    };
    let sum = 0xfb79_b3a9_u32.to_be_bytes();
    decodes(&with(sum), ipv4());
    refuses(&with([0; 4]), "checksum is wrong");
    let mut bent = with(sum);
    bent[19] ^= 1;
    refuses(&bent, "checksum is wrong");
    for value in [&b""[..], b"123", b"12345"] {
        refuses(&v2(0x21, 0x11, &[&IPV4[..], &field(0x03, value)].concat()), "checksum is wrong");
    }
    let twice = [field(0x03, &sum), field(0x03, &sum)].concat();
    refuses(&v2(0x21, 0x11, &[&IPV4[..], &twice].concat()), "checksum is wrong");
}

proptest! {
    /// What is made of bytes does not change when more come, but from nothing to something.
    #[test]
    fn bytes_behind_change_nothing(
        start in prop_oneof![
            Just(SIGNATURE.to_vec()), Just(b"PROXY ".to_vec()), Just(b"PROXY TCP4 1.2.3.4 ".to_vec()),
            Just(v2(0x21, 0x11, &IPV4)), Just(b"PROXY UNKNOWN".to_vec()), Just(Vec::new()),
        ],
        rest in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..64),
            proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b' '), Just(b'1'), Just(b'.')], 0..120),
        ],
        max in 0..200_usize,
    ) {
        let bytes = [start, rest].concat();
        let mut before = Ok(None);
        for end in 0..=bytes.len() {
            let now = decode(&bytes[..end], max);
            prop_assert!(before == Ok(None) || now == before);
            if let Ok(Some(header)) = now {
                prop_assert!(header.length <= end && header.length <= max);
            }
            before = now;
        }
    }
}

#[test]
fn peers_are_named() {
    let peers: Peers = "192.0.2.7, 10.0.0.0/8,2001:db8::/32 ,::1, unix:".parse().unwrap();
    for among in ["192.0.2.7", "::ffff:192.0.2.7", "10.255.0.1", "2001:db8:1::", "::1"] {
        assert!(peers.contains(among.parse().unwrap()), "{among}");
    }
    for other in ["192.0.2.8", "11.0.0.1", "2001:db9::", "::2", "::ffff:192.0.2.8"] {
        assert!(!peers.contains(other.parse().unwrap()), "{other}");
    }
    assert!(peers.contains_unix());
    let mut everybody: Peers = "0.0.0.0/0".parse().unwrap();
    assert!(!everybody.contains("::1".parse().unwrap()) && !everybody.contains_unix());
    everybody.extend("::/0".parse().unwrap());
    assert!(everybody.contains("::1".parse().unwrap()) && everybody.contains("::ffff:1.2.3.4".parse().unwrap()));
    for (bad, reason) in [
        ("", "`` is neither an address nor a network"),
        ("localhost", "`localhost` is neither"),
        ("10.0.0.0/33", "neither"),
        ("10.0.0.0/8,", "`` is neither"),
        ("unix:/run/a", "neither"),
        ("10.0.0.1/8", "write 10.0.0.0/8 for the network"),
        ("::ffff:10.0.0.0/104", "a network of IPv4"),
    ] {
        let error = bad.parse::<Peers>().unwrap_err();
        assert!(error.contains(reason), "{bad}: {error}");
    }
}

/// An engine that tells for whom it takes a client.
struct Server {
    address: Address,
    handle: Handle,
    thread: Option<thread::JoinHandle<std::io::Result<()>>>,
    _folder: tempfile::TempDir,
}

fn tell(environ: Environ, start_response: &mut dyn StartResponse) -> Result<Body, Error> {
    start_response.start(StatusCode::OK, [("content-type", "text/plain")])?;
    let told = ["REMOTE_ADDR", "REMOTE_PORT", "SERVER_ADDR", "SERVER_PORT"]
        .map(|name| environ.var(name).map_or_else(|| "-".into(), |value| String::from_utf8_lossy(value).into_owned()));
    Ok(Body::from(told.join(" ")))
}

impl Server {
    fn start(at: &str, from: &str, options: Options) -> Server {
        let folder = tempfile::tempdir().unwrap();
        let at = at.replace("FOLDER", folder.path().to_str().unwrap());
        let proxies = ProxyProtocol::from(from.parse().unwrap()).max_header(256);
        let listener = Listener::bind(&at.parse().unwrap()).unwrap().proxied(proxies);
        let address = listener.address().clone();
        let mut engine = Engine::new(options);
        engine.listen(listener, Http::default(), Arc::new(tell));
        let handle = engine.handle();
        Server { address, handle, thread: Some(thread::spawn(move || engine.run())), _folder: folder }
    }

    fn tcp(&self) -> SocketAddr {
        self.address.to_string().parse().unwrap()
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.tcp()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream
    }

    /// All that comes back for these bytes.
    fn talk(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect();
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(Shutdown::Write);
        rest(stream)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.handle.stop();
        let served = self.thread.take().map(thread::JoinHandle::join);
        if !thread::panicking() {
            served.unwrap().unwrap().unwrap();
        }
    }
}

/// What comes up to the end, which may be a reset where bytes were left unread.
fn rest(mut stream: impl Read) -> String {
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
const LINE: &[u8] = b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n";

/// [4.50]
#[test]
fn the_client_of_a_named_proxy_is_told() {
    let server = Server::start("127.0.0.1:0", "127.0.0.0/8", Options::default());
    let expected = "192.0.2.1 56324 192.0.2.2 443";
    for header in [LINE.to_vec(), v2(0x21, 0x11, &IPV4)] {
        let answer = server.talk(&[&header, GET].concat());
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with(expected), "{answer}");
    }
    // Byte by byte, and for every request of the connection.
    let mut stream = server.connect();
    stream.set_nodelay(true).unwrap();
    for byte in [LINE, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"].concat() {
        stream.write_all(&[byte]).unwrap();
        thread::yield_now();
    }
    stream.write_all(GET).unwrap();
    let answer = rest(stream);
    assert_eq!(answer.matches(expected).count(), 2, "{answer}");
    // A proxy that speaks for itself.
    for header in [b"PROXY UNKNOWN\r\n".to_vec(), v2(0x20, 0, b""), v2(0x21, 0, b"")] {
        let answer = server.talk(&[&header, GET].concat());
        assert!(answer.contains("127.0.0.1 "), "{answer}");
    }
    // One whose client has no address.
    let answer = server.talk(&[&v2(0x21, 0x31, &[0; 216]), GET].concat());
    assert!(answer.ends_with("- - - 80"), "{answer}");
}

/// [4.50]
#[test]
fn a_named_proxy_has_to_tell() {
    let server = Server::start("127.0.0.1:0", "127.0.0.1", Options::default());
    let too_long = v2(0x21, 0x11, &[0; 300]);
    for bytes in [GET, b"PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n", &too_long, b"PROXY TCP4 192.0.2.1 192.", b""] {
        assert_eq!(server.talk(bytes), "", "{}", bytes.escape_ascii());
    }
    // It does so once: what comes behind is the codec's.
    assert!(server.talk(&[LINE, LINE, GET].concat()).starts_with("HTTP/1.1 400 "));
    assert!(server.talk(&[LINE, GET].concat()).ends_with(" 443"));
}

/// [4.50]
#[test]
fn nobody_else_can_tell() {
    for from in ["192.0.2.0/24", "::1", "unix:"] {
        let server = Server::start("127.0.0.1:0", from, Options::default());
        for header in [LINE.to_vec(), v2(0x21, 0x11, &IPV4)] {
            let answer = server.talk(&[&header, GET].concat());
            assert!(answer.starts_with("HTTP/1.1 400 "), "{from}: {answer}");
        }
        let answer = server.talk(GET);
        assert!(answer.contains("\r\n\r\n127.0.0.1 "), "{from}: {answer}");
    }
}

#[test]
fn a_proxy_may_come_by_a_unix_socket() {
    for (from, is_served) in [("unix:", true), ("0.0.0.0/0, ::/0", false)] {
        let server = Server::start("unix:FOLDER/socket", from, Options::default());
        let Address::Unix(path) = &server.address else { panic!("{}", server.address) };
        let mut stream = UnixStream::connect(path).unwrap();
        stream.write_all(&[LINE, GET].concat()).unwrap();
        let answer = rest(stream);
        assert_eq!(answer.ends_with("192.0.2.1 56324 192.0.2.2 443"), is_served, "{answer}");
        assert_eq!(answer.starts_with("HTTP/1.1 400 "), !is_served, "{answer}");
    }
}

/// A slow header holds no thread, and is given up when its time is over.
#[test]
fn a_slow_header_is_given_up() {
    let mut options = Options::default();
    options.threads = 1;
    options.head_timeout = Duration::from_millis(300);
    let server = Server::start("127.0.0.1:0", "127.0.0.1", options);
    let slow: Vec<_> = [&LINE[..1], &LINE[..41], &SIGNATURE[..12], &v2(0x21, 0x11, &IPV4)[..27]]
        .map(|part| {
            let mut stream = server.connect();
            stream.write_all(part).unwrap();
            stream
        })
        .into();
    assert!(server.talk(&[LINE, GET].concat()).ends_with(" 443"), "others are served meanwhile");
    for stream in slow {
        assert_eq!(rest(stream), "", "nothing is said to who speaks another protocol");
    }
}
