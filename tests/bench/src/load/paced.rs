//! HTTP requests at a fixed pace, whatever the server does with them. A latency counts from when its request was due:
//! time that it had to wait for a free connection, because the server was late with others, is the server's.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::event::epoll;

use crate::load::http::{get, is_complete};

/// How long answers may be late at the end.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is sent: each path in turn.
pub struct Pace<'a> {
    pub address: SocketAddr,
    pub connections: usize,
    /// Requests a second.
    pub rate: f64,
    pub length: Duration,
    pub paths: &'a [&'a str],
}

struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
    /// Which path it was asked for, and when that was due.
    asked: Option<(usize, Instant)>,
}

/// Runs it, and gives the latencies in nanoseconds for each path. What was not answered in time counts as what it had
/// waited by then.
pub fn run(pace: &Pace<'_>) -> Result<Vec<Vec<u64>>> {
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let mut connections = Vec::new();
    for token in 0..pace.connections {
        let stream = TcpStream::connect(pace.address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        epoll::add(&poll, &stream, epoll::EventData::new_u64(token as u64), epoll::EventFlags::IN)?;
        connections.push(Connection { stream, received: Vec::new(), asked: None });
    }
    let requests: Vec<Vec<u8>> = pace.paths.iter().map(|path| get(pace.address, path)).collect();
    let interval = Duration::from_secs_f64(1.0 / pace.rate);
    let mut latencies = vec![Vec::new(); pace.paths.len()];
    let mut free: Vec<usize> = (0..connections.len()).collect();
    let mut turn = 0;
    let mut events = Vec::with_capacity(connections.len());
    let start = Instant::now();
    let end = start + pace.length;
    let mut due = start;
    loop {
        let now = Instant::now();
        while due <= now && due < end {
            let Some(token) = free.pop() else { break };
            let connection = &mut connections[token];
            connection.asked = Some((turn, due));
            connection.stream.write_all(&requests[turn])?;
            turn = (turn + 1) % requests.len();
            due += interval;
        }
        let all_free = free.len() == connections.len();
        if (due >= end && all_free) || now > end + PATIENCE {
            break;
        }
        let wait = if free.is_empty() || due >= end { Duration::from_millis(100) } else { due - now.min(due) };
        let wait = rustix::fs::Timespec { tv_sec: 0, tv_nsec: i64::from(wait.subsec_nanos()) };
        events.clear();
        epoll::wait(&poll, rustix::buffer::spare_capacity(&mut events), Some(&wait))?;
        let now = Instant::now();
        for event in &events {
            let data = event.data;
            let token = usize::try_from(data.u64())?;
            let connection = connections.get_mut(token).context("an event of an unknown connection")?;
            if !connection.receive()? {
                continue;
            }
            let (turn, due) = connection.asked.take().context("an answer without a request")?;
            latencies[turn].push(u64::try_from((now - due).as_nanos())?);
            free.push(token);
        }
    }
    let now = Instant::now();
    for (turn, due) in connections.iter().filter_map(|connection| connection.asked) {
        latencies[turn].push(u64::try_from((now - due).as_nanos())?);
    }
    // Those that were due and never sent, because no connection was free.
    while due < end {
        latencies[turn].push(u64::try_from((now - due).as_nanos())?);
        turn = (turn + 1) % requests.len();
        due += interval;
    }
    Ok(latencies)
}

impl Connection {
    /// Whether an answer is complete now.
    fn receive(&mut self) -> Result<bool> {
        let mut piece = [0; 4096];
        let read = self.stream.read(&mut piece)?;
        ensure!(read > 0, "closes a kept connection");
        self.received.extend_from_slice(&piece[..read]);
        let complete = is_complete(&self.received);
        if complete {
            ensure!(self.received.starts_with(b"HTTP/1.1 200 "), "does not answer with 200");
            self.received.clear();
        }
        Ok(complete)
    }
}
