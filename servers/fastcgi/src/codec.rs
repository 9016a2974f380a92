//! One connection: records in, events out; parts of a reply in, records out.
//!
//! Decoding is one switch over the type of a record. What is short and of fixed size (headers, BEGIN_REQUEST, a query
//! for values) is waited for in the input; the content of streams is taken as it comes, in any pieces. PARAMS collect
//! in a buffer of their request, which grows by what came and never by what a length promised. STDIN is not copied.
//!
//! A request is in the list from its BEGIN_REQUEST to its END_REQUEST. Records of a request that isn't there are
//! skipped: the web server may have sent them before it knew of the end (specification §4.3, §5.4).

use std::mem;
use std::sync::Arc;

use wgi::server::Framing;
use wgi::server::meta_variables::{Normal, Refusal, normalise_block};
use wgi::{Environ, Error, Gateway, Head, PeerError, StatusCode};
use wgi_engine::{Codec, ConnectionInfo, Decoded, Event, Id, Request, RequestBody};

use crate::record::{
    ABORT_REQUEST, AUTHORIZER, BEGIN_REQUEST, BeginRequest, EndRequest, GET_VALUES, GET_VALUES_RESULT, HEADER_LEN,
    Header, KEEP_CONN, MAX_LENGTH, NULL_REQUEST_ID, OVERLOADED, PARAMS, REQUEST_COMPLETE, RESPONDER, STDERR, STDIN,
    STDOUT, UNKNOWN_ROLE, UNKNOWN_TYPE, VERSION_1, write_stream, write_stream_end, write_unknown_type,
};
use crate::reply::{HeadRecord, write_head};
use crate::settings::Settings;
use crate::values;

/// The most payload in one record: the largest multiple of eight.
const MAX_PAYLOAD: usize = MAX_LENGTH - 7;

/// A record that is none: of no version, and of a type that nothing follows.
const BROKEN_OFF: [u8; HEADER_LEN] = [0, UNKNOWN_TYPE, 0, 0, 0, 0, 0, 0];

/// The state of one connection.
pub(crate) struct FastCgiCodec {
    settings: Arc<Settings>,
    gateway: Gateway,
    /// What is left of the record that has begun.
    current: Current,
    /// From BEGIN_REQUEST to END_REQUEST. A handful at the most, and one as a rule: a search from the front is quickest.
    requests: Vec<Open>,
    /// A request whose body has come to its declared length, which is yet to be said.
    complete: Option<Id>,
    /// Where the record of a head stands in the output, for the first piece of payload to join it.
    joinable: Option<HeadRecord>,
    /// The connection is closed behind the last of the requests that are open.
    is_closing: bool,
    /// A request that was over before the end of its STDIN had come, on a connection that is to end. Its peer may be about
    /// to send that, and must not find the connection closed: Apache's mod_proxy_fcgi drops the response then.
    awaits_stdin_end: Option<Id>,
    /// The input was refused: nothing more is read, and a reply that is under way is the last.
    is_broken: bool,
}

/// A request that is open.
struct Open {
    id: Id,
    role: u16,
    keep_conn: bool,
    stage: Stage,
    has_stdout: bool,
    has_stderr: bool,
    stdin_ended: bool,
}

/// How much of a request has come in.
enum Stage {
    Params(Vec<u8>),
    /// The body, with what is left of its declared length.
    Stdin(Option<u64>),
    Complete,
    /// It cannot be served, and is answered when the engine asks for the refusal of the error that it got.
    Refused,
}

/// What is left of a record: content, and then padding.
#[derive(Clone, Copy, Default)]
struct Current {
    record_type: u8,
    id: Id,
    content: usize,
    padding: usize,
}

impl FastCgiCodec {
    pub(crate) fn new(settings: Arc<Settings>, connection: &ConnectionInfo) -> FastCgiCodec {
        FastCgiCodec {
            settings,
            gateway: connection.gateway,
            current: Current::default(),
            requests: Vec::new(),
            complete: None,
            joinable: None,
            is_closing: false,
            awaits_stdin_end: None,
            is_broken: false,
        }
    }

    fn position(&self, id: Id) -> Option<usize> {
        self.requests.iter().position(|open| open.id == id)
    }

    fn find(&mut self, id: Id) -> Option<&mut Open> {
        self.requests.iter_mut().find(|open| open.id == id)
    }

    // In: records.

    /// Decodes one event.
    fn step(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<Decoded, Error> {
        if let Some(id) = self.complete.take() {
            return Ok(Decoded { used: 0, event: Event::End(id) });
        }
        let mut rest = input;
        let event = loop {
            if self.current.content > 0 {
                if rest.is_empty() {
                    break Event::Incomplete;
                }
                let start = input.len() - rest.len();
                let data = self.take_content(&mut rest);
                if data > 0 {
                    break Event::Data(self.current.id, start..start + data);
                }
            } else if self.current.padding > 0 {
                self.current.padding -= skip(&mut rest, self.current.padding);
                if self.current.padding > 0 {
                    break Event::Incomplete;
                }
            } else if let Some(event) = self.begin_record(&mut rest, out)? {
                break event;
            }
        };
        Ok(Decoded { used: input.len() - rest.len(), event })
    }

    /// Takes the header of a record from the front of the input, and what is decided by the header alone; gives what that
    /// came to, if it is an event.
    fn begin_record(&mut self, rest: &mut &[u8], out: &mut Vec<u8>) -> Result<Option<Event>, Error> {
        let Some((header, behind)) = rest.split_first_chunk::<HEADER_LEN>() else {
            return Ok(Some(Event::Incomplete));
        };
        let header = Header::parse(header);
        if header.version != VERSION_1 {
            return Err(malformed("a FastCGI record of an unknown version"));
        }
        let Header { request_id: id, record_type, .. } = header;
        let length = usize::from(header.content_length);
        let (mut content, padding) = (length, usize::from(header.padding_length));
        let whole = if let (NULL_REQUEST_ID, GET_VALUES) | (1.., BEGIN_REQUEST) = (id, record_type) {
            let most = if id == NULL_REQUEST_ID { values::MAX_QUERY } else { BeginRequest::LEN };
            if length > most {
                return Err(malformed("a BEGIN_REQUEST or GET_VALUES record that is too long"));
            }
            // It is waited for.
            let Some((whole, behind)) = behind.split_at_checked(length) else { return Ok(Some(Event::Incomplete)) };
            content = 0;
            *rest = behind;
            whole
        } else {
            *rest = behind;
            &[]
        };
        self.current = Current { record_type, id, content, padding };
        match (id, record_type) {
            (NULL_REQUEST_ID, GET_VALUES) => self.get_values(whole, out),
            // An answer to a question that nobody asked is not answered in turn.
            (NULL_REQUEST_ID, UNKNOWN_TYPE | GET_VALUES_RESULT) => Ok(None),
            (NULL_REQUEST_ID, _) => {
                write_unknown_type(record_type, out);
                Ok(Some(Event::Skipped))
            }
            (_, BEGIN_REQUEST) => self.begin_request(id, whole, out),
            (_, PARAMS) if length > 0 => self.begin_params(id, rest, out),
            (_, PARAMS) => self.end_params(id, rest, out),
            (_, STDIN) => self.begin_stdin(id, length, out),
            (_, ABORT_REQUEST) => self.abort(id, out),
            // DATA is for Filters. Of a type that is not known, UNKNOWN_TYPE tells for management records only (§4.2).
            _ => Ok(None),
        }
    }

    fn get_values(&mut self, query: &[u8], out: &mut Vec<u8>) -> Result<Option<Event>, Error> {
        values::answer(query, self.settings.max_connections, out)
            .map_err(|_| malformed("a GET_VALUES record with lengths that do not add up"))?;
        Ok(Some(Event::Skipped))
    }

    fn begin_request(&mut self, id: Id, content: &[u8], out: &mut Vec<u8>) -> Result<Option<Event>, Error> {
        let Ok(content) = content.try_into() else { return Err(malformed("a BEGIN_REQUEST record that is too short")) };
        let BeginRequest { role, flags } = BeginRequest::parse(content);
        if self.position(id).is_some() {
            return Err(malformed("BEGIN_REQUEST with the id of a request that is open"));
        }
        let stage = Stage::Params(Vec::new());
        let open = Open {
            id,
            role,
            keep_conn: flags & KEEP_CONN != 0,
            stage,
            has_stdout: false,
            has_stderr: false,
            // An Authorizer has no such stream (§6.3).
            stdin_ended: role == AUTHORIZER,
        };
        let (protocol_status, reason) = match role {
            _ if self.requests.len() >= self.settings.max_requests => {
                (OVERLOADED, "too many requests on one connection")
            }
            RESPONDER | AUTHORIZER => {
                self.requests.push(open);
                return Ok(None);
            }
            _ => (UNKNOWN_ROLE, "a FastCGI role that is neither Responder nor Authorizer"),
        };
        EndRequest { app_status: 0, protocol_status }.write(id, out);
        if self.goes_on_behind(open) {
            Ok(Some(Event::Skipped))
        } else {
            Err(Error::refused(StatusCode::NOT_IMPLEMENTED, reason))
        }
    }

    /// Content of PARAMS is to come, which has to be awaited, and fit.
    ///
    /// Nearly every web server sends the whole stream in one record, and its end along with it. Where all of that is in the
    /// input it is read from there; it collects in a buffer only otherwise.
    fn begin_params(&mut self, id: Id, rest: &mut &[u8], out: &mut Vec<u8>) -> Result<Option<Event>, Error> {
        let most = self.settings.max_params;
        let Current { content, padding, .. } = self.current;
        let Some(index) = self.position(id) else { return Ok(None) };
        let Some(Stage::Params(params)) = self.requests.get(index).map(|open| &open.stage) else {
            return Err(malformed("PARAMS behind the end of PARAMS"));
        };
        if params.len().saturating_add(content) > most {
            let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
            let error = Error::refused(status, format!("the request's variables are over the limit of {most} bytes"));
            return self.turn_away(index, error, out);
        }
        if params.is_empty()
            && let Some((params, behind)) = rest.split_at_checked(content)
            && let Some(behind) = behind.get(padding..)
            && let Some(length) = stream_end(PARAMS, id, behind)
        {
            self.current = Current::default();
            *rest = behind.get(length..).unwrap_or_default();
            return self.request(index, params, rest, out);
        }
        Ok(None)
    }

    /// The end of the PARAMS stream.
    fn end_params(&mut self, id: Id, rest: &mut &[u8], out: &mut Vec<u8>) -> Result<Option<Event>, Error> {
        let Some(index) = self.position(id) else { return Ok(None) };
        let Some(open) = self.requests.get_mut(index) else { return Ok(None) };
        let Stage::Params(params) = &mut open.stage else { return Err(malformed("PARAMS behind the end of PARAMS")) };
        let params = mem::take(params);
        self.request(index, &params, rest, out)
    }

    /// The request's head is complete.
    ///
    /// Of a request without a body the end of STDIN mostly comes with it: where that follows in the input, it is taken too.
    fn request(
        &mut self,
        index: usize,
        params: &[u8],
        rest: &mut &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Option<Event>, Error> {
        let Normal { mut vars, scheme, content_length } = match normalise_block(params, self.settings.mount.as_ref()) {
            Ok(normal) => normal,
            Err(Refusal::Request(error)) => return self.turn_away(index, error, out),
            Err(Refusal::Malformed(error)) => {
                return Err(Error::refused(StatusCode::BAD_REQUEST, format!("a malformed PARAMS stream: {error}")));
            }
        };
        let Some(open) = self.requests.get_mut(index) else { return Ok(None) };
        let mut body = match content_length {
            Some(0) => RequestBody::None,
            Some(length) => RequestBody::Length(length),
            None => RequestBody::Unknown,
        };
        if open.role == AUTHORIZER {
            // It is not given a body (§6.3), and knows what it is from this variable, as with libfcgi.
            vars.set("FCGI_ROLE", "AUTHORIZER");
            vars.remove("CONTENT_LENGTH");
            body = RequestBody::None;
        }
        if !matches!(body, RequestBody::Length(_))
            && let Some(behind) = rest.get(self.current.padding..)
            && let Some(length) = stream_end(STDIN, open.id, behind)
        {
            self.current.padding = 0;
            *rest = behind.get(length..).unwrap_or_default();
            open.stdin_ended = true;
            body = RequestBody::None;
        }
        open.stage = match body {
            RequestBody::None => Stage::Complete,
            RequestBody::Length(length) => Stage::Stdin(Some(length)),
            RequestBody::Unknown => Stage::Stdin(None),
        };
        let mut gateway = self.gateway;
        gateway.url_scheme = scheme;
        let request = Request { environ: Environ::new(vars, gateway), body, expects_continue: false };
        Ok(Some(Event::Request(open.id, request)))
    }

    /// Content of STDIN is to come, or the stream's end.
    fn begin_stdin(&mut self, id: Id, length: usize, out: &mut Vec<u8>) -> Result<Option<Event>, Error> {
        let Some(open) = self.find(id) else {
            self.awaits_stdin_end = self.awaits_stdin_end.filter(|&awaited| awaited != id || length > 0);
            return Ok(None);
        };
        open.stdin_ended |= length == 0;
        match open.stage {
            Stage::Stdin(_) if length == 0 => self.end_stdin(id, out),
            Stage::Params(_) => Err(malformed("STDIN before the end of PARAMS")),
            // What goes beyond CONTENT_LENGTH is no part of the body.
            Stage::Stdin(_) | Stage::Complete | Stage::Refused => Ok(None),
        }
    }

    /// The end of the STDIN stream.
    fn end_stdin(&mut self, id: Id, out: &mut Vec<u8>) -> Result<Option<Event>, Error> {
        let Some(index) = self.position(id) else { return Ok(None) };
        let Some(open) = self.requests.get_mut(index) else { return Ok(None) };
        if let Stage::Stdin(Some(_)) = open.stage {
            // A body that is cut short must not look whole: the request is over, and its client is told why.
            let error = Error::refused(StatusCode::BAD_REQUEST, "the request body is shorter than CONTENT_LENGTH");
            self.turn_away(index, error, out)?;
            return Ok(Some(Event::Abort(id)));
        }
        open.stage = Stage::Complete;
        Ok(Some(Event::End(id)))
    }

    /// ABORT_REQUEST (§5.4).
    fn abort(&mut self, id: Id, out: &mut Vec<u8>) -> Result<Option<Event>, Error> {
        let Some(index) = self.position(id) else { return Ok(None) };
        let open = self.take(index);
        let is_known = !matches!(open.stage, Stage::Params(_));
        open.write_end(0, out);
        if !self.goes_on_behind(open) {
            return Err(PeerError::Disconnected { doing: "and took its request back" }.into());
        }
        Ok(Some(if is_known { Event::Abort(id) } else { Event::Skipped }))
    }

    /// Takes content from the front of the input; says how much of it is body for the application.
    fn take_content(&mut self, rest: &mut &[u8]) -> usize {
        let Current { record_type, id, content, .. } = self.current;
        let (piece, behind) = rest.split_at(content.min(rest.len()));
        *rest = behind;
        self.current.content -= piece.len();
        let Some(open) = self.find(id) else { return 0 };
        match (record_type, &mut open.stage) {
            (PARAMS, Stage::Params(params)) => {
                params.extend_from_slice(piece);
                0
            }
            (STDIN, Stage::Stdin(None)) => piece.len(),
            (STDIN, Stage::Stdin(Some(left))) => {
                let length = piece.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= length as u64;
                if *left == 0 {
                    open.stage = Stage::Complete;
                    self.complete = Some(id);
                }
                length
            }
            _ => 0,
        }
    }

    // Ends.

    fn take(&mut self, index: usize) -> Open {
        let open = self.requests.remove(index);
        self.complete = self.complete.filter(|&complete| complete != open.id);
        open
    }

    /// Whether the connection can go on behind a request that is no longer open: the last one closes.
    fn goes_on_behind(&mut self, open: Open) -> bool {
        self.is_closing |= !open.keep_conn;
        if self.is_closing && !open.stdin_ended {
            self.awaits_stdin_end = Some(open.id);
        }
        !self.is_broken && (!self.is_closing || !self.requests.is_empty())
    }

    /// Answers a request that cannot be served, as far as it is not too late. Where the connection is to end with it, that
    /// is by an error, which the engine may still let the application answer.
    fn turn_away(&mut self, index: usize, error: Error, out: &mut Vec<u8>) -> Result<Option<Event>, Error> {
        if let [open] = &mut *self.requests
            && (self.is_closing || !open.keep_conn)
        {
            open.stage = Stage::Refused;
            return Err(error);
        }
        self.take(index).answer(&error, out);
        Ok(Some(Event::Skipped))
    }

    /// Ends a reply. Says whether the connection can go on.
    fn end_request(&mut self, id: Id, app_status: u32, out: &mut Vec<u8>) -> bool {
        if let Some(index) = self.position(id) {
            let open = self.take(index);
            open.write_end(app_status, out);
            return self.goes_on_behind(open);
        }
        // It was taken back.
        !self.is_broken
    }
}

impl Codec for FastCgiCodec {
    fn decode(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<Decoded, Error> {
        if self.is_broken {
            return Err(malformed("nothing is read behind refused records"));
        }
        let decoded = self.step(input, out);
        self.is_broken = decoded.is_err();
        decoded
    }

    fn refuse(&mut self, error: &Error, out: &mut Vec<u8>) {
        // What is broken off for its slowness is told so. Of malformed records nobody is told anything.
        let is_slow = matches!(error, Error::Peer(PeerError::Timeout { .. }));
        for open in mem::take(&mut self.requests) {
            if is_slow || matches!(open.stage, Stage::Refused) {
                open.answer(error, out);
            }
        }
    }

    fn head(&mut self, id: Id, head: &Head, framing: Framing, out: &mut Vec<u8>) {
        let Some(open) = self.find(id) else { return };
        open.has_stdout = true;
        self.joinable = write_head(id, head, framing, out);
    }

    fn frame(&mut self, id: Id, available: u64, out: &mut Vec<u8>) -> u64 {
        let length = usize::try_from(available).unwrap_or(usize::MAX).clamp(1, MAX_PAYLOAD);
        if self.joinable.take().is_some_and(|record| record.take_in(id, length, out)) {
            return length as u64;
        }
        // A reply that goes on although its request was taken back keeps to records too, which the peer skips.
        out.extend_from_slice(&Header::new(STDOUT, id, length as u16).to_bytes());
        length as u64
    }

    fn unframe(&mut self, _id: Id, _length: u64, _out: &mut Vec<u8>) {
        // Records are not padded: nothing on either side is aligned for it.
    }

    fn has_errors(&self) -> bool {
        true
    }

    fn errors(&mut self, id: Id, text: &[u8], out: &mut Vec<u8>) {
        if let Some(open) = self.find(id) {
            open.has_stderr |= !text.is_empty();
            write_stream(STDERR, id, text, out);
        }
    }

    fn end(&mut self, id: Id, out: &mut Vec<u8>) -> bool {
        self.end_request(id, 0, out)
    }

    fn cut(&mut self, id: Id, out: &mut Vec<u8>) -> bool {
        match self.requests.as_slice() {
            // The connection breaks off without END_REQUEST. nginx without fastcgi_keep_conn would take that for the end of
            // the response, and so would Caddy. A record that neither takes tells it apart; it has no content, which Caddy
            // takes for the response's, whatever the type, and is a whole one, for HAProxy waits for the rest of another.
            [open] if open.id == id => {
                out.extend_from_slice(&BROKEN_OFF);
                self.requests.clear();
                false
            }
            _ => self.end_request(id, 1, out),
        }
    }

    fn close_after(&mut self) {
        self.is_closing = true;
    }

    fn is_idle(&self) -> bool {
        self.current.content == 0
            && self.current.padding == 0
            && self.complete.is_none()
            && self.awaits_stdin_end.is_none()
            && !self.is_broken
            && self.requests.iter().all(|open| matches!(open.stage, Stage::Complete | Stage::Refused))
    }

    fn is_multiplexed(&self) -> bool {
        true
    }
}

impl Open {
    /// Answers with the response that an error maps to, if none was begun, and ends the request.
    fn answer(mut self, error: &Error, out: &mut Vec<u8>) {
        if self.has_stdout {
            return self.write_end(1, out);
        }
        let (head, body) = error.reply();
        let framing = Framing { length: Some(body.len() as u64), has_body: true };
        write_head(self.id, &head, framing, out);
        write_stream(STDOUT, self.id, &body, out);
        self.has_stdout = true;
        self.write_end(0, out);
    }

    /// Ends the streams that were opened, and the request.
    fn write_end(&self, app_status: u32, out: &mut Vec<u8>) {
        if self.has_stderr {
            write_stream_end(STDERR, self.id, out);
        }
        if self.has_stdout {
            write_stream_end(STDOUT, self.id, out);
        }
        EndRequest { app_status, protocol_status: REQUEST_COMPLETE }.write(self.id, out);
    }
}

/// Takes so many bytes from the front, or as many as there are; says how many.
fn skip(rest: &mut &[u8], length: usize) -> usize {
    let (skipped, behind) = rest.split_at(length.min(rest.len()));
    *rest = behind;
    skipped.len()
}

/// The length of the record that ends this stream of a request, if `input` starts with all of it.
fn stream_end(record_type: u8, id: Id, input: &[u8]) -> Option<usize> {
    let header = Header::parse(input.first_chunk()?);
    let padding_length = header.padding_length;
    let length = HEADER_LEN + usize::from(padding_length);
    let is_end = header == Header { padding_length, ..Header::new(record_type, id, 0) };
    (is_end && input.len() >= length).then_some(length)
}

fn malformed(reason: &'static str) -> Error {
    Error::refused(StatusCode::BAD_REQUEST, reason)
}
