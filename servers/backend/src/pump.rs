//! The request's way to the back end, while the response is on its way back.
//!
//! A back end may answer before it has read the request, or write more than any buffer holds while it reads. So neither
//! direction may wait for the other. What can be sent without waiting is sent at once; for what is left there is a
//! thread, for reading a request's body may wait for the client.

use std::io::Read;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use wgi::{Error, Input, PeerError};

use crate::conversation::{Breaker, Outlet};
use crate::request_body::{Content, PIECE, RequestBody};
use crate::room::Place;

/// Of a body that is in memory, how much is sent in one piece with the head of the request, in bytes.
const AT_ONCE: usize = 16 * 1024;

/// How long the last bytes of a request may take behind the last ones of its response.
const ENDING: Duration = Duration::from_millis(10);

/// What is known of a request that is being sent.
#[derive(Debug)]
pub(crate) struct Pump {
    start: Instant,
    /// When something was last sent, in milliseconds behind `start`.
    moved: AtomicU64,
    state: Mutex<State>,
    ended: Condvar,
    /// Not a byte was taken, and none will be.
    is_unsent: bool,
}

#[derive(Debug)]
enum State {
    Sending,
    /// The last bytes are being sent.
    Ending,
    /// The back end has it all.
    Sent,
    /// The back end takes no more.
    Unwanted,
    /// The body broke off.
    Broken(Option<Error>),
}

impl Pump {
    /// Sends a request: `head`, then its body, then what ends it.
    pub(crate) fn start(
        mut outlet: Box<dyn Outlet>,
        mut head: Vec<u8>,
        body: RequestBody,
        breaker: Breaker,
        place: Place,
    ) -> std::io::Result<Arc<Pump>> {
        let (length, content) = body.into_parts();
        let rest = match content {
            Content::Whole(bytes) if bytes.len() <= AT_ONCE => {
                if !bytes.is_empty() {
                    outlet.frame(&bytes, &mut head);
                }
                outlet.end(&mut head);
                None
            }
            content => Some(content),
        };
        let (state, is_unsent) = match outlet.try_send(&head) {
            Ok(sent) if sent == head.len() && rest.is_none() => (State::Sent, false),
            Ok(sent) => {
                head.drain(..sent.min(head.len()));
                (State::Sending, false)
            }
            Err(_) => (State::Unwanted, true),
        };
        let is_sending = matches!(state, State::Sending);
        let pump = Arc::new(Pump {
            start: Instant::now(),
            moved: AtomicU64::new(0),
            state: Mutex::new(state),
            ended: Condvar::new(),
            is_unsent,
        });
        if is_sending {
            let sending = Sending { pump: pump.clone(), outlet, breaker, framed: Vec::new(), _place: place };
            thread::Builder::new().name("wgi-request".into()).spawn(move || sending.run(&head, rest, length))?;
        }
        Ok(pump)
    }

    /// Whether the back end has nothing of the request, and never will.
    pub(crate) fn is_unsent(&self) -> bool {
        self.is_unsent
    }

    /// Whether the back end has the whole request. It may have answered the last bytes before the thread that sent them
    /// comes to say so, which is then waited for.
    pub(crate) fn is_sent(&self) -> bool {
        let is_ending = |state: &mut State| matches!(state, State::Ending);
        let state = self.ended.wait_timeout_while(self.lock(), ENDING, is_ending);
        matches!(*state.unwrap_or_else(PoisonError::into_inner).0, State::Sent)
    }

    /// When something was last sent.
    pub(crate) fn moved_at(&self) -> Instant {
        self.start + Duration::from_millis(self.moved.load(Ordering::Relaxed))
    }

    /// Why the request broke off, if it did; told once.
    pub(crate) fn take_error(&self) -> Option<Error> {
        match &mut *self.lock() {
            State::Broken(error) => error.take(),
            _ => None,
        }
    }

    fn set(&self, state: State) {
        *self.lock() = state;
        self.ended.notify_all();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the thread has.
struct Sending {
    pump: Arc<Pump>,
    outlet: Box<dyn Outlet>,
    breaker: Breaker,
    /// The room for a piece as it stands on the wire.
    framed: Vec<u8>,
    /// Held until all that is left of the request is gone.
    _place: Place,
}

impl Sending {
    fn run(mut self, head: &[u8], content: Option<Content>, length: u64) {
        let sent = catch_unwind(AssertUnwindSafe(|| {
            self.send(head)?;
            self.send_content(content, length)
        }));
        let state = match sent {
            Ok(Ok(())) => State::Sent,
            Ok(Err(Stopped::Unwanted)) => State::Unwanted,
            Ok(Err(Stopped::Broken(error))) => State::Broken(Some(error)),
            Err(_) => State::Broken(Some(Error::new("reading the request body panicked"))),
        };
        let is_broken = matches!(state, State::Broken(_));
        self.pump.set(state);
        if is_broken {
            // Half a request must never look whole: the back end is made to give up before it sees an end.
            (self.breaker)();
        }
    }

    fn send_content(&mut self, content: Option<Content>, length: u64) -> Result<(), Stopped> {
        match content {
            None => Ok(()),
            Some(Content::Whole(bytes)) => {
                let mut pieces = bytes.chunks(PIECE).peekable();
                while let Some(piece) = pieces.next() {
                    self.send_piece(piece, pieces.peek().is_none())?;
                }
                Ok(())
            }
            Some(Content::Streamed(input)) => self.send_streamed(input, length),
        }
    }

    /// Sends exactly `length` bytes: a back end takes what comes behind them for something else.
    fn send_streamed(&mut self, mut input: Input, length: u64) -> Result<(), Stopped> {
        let mut left = length;
        let mut piece = vec![0; PIECE];
        while left > 0 {
            let wanted = left.min(PIECE as u64) as usize;
            let read = match input.read(piece.get_mut(..wanted).unwrap_or_default()) {
                Ok(0) => return Err(Stopped::Broken(short())),
                Ok(read) => read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Stopped::Broken(error.into())),
            };
            left = left.saturating_sub(read as u64);
            self.send_piece(piece.get(..read).unwrap_or_default(), left == 0)?;
        }
        if length == 0 { self.send_piece(b"", true) } else { Ok(()) }
    }

    /// Sends a piece of the body, and with the last one what ends it: some answer as soon as they have the bytes that
    /// CONTENT_LENGTH announced.
    fn send_piece(&mut self, piece: &[u8], is_last: bool) -> Result<(), Stopped> {
        let mut framed = mem::take(&mut self.framed);
        framed.clear();
        if !piece.is_empty() {
            self.outlet.frame(piece, &mut framed);
        }
        if is_last {
            self.outlet.end(&mut framed);
            self.pump.set(State::Ending);
        }
        let sent = self.send(&framed);
        self.framed = framed;
        sent
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), Stopped> {
        if !bytes.is_empty() {
            self.outlet.send(bytes).map_err(|_| Stopped::Unwanted)?;
            let moved = self.pump.start.elapsed().as_millis();
            self.pump.moved.store(u64::try_from(moved).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
        Ok(())
    }
}

enum Stopped {
    Unwanted,
    Broken(Error),
}

fn short() -> Error {
    PeerError::Disconnected { doing: "before the end of the request body" }.into()
}
