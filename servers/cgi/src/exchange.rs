//! One exchange: request in, application called, response out part by part.

use std::env::VarsOs;
use std::ffi::OsString;
use std::fmt;
use std::io::{Read, Write};

use wgi::server::{Part, Reply, Transmit};
use wgi::{App, Environ, Error, Errors, Input, PeerError, Vars};

use crate::Options;
use crate::head::{self, Direct};
use crate::input::Shared;
use crate::output::{Output, Process, Stream};
use crate::stdio::{self, Stdin, Stdout};
use crate::variables;

/// Why a response did not go out whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupted {
    /// It was cut behind its head: the application failed, or broke the protocol.
    Cut,
    /// Nobody is there any more to take it.
    Disconnected,
}

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Interrupted::Cut => "the response was cut behind its head",
            Interrupted::Disconnected => "the server went away before the end of the response",
        })
    }
}

impl std::error::Error for Interrupted {}

/// Over the standard streams of this process.
pub(crate) fn on_stdio(app: &dyn App, options: &Options, vars: VarsOs) -> Result<(), Interrupted> {
    let request = variables::request(vars, options.max_body);
    let body = Shared::new(Stdin, *request.body.as_ref().unwrap_or(&0));
    let is_refused = request.body.is_err();
    let mut output = Process { stdout: Stdout, body: &body };
    let ended = exchange(app, options, request, &body, &mut output, Errors::stderr());
    if ended != Err(Interrupted::Disconnected) {
        // Of a request that was refused, nobody knows the length.
        stdio::drop_unread(if is_refused { u64::MAX } else { body.unread() });
    }
    ended
}

/// Over any streams.
pub(crate) fn on_streams(
    app: &dyn App,
    options: &Options,
    vars: impl IntoIterator<Item = (OsString, OsString)>,
    stdin: impl Read + Send + 'static,
    stdout: impl Write,
    errors: Errors,
) -> Result<(), Interrupted> {
    let request = variables::request(vars, options.max_body);
    let body = Shared::new(stdin, *request.body.as_ref().unwrap_or(&0));
    exchange(app, options, request, &body, &mut Stream(stdout), errors)
}

fn exchange(
    app: &dyn App,
    options: &Options,
    request: variables::Request,
    body: &Shared<impl Read + Send + 'static>,
    output: &mut dyn Output,
    errors: Errors,
) -> Result<(), Interrupted> {
    let variables::Request { mut vars, gateway, body: length } = request;
    for (name, value) in options.variables.iter() {
        vars.set(name, value);
    }
    let mut log = Log { errors: errors.clone(), request: names(&vars) };
    let mut sender =
        Sender { output, direct: Direct::of(&vars), pending: Vec::with_capacity(256), disconnected: false };
    let mut reply = match length {
        Ok(length) => {
            let mut environ = Environ::new(vars, gateway);
            *environ.errors() = errors;
            if length > 0 {
                *environ.input() = Input::new(Box::new(body.reader()));
            }
            Reply::call(app, environ, &mut sender)
        }
        // Not a client's doing but the server's, whose log this is.
        Err(error) => {
            log.line(&error);
            Reply::error(error, vars.get("REQUEST_METHOD") == Some(b"HEAD"))
        }
    };
    let ended = send(&mut reply, &mut sender, &mut log);
    // Only now: the drop of a body may be the application's code, and what it writes goes to the log too.
    drop(reply);
    ended
}

/// Sends all parts of the reply that were not sent during the call.
fn send(reply: &mut Reply, sender: &mut Sender<'_>, log: &mut Log) -> Result<(), Interrupted> {
    loop {
        if sender.disconnected {
            return Err(Interrupted::Disconnected);
        }
        // What is pending may wait for what is at hand, and for nothing else.
        if !reply.is_ready() && sender.send(&[]).is_err() {
            return Err(Interrupted::Disconnected);
        }
        let part = reply.next_part();
        if let Some(fault) = reply.take_fault() {
            log.fault(&fault);
        }
        let sent = match part {
            Part::End => return sender.send(&[]).map_err(|_| Interrupted::Disconnected),
            Part::Cut => {
                let _ = sender.send(&[]);
                return Err(Interrupted::Cut);
            }
            Part::File(file) => {
                let length = file.length;
                match sender.send(&[]).and_then(|()| sender.output.send(file).map_err(|_| disconnected())) {
                    Ok(sent) if sent < length => {
                        log.line(&Error::new("the file became shorter while it was sent"));
                        return Err(Interrupted::Cut);
                    }
                    sent => sent.map(|_| ()),
                }
            }
            part => sender.transmit(part),
        };
        if sent.is_err() {
            return Err(Interrupted::Disconnected);
        }
    }
}

/// Turns parts into bytes.
struct Sender<'a> {
    output: &'a mut dyn Output,
    direct: Option<Direct>,
    /// A head that goes out together with what comes behind it.
    pending: Vec<u8>,
    disconnected: bool,
}

impl Sender<'_> {
    fn send(&mut self, chunk: &[u8]) -> Result<(), Error> {
        let result = self.output.write(&self.pending, chunk);
        self.pending.clear();
        result.map_err(|_| {
            self.disconnected = true;
            disconnected()
        })
    }
}

impl Transmit for Sender<'_> {
    fn transmit(&mut self, part: Part) -> Result<(), Error> {
        match part {
            Part::Head(head, framing) => {
                head::encode(&head, framing, self.direct.as_ref(), &mut self.pending);
                Ok(())
            }
            Part::Chunk(chunk) => self.send(&chunk),
            Part::File(_) | Part::End | Part::Cut => Ok(()),
        }
    }
}

fn disconnected() -> Error {
    PeerError::Disconnected { doing: "before the end of the response" }.into()
}

/// Tells the operator what went wrong, one line each.
struct Log {
    errors: Errors,
    /// Method and path as they came: they are made readable only when there is a line to write.
    request: Vec<u8>,
}

impl Log {
    /// A fault of an exchange. What the peer did wrong, it was told; the log is for what others have to set right.
    fn fault(&mut self, fault: &Error) {
        if !matches!(fault, Error::Peer(_)) {
            self.line(fault);
        }
    }

    fn line(&mut self, error: &Error) {
        let text = error.to_string().replace(['\r', '\n'], " ");
        // There is nobody to tell that the log cannot be written.
        // A decoded path may hold a line's end.
        let _ = writeln!(self.errors, "wgi: {}: {text}", self.request.escape_ascii());
    }
}

/// Method and path, for the log.
fn names(vars: &Vars) -> Vec<u8> {
    let var = |name| vars.get(name).unwrap_or_default();
    [var("REQUEST_METHOD"), b" ", var("SCRIPT_NAME"), var("PATH_INFO")].concat()
}
