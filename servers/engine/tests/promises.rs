//! What the engine promises, each promise over real sockets: slow peers hold no worker, slow applications delay
//! nobody, a panic costs one response, a stop is graceful.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use wgi::{App, Body, Bytes, Environ, Error, StartResponse, StatusCode, header};
use wgi_engine::{Address, Engine, Handle, Listener, Options};
use wgi_http::Http;

/// How long a test waits for what must come; no test waits for it to be over.
const PATIENCE: Duration = Duration::from_secs(30);

/// An engine that runs for the time of a test.
struct Server {
    address: SocketAddr,
    handle: Handle,
    thread: Option<JoinHandle<std::io::Result<()>>>,
}

impl Server {
    fn start(options: Options, app: impl App + 'static) -> Server {
        let listener = Listener::bind(&"127.0.0.1:0".parse().unwrap()).unwrap();
        let Address::Tcp { host, port } = listener.address() else { panic!("an address of TCP") };
        let address = SocketAddr::new(host.parse().unwrap(), *port);
        let mut engine = Engine::new(options);
        engine.listen(listener, Http::default(), Arc::new(app));
        let handle = engine.handle();
        let thread = Some(thread::spawn(move || engine.run()));
        Server { address, handle, thread }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// A connection on which this was sent.
    fn send(&self, request: &str) -> TcpStream {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).unwrap();
        stream
    }

    /// The whole of what comes back, up to the end of the connection.
    fn exchange(&self, request: &str) -> String {
        let mut answer = Vec::new();
        self.send(request).read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn get(&self, path: &str) -> String {
        self.exchange(&get(path))
    }

    fn stop(&mut self) -> std::io::Result<()> {
        self.handle.stop();
        self.thread.take().map_or(Ok(()), |thread| thread.join().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.handle.stop();
    }
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
}

fn options(threads: usize) -> Options {
    let mut options = Options::default();
    options.threads = threads;
    options
}

fn hello(_: Environ, start_response: &mut dyn StartResponse) -> Result<Body, Error> {
    start_response.start(StatusCode::OK, [(header::CONTENT_TYPE, "text/plain")])?;
    Ok(Body::from("hello"))
}

/// A gate that applications wait at until the test opens it.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<(bool, usize)>, Condvar)>);

impl Gate {
    fn wait(&self) {
        let (state, changed) = &*self.0;
        let mut state = state.lock().unwrap();
        state.1 += 1;
        changed.notify_all();
        let _unused = changed.wait_while(state, |(open, _)| !*open).unwrap();
    }

    fn await_waiting(&self, count: usize) {
        let (state, changed) = &*self.0;
        let state = state.lock().unwrap();
        let (_state, timeout) = changed.wait_timeout_while(state, PATIENCE, |(_, waiting)| *waiting < count).unwrap();
        assert!(!timeout.timed_out(), "the application was not called often enough");
    }

    fn open(&self) {
        self.0.0.lock().unwrap().0 = true;
        self.0.1.notify_all();
    }
}

/// Tells the test when it is dropped.
struct Dropped(Sender<()>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

fn dropped() -> (Arc<Mutex<Option<Dropped>>>, Receiver<()>) {
    let (sender, receiver) = channel();
    (Arc::new(Mutex::new(Some(Dropped(sender)))), receiver)
}

#[test]
fn slow_peers_hold_no_worker() {
    let server = Server::start(options(1), |environ: Environ, start_response: &mut dyn StartResponse| {
        if environ.path_info() == b"/large" {
            start_response.start(StatusCode::OK, ())?;
            return Ok(Body::from_chunks((0..10_000).map(|_| Bytes::from_static(&[b'x'; 65_536]))));
        }
        hello(environ, start_response)
    });
    let idle: Vec<_> = (0..50).map(|_| server.connect()).collect();
    let unfinished: Vec<_> = (0..50).map(|_| server.send("GET / HTTP/1.1\r\nHost: loc")).collect();
    let bodiless: Vec<_> =
        (0..50).map(|_| server.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n123")).collect();
    let readers: Vec<_> = (0..20)
        .map(|_| {
            let mut reader = server.send(&get("/large"));
            // The response has begun, and is far larger than all that lies between.
            reader.read_exact(&mut [0; 1]).unwrap();
            reader
        })
        .collect();
    assert!(server.get("/").ends_with("hello"));
    drop((idle, unfinished, bodiless, readers));
}

#[test]
fn slow_applications_delay_nobody() {
    let gate = Gate::default();
    let waiting = gate.clone();
    let server = Server::start(options(4), move |environ: Environ, start_response: &mut dyn StartResponse| {
        if environ.path_info() == b"/wait" {
            waiting.wait();
        }
        hello(environ, start_response)
    });
    let blocked: Vec<_> = (0..3).map(|_| server.send(&get("/wait"))).collect();
    gate.await_waiting(3);
    for _ in 0..20 {
        assert!(server.get("/").ends_with("hello"));
    }
    gate.open();
    for mut connection in blocked {
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        assert!(answer.ends_with("hello"));
    }
}

#[test]
fn one_free_thread_serves_all_connections() {
    // As many threads as blocked applications and one more; connections are spread over all reactors.
    const THREADS: usize = 8;
    let gate = Gate::default();
    let waiting = gate.clone();
    let server = Server::start(options(THREADS), move |environ: Environ, start_response: &mut dyn StartResponse| {
        if environ.path_info() == b"/wait" {
            waiting.wait();
        }
        hello(environ, start_response)
    });
    let mut kept: Vec<_> = (0..20).map(|_| server.connect()).collect();
    let blocked: Vec<_> = (1..THREADS).map(|_| server.send(&get("/wait"))).collect();
    gate.await_waiting(THREADS - 1);
    for _ in 0..3 {
        for connection in &mut kept {
            connection.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
            let mut answer = [0; 1024];
            let mut length = 0;
            while !answer[..length].ends_with(b"hello") {
                let read = connection.read(&mut answer[length..]).expect("an answer while all others are blocked");
                assert!(read > 0);
                length += read;
            }
        }
        assert!(server.get("/").ends_with("hello"));
    }
    gate.open();
    drop(blocked);
}

/// Sends a request on a kept connection, and reads its answer.
fn ask(connection: &mut TcpStream, path: &str) {
    connection.write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).unwrap();
    read_answer(connection);
}

fn read_answer(connection: &mut TcpStream) {
    let mut answer = Vec::new();
    while !answer.ends_with(b"hello") {
        let mut piece = [0; 1024];
        let length = connection.read(&mut piece).expect("an answer");
        assert!(length > 0, "the connection is closed behind {:?}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&piece[..length]);
    }
}

/// An application that answers on `/meet` only when as many others are in it at the same time.
fn meeting(count: usize) -> impl App {
    let barrier = Barrier::new(count);
    move |environ: Environ, start_response: &mut dyn StartResponse| {
        if environ.path_info() == b"/meet" {
            barrier.wait();
        }
        hello(environ, start_response)
    }
}

#[test]
fn as_many_applications_as_threads_may_wait_for_each_other() {
    const THREADS: usize = 8;
    let server = Server::start(options(THREADS), meeting(THREADS));
    let clients = [(); THREADS].map(|()| {
        let mut connection = server.connect();
        // Again and again: the engine knows by then that they are slow.
        thread::spawn(move || (0..200).for_each(|_| ask(&mut connection, "/meet")))
    });
    for client in clients {
        client.join().unwrap();
    }
}

#[test]
fn fast_requests_get_through_among_slow_ones() {
    // Pairs that wait for each other, fast ones beside them, and ever new connections; with threads to spare, with just
    // as many as it takes, and from one connection several at once.
    for threads in [3, 4, 16] {
        let server = Server::start(options(threads), meeting(2));
        let mut clients: Vec<_> = ["/meet", "/meet", "/", "/", "/"]
            .map(|path| {
                let mut connection = server.connect();
                thread::spawn(move || (0..300).for_each(|_| ask(&mut connection, path)))
            })
            .into();
        let address = server.address;
        clients.push(thread::spawn(move || {
            for _ in 0..100 {
                let mut connection = TcpStream::connect(address).unwrap();
                connection.set_read_timeout(Some(PATIENCE)).unwrap();
                connection.write_all("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(40).as_bytes()).unwrap();
                connection.write_all(get("/").as_bytes()).unwrap();
                let mut answers = String::new();
                connection.read_to_string(&mut answers).unwrap();
                assert_eq!(answers.matches("hello").count(), 41);
            }
        }));
        for client in clients {
            client.join().unwrap();
        }
    }
}

#[test]
fn requests_of_one_connection_are_run_one_at_a_time_however_slow() {
    let inside = AtomicUsize::new(0);
    let (meeting, calls) = (meeting(2), Arc::new(Mutex::new(Vec::new())));
    let noted = calls.clone();
    let server = Server::start(options(8), move |environ: Environ, start_response: &mut dyn StartResponse| {
        if environ.path_info() == b"/meet" {
            return meeting.call(environ, start_response);
        }
        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
        noted.lock().unwrap().push(environ.text("QUERY_STRING")?.to_owned());
        thread::sleep(Duration::from_micros(100));
        inside.fetch_sub(1, Ordering::SeqCst);
        hello(environ, start_response)
    });
    let slow = [(); 2].map(|()| {
        let mut connection = server.connect();
        thread::spawn(move || (0..200).for_each(|_| ask(&mut connection, "/meet")))
    });
    let requests: String = (0..200).map(|n| format!("GET /?{n} HTTP/1.1\r\nHost: localhost\r\n\r\n")).collect();
    let answers = server.exchange(&(requests + &get("/?200")));
    assert_eq!(answers.matches("hello").count(), 201);
    assert_eq!(*calls.lock().unwrap(), (0..=200).map(|n: u32| n.to_string()).collect::<Vec<_>>());
    for client in slow {
        client.join().unwrap();
    }
}

#[test]
fn a_slow_application_holds_up_no_reply_to_what_was_pipelined_in_front_of_it() {
    let gate = Gate::default();
    let waiting = gate.clone();
    let server = Server::start(options(8), move |environ: Environ, start_response: &mut dyn StartResponse| {
        match environ.path_info() {
            b"/sleep" => thread::sleep(Duration::from_millis(20)),
            b"/wait" => waiting.wait(),
            _ => {}
        }
        hello(environ, start_response)
    });
    // By then the engine knows that applications are slow.
    let mut connection = server.connect();
    (0..10).for_each(|_| ask(&mut connection, "/sleep"));
    let request = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    connection.write_all((request("/") + &request("/wait")).as_bytes()).unwrap();
    read_answer(&mut connection);
    gate.open();
    read_answer(&mut connection);
}

#[test]
fn a_stop_among_slow_applications_loses_nothing() {
    for _ in 0..5 {
        let mut server = Server::start(options(6), meeting(2));
        let clients = [(); 2].map(|()| {
            let mut connection = server.connect();
            thread::spawn(move || (0..20).for_each(|_| ask(&mut connection, "/meet")))
        });
        for client in clients {
            client.join().unwrap();
        }
        let address = server.address;
        let connecting = [(); 2].map(|()| thread::spawn(move || while TcpStream::connect(address).is_ok() {}));
        let accepted = server.handle.counters().accepted;
        while server.handle.counters().accepted == accepted {
            thread::yield_now();
        }
        let mut last = [server.connect(), server.connect()];
        for connection in &mut last {
            connection.write_all(get("/meet").as_bytes()).unwrap();
        }
        server.stop().unwrap();
        for mut connection in last {
            let mut answer = String::new();
            connection.read_to_string(&mut answer).unwrap();
            assert!(answer.ends_with("hello"), "{answer}");
        }
        for client in connecting {
            client.join().unwrap();
        }
        assert_eq!(server.handle.counters().open, 0, "nobody has looked at a connection again");
    }
}

#[test]
fn a_blocked_application_is_finished_when_all_threads_are() {
    let gate = Gate::default();
    let waiting = gate.clone();
    let server = Server::start(options(2), move |environ: Environ, start_response: &mut dyn StartResponse| {
        if environ.path_info() == b"/wait" {
            waiting.wait();
        }
        hello(environ, start_response)
    });
    let blocked: Vec<_> = (0..2).map(|_| server.send(&get("/wait"))).collect();
    gate.await_waiting(2);
    let mut late = server.send(&get("/"));
    gate.open();
    let mut answer = String::new();
    late.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("hello"));
    drop(blocked);
}

#[test]
fn streams_with_nothing_ready_hold_no_worker() {
    let (sender, receiver) = channel::<Sender<()>>();
    let sender = Mutex::new(sender);
    let server = Server::start(options(1), move |environ: Environ, start_response: &mut dyn StartResponse| {
        if environ.path_info() == b"/" {
            return hello(environ, start_response);
        }
        start_response.start(StatusCode::OK, ())?;
        let (go, wait) = channel();
        sender.lock().unwrap().send(go).unwrap();
        Ok(Body::from_stream(WhenTold { wait: Arc::new(Mutex::new(wait)), given: 0, asked: false }))
    });
    let mut streams: Vec<_> = (0..20).map(|_| server.send(&get("/stream"))).collect();
    let starters: Vec<_> = (0..20).map(|_| receiver.recv_timeout(PATIENCE).unwrap()).collect();
    assert!(server.get("/").ends_with("hello"));
    for starter in &starters {
        starter.send(()).unwrap();
    }
    for stream in &mut streams {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.ends_with("0\r\n\r\n"), "{answer}");
    }
}

/// A stream that gives its one chunk when it is told to, and is woken by another thread.
struct WhenTold {
    wait: Arc<Mutex<Receiver<()>>>,
    given: u8,
    asked: bool,
}

impl futures_core::Stream for WhenTold {
    type Item = Result<Bytes, Error>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        use std::task::Poll;
        if self.given == 1 {
            return Poll::Ready(None);
        }
        if self.asked {
            self.given = 1;
            return Poll::Ready(Some(Ok(Bytes::from_static(b"told"))));
        }
        self.asked = true;
        let (wait, waker) = (self.wait.clone(), context.waker().clone());
        thread::spawn(move || {
            let _ = wait.lock().unwrap().recv_timeout(PATIENCE);
            waker.wake();
        });
        Poll::Pending
    }
}

#[test]
fn a_panic_costs_one_response() {
    let server = Server::start(options(1), |environ: Environ, start_response: &mut dyn StartResponse| {
        if environ.path_info() == b"/panic" {
            panic!("on purpose");
        }
        hello(environ, start_response)
    });
    let mut connection = server.send("GET /panic HTTP/1.1\r\nHost: localhost\r\n\r\n");
    connection.write_all(get("/").as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
    assert!(answer.ends_with("hello"), "the connection goes on: {answer}");
    // A turn is counted when it is over, which the client does not wait for.
    let start = Instant::now();
    while server.handle.counters().panics != 1 {
        assert!(start.elapsed() < PATIENCE, "{:?}", server.handle.counters());
        thread::yield_now();
    }
}

#[test]
fn a_panic_outside_of_the_application_costs_its_connection_and_no_more() {
    /// Bytes that panic when they are dropped, which is when they were sent.
    struct Owner;
    impl AsRef<[u8]> for Owner {
        fn as_ref(&self) -> &[u8] {
            &[b'x'; 10_000]
        }
    }
    impl Drop for Owner {
        fn drop(&mut self) {
            panic!("as the test has it");
        }
    }
    let server = Server::start(options(2), |environ: Environ, start_response: &mut dyn StartResponse| {
        if environ.path_info() == b"/owner" {
            start_response.start(StatusCode::OK, ())?;
            return Ok(Body::from(Bytes::from_owner(Owner)));
        }
        hello(environ, start_response)
    });
    for _ in 0..3 {
        server.get("/owner");
        assert!(server.get("/").ends_with("hello"));
    }
    let start = Instant::now();
    while server.handle.counters().open > 0 {
        assert!(start.elapsed() < PATIENCE, "connections that are over count as open");
        assert!(!server.handle.await_stop(Duration::from_millis(5)), "nobody told it to stop");
    }
    assert_eq!(server.handle.counters().requests, 6);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = Server::start(options(2), |environ: Environ, start_response: &mut dyn StartResponse| {
        start_response.start(StatusCode::OK, ())?;
        Ok(Body::from(format!("<{}>", environ.text("PATH_INFO")?)))
    });
    let mut requests: String = (0..100).map(|n| format!("GET /{n} HTTP/1.1\r\nHost: localhost\r\n\r\n")).collect();
    requests.push_str(&get("/last"));
    let answer = server.exchange(&requests);
    let mut at = 0;
    for expected in (0..100).map(|n| format!("</{n}>")).chain(["</last>".into()]) {
        at += answer[at..].find(&expected).unwrap_or_else(|| panic!("{expected} is missing"));
    }
}

#[test]
fn a_client_that_closes_its_side_is_answered_and_let_go() {
    let server = Server::start(options(1), hello);
    for _ in 0..100 {
        let mut connection = server.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
        connection.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        assert!(answer.ends_with("hello"), "{answer}");
    }
}

#[test]
fn a_large_body_is_streamed_both_ways() {
    let server = Server::start(options(2), |mut environ: Environ, start_response: &mut dyn StartResponse| {
        start_response.start(StatusCode::OK, ())?;
        let mut input = std::mem::take(environ.input());
        Ok(Body::from_results(std::iter::from_fn(move || {
            let chunk = input.fill_buf().map(Bytes::copy_from_slice);
            if let Ok(chunk) = &chunk {
                input.consume(chunk.len());
            }
            (!matches!(&chunk, Ok(chunk) if chunk.is_empty())).then_some(chunk)
        })))
    });
    const SIZE: usize = 5_000_000;
    let mut sender = server.send(&format!("POST / HTTP/1.0\r\nHost: localhost\r\nContent-Length: {SIZE}\r\n\r\n"));
    let mut receiver = sender.try_clone().unwrap();
    let writer = thread::spawn(move || {
        let block: Vec<u8> = (0..SIZE).map(|n| (n % 251) as u8).collect();
        sender.write_all(&block).unwrap();
    });
    let mut answer = Vec::new();
    receiver.read_to_end(&mut answer).unwrap();
    writer.join().unwrap();
    let head = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    assert_eq!(answer.len() - head, SIZE);
    assert!(answer[head..].iter().enumerate().all(|(n, &byte)| byte == (n % 251) as u8));
}

/// While an application waits for its input, the reactor need not hear of the connection; behind that it has to, both
/// where the client is slow to read and where it sends the next request.
#[test]
fn a_connection_goes_on_behind_an_upload_that_was_waited_for() {
    const PIECE: usize = 100_000;
    const PIECES: usize = 5;
    const ANSWER: usize = 1_000 * 65_536;
    let (read, pieces) = channel();
    let read = Mutex::new(read);
    let server = Server::start(options(8), move |mut environ: Environ, start_response: &mut dyn StartResponse| {
        if environ.method() == "GET" {
            return hello(environ, start_response);
        }
        let mut piece = vec![0; PIECE];
        for number in 0..PIECES {
            environ.input().read_exact(&mut piece)?;
            read.lock().unwrap().send(piece.iter().all(|&byte| usize::from(byte) == number)).unwrap();
        }
        start_response.start(StatusCode::OK, [(header::CONTENT_LENGTH, ANSWER.to_string())])?;
        Ok(Body::from_chunks((0..ANSWER / 65_536).map(|_| Bytes::from_static(&[b'x'; 65_536]))))
    });
    let cores = thread::available_parallelism().unwrap().get();
    let length = PIECE * PIECES;
    let mut upload = server.send(&format!("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n"));
    for number in 0..PIECES {
        upload.write_all(&[number as u8; PIECE]).unwrap();
        assert!(pieces.recv_timeout(PATIENCE).unwrap(), "piece {number} came as it was sent");
        // Some of these belong to the same reactor, so that another thread leads it by the time they are answered.
        let others: Vec<_> = (0..cores * 2).map(|_| server.connect()).collect();
        for mut other in others {
            other.write_all(get("/").as_bytes()).unwrap();
            other.read_to_end(&mut Vec::new()).unwrap();
        }
    }
    let mut upload = BufReader::new(upload);
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        assert!(upload.read_line(&mut line).unwrap() > 0);
    }
    let mut answer = vec![0; ANSWER];
    upload.read_exact(&mut answer).unwrap();
    assert!(answer.iter().all(|&byte| byte == b'x'));
    upload.get_mut().write_all(get("/").as_bytes()).unwrap();
    let mut answer = String::new();
    upload.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("hello"), "{answer}");
}

#[test]
fn a_body_that_is_closed_may_read_the_rest_of_its_input() {
    let (closed, rest) = channel();
    let server = Server::start(options(2), move |mut environ: Environ, start_response: &mut dyn StartResponse| {
        let mut input = std::mem::take(environ.input());
        let closed = closed.clone();
        start_response.start(StatusCode::OK, ())?;
        Ok(Body::from("read later").on_close(move || {
            let read = std::io::copy(&mut input, &mut std::io::sink());
            closed.send(read.map_err(|error| error.to_string())).unwrap();
        }))
    });
    const SIZE: usize = 300_000;
    let head = format!("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {SIZE}\r\n\r\n");
    let mut connection = server.send(&head);
    connection.write_all(&[b'x'; SIZE]).unwrap();
    assert_eq!(rest.recv_timeout(PATIENCE).unwrap(), Ok(SIZE as u64));
}

#[test]
fn an_unread_body_is_no_request() {
    let server = Server::start(options(1), hello);
    // Longer than what is collected, so that the application is called before all of it is here.
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(5_000);
    let answer = server.exchange(&format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{smuggled}{}",
        smuggled.len(),
        get("/")
    ));
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 2, "{answer}");
}

#[test]
fn a_body_behind_an_unread_one_is_its_own() {
    let server = Server::start(options(1), |mut environ: Environ, start_response: &mut dyn StartResponse| {
        if environ.path_info() == b"/unread" {
            return hello(environ, start_response);
        }
        let body = environ.input().read_all(1_000)?;
        start_response.start(StatusCode::OK, ())?;
        Ok(Body::from(body))
    });
    let unread = "x".repeat(100_000);
    let mut connection =
        server.send(&format!("POST /unread HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", unread.len()));
    // So much is collected; it is answered before the rest comes.
    connection.write_all(&unread.as_bytes()[..70_000]).unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"hello") {
        let mut byte = [0];
        connection.read_exact(&mut byte).unwrap();
        answer.push(byte[0]);
    }
    connection.write_all(&unread.as_bytes()[70_000..]).unwrap();
    let head = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nConnection: close\r\n\r\n";
    connection.write_all(format!("{head}other").as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("other"), "{answer}");
}

#[test]
fn a_body_over_the_limit_is_refused() {
    let mut options = options(1);
    options.max_body = 1_000;
    let server = Server::start(options, |mut environ: Environ, start_response: &mut dyn StartResponse| {
        std::io::copy(environ.input(), &mut std::io::sink())?;
        hello(environ, start_response)
    });
    let answer =
        server.exchange("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1001\r\nConnection: close\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    let chunk = format!("400\r\n{}\r\n", "x".repeat(1024));
    let answer = server.exchange(&format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n{chunk}0\r\n\r\n"
    ));
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    // How much is still to come cannot be known, so it is not waited for, and the client is told.
    let answer =
        server.exchange(&format!("POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}"));
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("\r\nconnection: close\r\n"), "{answer}");
    assert!(server.get("/").ends_with("hello"));
}

#[test]
fn a_client_that_sends_but_does_not_read_is_given_up() {
    let mut options = options(1);
    options.write_timeout = Duration::from_secs(1);
    let server = Server::start(options, |_: Environ, start_response: &mut dyn StartResponse| {
        start_response.start(StatusCode::OK, ())?;
        Ok(Body::from(vec![b'x'; 64 << 20]))
    });
    let mut client = server.send(&get("/"));
    let start = Instant::now();
    while client.write_all(b"x").is_ok() {
        assert!(start.elapsed() < PATIENCE, "a byte now and then keeps the connection open");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn the_time_of_an_application_is_not_taken_for_its_clients() {
    const LENGTH: usize = 4 << 20;
    let timeout = Duration::from_secs(2);
    let mut options = options(2);
    options.write_timeout = timeout;
    let app = move |_: Environ, start_response: &mut dyn StartResponse| {
        start_response.start(StatusCode::OK, ())?;
        thread::sleep(timeout);
        Ok::<_, Error>(Body::from(vec![b'x'; LENGTH]))
    };
    // A Unix socket holds less than the engine sends in a turn, so that it waits in the turn of the call.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let mut engine = Engine::new(options);
    engine.listen(Listener::bind(&Address::Unix(path.clone())).unwrap(), Http::default(), Arc::new(app));
    let handle = engine.handle();
    let engine = thread::spawn(move || engine.run());
    let mut client = BufReader::new(UnixStream::connect(path).unwrap());
    client.get_mut().write_all(get("/").as_bytes()).unwrap();
    client.fill_buf().unwrap();
    // Long enough for the engine to look for connections whose time is up, and much less than the client has.
    thread::sleep(timeout / 4);
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    assert!(answer.len() > LENGTH, "the response was cut after {} bytes", answer.len());
    handle.stop();
    engine.join().unwrap().unwrap();
}

#[test]
fn slow_requests_are_refused_in_time() {
    let mut options = options(1);
    options.head_timeout = Duration::from_millis(50);
    options.body_timeout = Duration::from_millis(50);
    options.keep_alive_timeout = Duration::from_millis(50);
    options.body_buffer = 16;
    let server = Server::start(options, |mut environ: Environ, start_response: &mut dyn StartResponse| {
        std::io::copy(environ.input(), &mut std::io::sink())?;
        hello(environ, start_response)
    });
    assert!(server.exchange("GET / HTTP/1.1\r\nHost").starts_with("HTTP/1.1 408 "));
    let head = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n";
    assert!(server.exchange(&format!("{head}12")).starts_with("HTTP/1.1 408 "), "while it is collected");
    assert!(server.exchange(&format!("{head}{}", "x".repeat(50))).starts_with("HTTP/1.1 408 "), "while it is read");
    assert_eq!(server.exchange(""), "", "an idle connection is closed without a word");
}

#[test]
fn a_client_that_breaks_off_is_an_error_to_the_reader() {
    let (sender, receiver) = channel();
    let sender = Mutex::new(sender);
    let mut options = options(1);
    options.body_buffer = 4;
    let server = Server::start(options, move |mut environ: Environ, start_response: &mut dyn StartResponse| {
        let mut body = Vec::new();
        let result = environ.input().read_to_end(&mut body);
        sender.lock().unwrap().send(result.is_err()).unwrap();
        hello(environ, start_response)
    });
    drop(server.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n12345"));
    assert!(receiver.recv_timeout(PATIENCE).unwrap());
}

#[test]
fn continue_is_sent_when_the_body_is_read_and_not_before() {
    let server = Server::start(options(1), |mut environ: Environ, start_response: &mut dyn StartResponse| {
        if environ.path_info() == b"/read" {
            let body = environ.input().read_all(1_000)?;
            start_response.start(StatusCode::OK, ())?;
            return Ok(Body::from(body));
        }
        hello(environ, start_response)
    });
    let head = |path: &str| {
        format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
    };
    let mut connection = BufReader::new(server.send(&head("/read")));
    let mut line = String::new();
    connection.read_line(&mut line).unwrap();
    assert_eq!(line, "HTTP/1.1 100 Continue\r\n");
    connection.read_line(&mut line).unwrap();
    connection.get_mut().write_all(b"body").unwrap();
    line.clear();
    connection.read_line(&mut line).unwrap();
    assert_eq!(line, "HTTP/1.1 200 OK\r\n");

    let answer = server.exchange(&head("/ignore"));
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "no 100 in front: {answer}");
    assert!(answer.to_lowercase().contains("connection: close"), "the body may or may not come: {answer}");
}

#[test]
fn a_body_is_dropped_when_the_client_goes() {
    for path in ["/iterator", "/stream"] {
        let (held, gone) = dropped();
        let server = Server::start(options(1), move |environ: Environ, start_response: &mut dyn StartResponse| {
            start_response.start(StatusCode::OK, ())?;
            let held = held.lock().unwrap().take();
            let chunks = Body::from_chunks((0..u64::MAX).map(move |_| {
                let _held = &held;
                Bytes::from_static(&[b'x'; 65_536])
            }));
            Ok(if environ.path_info() == b"/stream" { Body::from_stream(chunks) } else { chunks })
        });
        let mut connection = server.send(&get(path));
        connection.read_exact(&mut [0; 100]).unwrap();
        assert!(gone.try_recv().is_err());
        drop(connection);
        gone.recv_timeout(PATIENCE).unwrap();
        assert!(gone.try_recv().is_err(), "once");
    }
}

#[test]
fn what_is_written_goes_out_before_the_call_returns() {
    let gate = Gate::default();
    let waiting = gate.clone();
    let server = Server::start(options(2), move |_: Environ, start_response: &mut dyn StartResponse| {
        start_response.start(StatusCode::OK, ())?;
        start_response.write(Bytes::from_static(b"written"))?;
        waiting.wait();
        Ok(Body::from("returned"))
    });
    let mut connection = server.send(&get("/"));
    let mut seen = Vec::new();
    while !seen.ends_with(b"written\r\n") {
        let mut byte = [0];
        connection.read_exact(&mut byte).unwrap();
        seen.push(byte[0]);
    }
    gate.open();
    let mut rest = String::new();
    connection.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "8\r\nreturned\r\n0\r\n\r\n");
}

#[test]
fn a_stop_is_graceful() {
    let gate = Gate::default();
    let waiting = gate.clone();
    let mut server = Server::start(options(4), move |environ: Environ, start_response: &mut dyn StartResponse| {
        waiting.wait();
        hello(environ, start_response)
    });
    let mut in_flight = server.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut idle = server.connect();
    gate.await_waiting(1);
    server.handle.stop();
    // An idle connection is closed, and with it the listener is.
    assert_eq!(idle.read(&mut [0; 1]).unwrap(), 0);
    gate.open();
    let mut answer = String::new();
    in_flight.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("hello"));
    assert!(answer.to_lowercase().contains("connection: close"), "{answer}");
    server.stop().unwrap();
    assert!(TcpStream::connect(server.address).is_err());
}

#[test]
fn a_stop_waits_for_the_request_of_who_has_just_connected() {
    assert_one_more_request_is_answered(|_| {});
}

#[test]
fn a_stop_waits_for_one_more_request_on_a_kept_connection() {
    assert_one_more_request_is_answered(|connection| {
        connection.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"hello") {
            let mut byte = [0];
            connection.read_exact(&mut byte).unwrap();
            answer.extend(byte);
        }
    });
}

fn assert_one_more_request_is_answered(before_the_stop: impl Fn(&mut TcpStream)) {
    // It does not wait for long, and this thread may be late.
    let is_answered = (0..10).any(|_| {
        let mut server = Server::start(options(1), hello);
        let mut connection = server.connect();
        before_the_stop(&mut connection);
        server.handle.stop();
        // Once the listener is closed, all connections that are idle were looked at.
        let start = Instant::now();
        while TcpStream::connect(server.address).is_ok() {
            assert!(start.elapsed() < PATIENCE, "the listener is not closed");
            thread::sleep(Duration::from_millis(1));
        }
        let mut answer = String::new();
        let exchanged = connection
            .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .and_then(|()| connection.read_to_string(&mut answer));
        server.stop().unwrap();
        exchanged.is_ok() && answer.contains("\r\nconnection: close\r\n") && answer.ends_with("hello")
    });
    assert!(is_answered);
}

#[test]
fn a_stop_loses_no_connection() {
    // Which thread accepts the last ones, and which has stopped by then, is another each time.
    for round in 0..20 {
        let mut server = Server::start(options(2), hello);
        let address = server.address;
        let clients = [(); 2].map(|()| thread::spawn(move || while TcpStream::connect(address).is_ok() {}));
        while server.handle.counters().accepted == 0 {
            thread::yield_now();
        }
        server.stop().unwrap();
        for client in clients {
            client.join().unwrap();
        }
        assert_eq!(server.handle.counters().open, 0, "round {round}: nobody has looked at a connection again");
    }
}

#[test]
fn a_last_request_is_answered_on_a_connection_that_is_kept() {
    let mut options = options(2);
    options.last_request_timeout = PATIENCE;
    let mut server = Server::start(options, hello);
    let mut kept = server.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut first = [0; 1];
    kept.read_exact(&mut first).unwrap();
    server.handle.stop();
    kept.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut answers = String::new();
    kept.read_to_string(&mut answers).unwrap();
    assert_eq!(answers.matches("hello").count(), 2, "{answers}");
    assert_eq!(answers.to_lowercase().matches("connection: close").count(), 1, "{answers}");
    server.stop().unwrap();
}

#[test]
fn a_stop_does_not_wait_for_ever() {
    let gate = Gate::default();
    let waiting = gate.clone();
    let mut options = options(2);
    options.stop_timeout = Duration::from_millis(50);
    let mut server = Server::start(options, move |environ: Environ, start_response: &mut dyn StartResponse| {
        waiting.wait();
        hello(environ, start_response)
    });
    let _in_flight = server.send(&get("/"));
    gate.await_waiting(1);
    server.stop().unwrap();
    gate.open();
}

#[test]
fn further_connections_wait_for_room() {
    let mut options = options(1);
    options.max_connections = 2;
    let server = Server::start(options, hello);
    let first = server.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let second = server.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    for mut connection in [&first, &second] {
        connection.read_exact(&mut [0; 10]).unwrap();
    }
    let mut third = server.send(&get("/"));
    assert_eq!(server.handle.counters().accepted, 2);
    drop(first);
    let mut answer = String::new();
    third.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("hello"));
}

#[test]
fn one_thread_calls_from_one_thread() {
    let calls = Arc::new(Mutex::new(Vec::new()));
    let noted = calls.clone();
    let server = Server::start(options(1), move |environ: Environ, start_response: &mut dyn StartResponse| {
        assert!(!environ.gateway().multithread);
        noted.lock().unwrap().push(thread::current().id());
        hello(environ, start_response)
    });
    for _ in 0..5 {
        server.get("/");
    }
    let calls = calls.lock().unwrap();
    assert!(calls.len() == 5 && calls.iter().all(|id| id == &calls[0]));
}

#[test]
fn an_engine_with_a_thread_left_is_responsive() {
    let gate = Gate::default();
    let waiting = gate.clone();
    let server = Server::start(options(2), move |_: Environ, start_response: &mut dyn StartResponse| {
        waiting.wait();
        start_response.start(StatusCode::OK, ())?;
        Ok(Body::empty())
    });
    let await_answer = |expected| {
        let start = Instant::now();
        while server.handle.is_responsive() != expected {
            assert!(start.elapsed() < PATIENCE, "it is not {expected}");
            // Time for a thread to look.
            assert!(!server.handle.await_stop(Duration::from_millis(20)), "nobody told it to stop");
        }
    };
    let first = server.send(&get("/"));
    gate.await_waiting(1);
    await_answer(true);
    let second = server.send(&get("/"));
    gate.await_waiting(2);
    await_answer(false);
    gate.open();
    await_answer(true);
    drop((first, second));
    server.handle.stop();
    assert!(server.handle.await_stop(PATIENCE));
}
