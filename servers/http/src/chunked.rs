//! The chunked transfer coding, decoded (RFC 9112 §7.1).
//!
//! ```text
//! chunked-body = *chunk last-chunk trailer-section CRLF
//! chunk        = chunk-size [ chunk-ext ] CRLF chunk-data CRLF
//! chunk-size   = 1*HEXDIG
//! last-chunk   = 1*"0" [ chunk-ext ] CRLF
//! chunk-ext    = *( BWS ";" BWS token [ BWS "=" BWS ( token / quoted-string ) ] )
//! ```
//!
//! One state for each place in this grammar, one step for each byte outside the data. Extensions and trailers are
//! checked, bounded and dropped.

use std::ops::Range;

use wgi::{Error, StatusCode};

use crate::settings::Settings;
use crate::token::{is_text_char, is_token_char, malformed};

/// What fills 64 bits.
const MAX_SIZE_DIGITS: u8 = 16;
/// The longest extensions of one chunk. Those that are in use (signatures of a chunk) take less than 100 bytes.
const MAX_EXTENSION: u16 = 256;

/// A chunked body on its way in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chunked {
    state: State,
    /// The size of the chunk, or what is left of its data.
    size: u64,
    /// How many digits, or bytes of extensions, the current size line has had.
    digits: u8,
    extension: u16,
    trailers: Trailers,
}

#[derive(Clone, Copy, Debug, Default)]
struct Trailers {
    bytes: usize,
    fields: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Size,
    /// Whitespace that only an extension may follow.
    BeforeExtension,
    Extension,
    Quoted,
    Escaped,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerLf,
    LastLf,
    End,
}

/// What a piece of input came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// All of it was framing.
    Incomplete,
    /// Data of a chunk, as a range of the input. What is behind it was not looked at.
    Data(Range<usize>),
    /// The body ended behind so many bytes.
    End(usize),
}

impl Chunked {
    /// The start of a chunked body.
    pub(crate) fn new() -> Chunked {
        Chunked { state: State::Size, size: 0, digits: 0, extension: 0, trailers: Trailers::default() }
    }

    /// Decodes the next piece.
    pub(crate) fn decode(&mut self, input: &[u8], settings: &Settings) -> Result<Piece, Error> {
        for (at, &byte) in input.iter().enumerate() {
            if self.state == State::Data {
                let length = usize::try_from(self.size).unwrap_or(usize::MAX).min(input.len() - at);
                self.size -= length as u64;
                if self.size == 0 {
                    self.state = State::DataCr;
                }
                return Ok(Piece::Data(at..at + length));
            }
            self.state = self.step(byte, settings)?;
            if self.state == State::End {
                return Ok(Piece::End(at + 1));
            }
        }
        Ok(Piece::Incomplete)
    }

    /// Takes one byte that is not data.
    fn step(&mut self, byte: u8, settings: &Settings) -> Result<State, Error> {
        match (self.state, byte) {
            (State::Size, byte) if byte.is_ascii_hexdigit() => self.digit(byte),
            (State::Size, _) if self.digits == 0 => Err(malformed("a chunk has no size")),
            (State::Size, b'\r') => Ok(State::SizeLf),
            (State::Size | State::BeforeExtension, b';') => self.extension(State::Extension),
            (State::Size | State::BeforeExtension, b' ' | b'\t') => self.extension(State::BeforeExtension),
            (State::Size | State::BeforeExtension, _) => Err(malformed("a chunk's size is not a hexadecimal number")),

            (State::Extension, b'\r') => Ok(State::SizeLf),
            (State::Extension, b'"') => self.extension(State::Quoted),
            (State::Extension, b' ' | b'\t' | b';' | b'=') => self.extension(State::Extension),
            (State::Extension, byte) if is_token_char(byte) => self.extension(State::Extension),
            // A line must not seem to end inside a quoted string, where another reader might go on.
            (State::Quoted, b'"') => self.extension(State::Extension),
            (State::Quoted, b'\\') => self.extension(State::Escaped),
            (State::Quoted | State::Escaped, byte) if is_text_char(byte) => self.extension(State::Quoted),
            (State::Extension | State::Quoted | State::Escaped, _) => {
                Err(malformed("a chunk's extension is malformed"))
            }

            (State::SizeLf, b'\n') => Ok(self.size_line_ended()),
            (State::DataCr, b'\r') => Ok(State::DataLf),
            (State::DataLf, b'\n') => Ok(State::Size),
            (State::DataCr | State::DataLf, _) => Err(malformed("a chunk's data is not followed by CRLF")),

            (State::TrailerStart, b'\r') => Ok(State::LastLf),
            (State::TrailerStart, byte) if is_token_char(byte) => self.trailer(State::TrailerName, settings),
            (State::TrailerName, b':') => self.trailer(State::TrailerValue, settings),
            (State::TrailerName, byte) if is_token_char(byte) => self.trailer(State::TrailerName, settings),
            (State::TrailerValue, b'\r') => Ok(State::TrailerLf),
            (State::TrailerValue, byte) if is_text_char(byte) => self.trailer(State::TrailerValue, settings),
            (State::TrailerLf, b'\n') => self.trailer(State::TrailerStart, settings),
            (State::LastLf, b'\n') => Ok(State::End),
            (State::SizeLf, _) => Err(malformed("a chunk's size line has a CR without LF")),
            (State::TrailerStart | State::TrailerName | State::TrailerValue | State::TrailerLf | State::LastLf, _) => {
                Err(malformed("a trailer of the chunked body is malformed"))
            }
            // Data is taken by `decode`, which is not called behind the end.
            (State::Data | State::End, _) => Err(malformed("bytes behind the end of the chunked body")),
        }
    }

    fn digit(&mut self, byte: u8) -> Result<State, Error> {
        self.digits += 1;
        let digit = (byte as char).to_digit(16).unwrap_or_default();
        match self.size.checked_mul(16) {
            Some(size) if self.digits <= MAX_SIZE_DIGITS => self.size = size | u64::from(digit),
            _ => return Err(malformed("a chunk's size is beyond 64 bits")),
        }
        Ok(State::Size)
    }

    fn extension(&mut self, next: State) -> Result<State, Error> {
        self.extension += 1;
        if self.extension > MAX_EXTENSION {
            return Err(malformed("a chunk's extensions are too long"));
        }
        Ok(next)
    }

    fn size_line_ended(&mut self) -> State {
        (self.digits, self.extension) = (0, 0);
        if self.size == 0 { State::TrailerStart } else { State::Data }
    }

    fn trailer(&mut self, next: State, settings: &Settings) -> Result<State, Error> {
        self.trailers.bytes += 1;
        self.trailers.fields += usize::from(self.state == State::TrailerStart);
        if self.trailers.bytes > settings.max_head || self.trailers.fields > settings.max_fields {
            let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
            return Err(Error::refused(status, "the trailers of the chunked body are too large"));
        }
        Ok(next)
    }
}
