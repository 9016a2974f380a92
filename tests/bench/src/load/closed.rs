//! Kept connections, one request at a time on each, as fast as the server answers. An answer is over when it has the
//! length of the first one, which was looked at; one of another length ends the round as an error.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::event::epoll;

use crate::cli::Run;
use crate::cores::on_core;
use crate::measure::{Sample, percentiles};
use crate::process::Server;

/// How long an answer may take.
const PATIENCE: rustix::fs::Timespec = rustix::fs::Timespec { tv_sec: 20, tv_nsec: 0 };

/// What is sent on so many connections, and how long an answer to it is.
pub struct Load<'a> {
    pub connections: usize,
    pub request: &'a [u8],
    pub answer: usize,
}

/// Open connections.
struct Open<'a> {
    poll: rustix::fd::OwnedFd,
    connections: Vec<Connection>,
    load: &'a Load<'a>,
    buffer: Vec<u8>,
}

struct Connection {
    stream: TcpStream,
    received: usize,
    /// When the request that is under way was sent.
    sent: Option<Instant>,
}

/// One round: a short warm-up, then load of the run's length, with the server's CPU time over it.
pub fn round(run: &Run, server: &Server, load: &Load<'_>) -> Result<Sample> {
    on_core(run.cores.load, || {
        let mut open = Open::new(server.address, load)?;
        open.run(Duration::from_millis(200))?;
        let before = server.cpu_time()?;
        let mut sample = open.run(Duration::from_secs_f64(run.seconds))?;
        sample.cpu = server.cpu_time()? - before;
        sample.memory = server.memory()?.proportional;
        Ok(sample)
    })
}

impl Open<'_> {
    fn new<'a>(address: SocketAddr, load: &'a Load<'a>) -> Result<Open<'a>> {
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut connections = Vec::new();
        for token in 0..load.connections {
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            epoll::add(&poll, &stream, epoll::EventData::new_u64(token as u64), epoll::EventFlags::IN)?;
            connections.push(Connection { stream, received: 0, sent: None });
        }
        Ok(Open { poll, connections, load, buffer: vec![0; 256 * 1024] })
    }

    /// Closed loop for so long; returns when every request is answered.
    fn run(&mut self, length: Duration) -> Result<Sample> {
        let start = Instant::now();
        let end = start + length;
        let mut latencies = Vec::new();
        for connection in &mut self.connections {
            connection.send(self.load.request)?;
        }
        let mut under_way = self.connections.len();
        let mut events = Vec::with_capacity(256);
        while under_way > 0 {
            events.clear();
            epoll::wait(&self.poll, rustix::buffer::spare_capacity(&mut events), Some(&PATIENCE))?;
            ensure!(!events.is_empty(), "leaves {under_way} requests without an answer");
            let now = Instant::now();
            for event in &events {
                let data = event.data;
                let connection = usize::try_from(data.u64()).ok().and_then(|token| self.connections.get_mut(token));
                let connection = connection.context("an event of an unknown connection")?;
                let read = connection.stream.read(&mut self.buffer)?;
                ensure!(read > 0, "closes a kept connection");
                connection.received += read;
                ensure!(connection.received <= self.load.answer, "answers with more than at first");
                if connection.received < self.load.answer {
                    continue;
                }
                connection.received = 0;
                let sent = connection.sent.take().context("an answer without a request")?;
                latencies.push(u64::try_from((now - sent).as_nanos())?);
                if now < end {
                    connection.send(self.load.request)?;
                } else {
                    under_way -= 1;
                }
            }
        }
        Ok(Sample {
            requests: latencies.len() as u64,
            wall: start.elapsed(),
            latency: percentiles(latencies),
            ..Sample::default()
        })
    }
}

impl Connection {
    fn send(&mut self, request: &[u8]) -> Result<()> {
        self.sent = Some(Instant::now());
        // The socket's buffer is empty: the request fits, or something is wrong.
        Ok(self.stream.write_all(request)?)
    }
}
