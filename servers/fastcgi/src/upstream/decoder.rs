//! Records from an application: what a gateway that asked one thing at a time on a connection makes of them.
//!
//! No I/O: bytes in, events out, in pieces of any size. What a record holds is given as it comes, before all of it is
//! there.

use std::ops::Range;

use crate::record::{END_REQUEST, EndRequest, HEADER_LEN, Header, NULL_REQUEST_ID, STDERR, STDOUT, VERSION_1};

/// The id of every request: there is one at a time.
pub const REQUEST_ID: u16 = 1;

/// One step of decoding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// How many bytes at the front of the input are done with.
    pub used: usize,
    /// What they meant.
    pub event: Event,
}

/// What a step of decoding came to. Ranges are of the input that was passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Nothing more can be made of the input.
    Incomplete,
    /// Something that concerns nobody; call again with the rest.
    Skipped,
    /// Bytes of the response.
    Stdout(Range<usize>),
    /// Bytes of the errors stream.
    Stderr(Range<usize>),
    /// The request is over; the next one may begin.
    End(EndRequest),
}

/// Why the records of an application are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

/// The decoder of one connection.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    state: State,
    /// The empty record that ends the response has come.
    stdout_ended: bool,
    /// The content of END_REQUEST, as far as it has come.
    end: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Header,
    Content {
        record_type: u8,
        left: u16,
        padding: u8,
    },
    Padding {
        left: u8,
    },
}

impl Decoder {
    /// Decodes one event from the front of `input`.
    ///
    /// # Errors
    /// [`Malformed`] when an application may not send this. The connection is of no use then.
    pub fn decode(&mut self, input: &[u8]) -> Result<Decoded, Malformed> {
        match self.state {
            State::Header => {
                let Some(header) = input.first_chunk::<HEADER_LEN>() else { return step(0, Event::Incomplete) };
                self.begin(Header::parse(header))?;
                step(HEADER_LEN, Event::Skipped)
            }
            State::Content { left: 0, padding, .. } => {
                self.state = State::Padding { left: padding };
                step(0, Event::Skipped)
            }
            State::Content { record_type, left, padding } => {
                let length = input.len().min(left.into());
                if length == 0 {
                    return step(0, Event::Incomplete);
                }
                // It is at most `left`.
                let left = left.saturating_sub(u16::try_from(length).unwrap_or(u16::MAX));
                self.state = State::Content { record_type, left, padding };
                let event = match record_type {
                    STDOUT => Event::Stdout(0..length),
                    STDERR => Event::Stderr(0..length),
                    END_REQUEST => {
                        self.end.extend_from_slice(input.get(..length).unwrap_or_default());
                        Event::Skipped
                    }
                    _ => Event::Skipped,
                };
                step(length, event)
            }
            State::Padding { left: 0 } => {
                self.state = State::Header;
                step(0, self.end_of_record())
            }
            State::Padding { left } => {
                let length = input.len().min(left.into());
                if length == 0 {
                    return step(0, Event::Incomplete);
                }
                self.state = State::Padding { left: left.saturating_sub(u8::try_from(length).unwrap_or(u8::MAX)) };
                step(length, Event::Skipped)
            }
        }
    }

    /// Whether it is between two records.
    pub fn is_idle(&self) -> bool {
        self.state == State::Header
    }

    fn begin(&mut self, header: Header) -> Result<(), Malformed> {
        if header.version != VERSION_1 {
            return Err(Malformed("a record of another version than 1"));
        }
        match (header.request_id, header.record_type) {
            // Management records, which nobody asked for, are of no harm (FastCGI §4).
            (NULL_REQUEST_ID, _) => {}
            (REQUEST_ID, STDOUT) if self.stdout_ended && header.content_length > 0 => {
                return Err(Malformed("a part of the response behind its end"));
            }
            (REQUEST_ID, STDOUT) => self.stdout_ended |= header.content_length == 0,
            (REQUEST_ID, STDERR) => {}
            (REQUEST_ID, END_REQUEST) if usize::from(header.content_length) == EndRequest::LEN => {}
            (REQUEST_ID, END_REQUEST) => return Err(Malformed("an END_REQUEST of another length than 8")),
            (REQUEST_ID, _) => return Err(Malformed("a record of a type that applications do not send")),
            _ => return Err(Malformed("a record of a request that was not asked")),
        }
        self.state = State::Content {
            record_type: if header.request_id == REQUEST_ID { header.record_type } else { 0 },
            left: header.content_length,
            padding: header.padding_length,
        };
        Ok(())
    }

    fn end_of_record(&mut self) -> Event {
        let Ok(content) = <&[u8; EndRequest::LEN]>::try_from(&self.end[..]) else { return Event::Skipped };
        let end = EndRequest::parse(content);
        self.end.clear();
        self.stdout_ended = false;
        Event::End(end)
    }
}

fn step(used: usize, event: Event) -> Result<Decoded, Malformed> {
    Ok(Decoded { used, event })
}
