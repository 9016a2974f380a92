//! The packet in front of a request's body: four bytes of header, then the variables (uwsgi protocol, "The uwsgi packet
//! header", "The uwsgi vars").
//!
//! Every size is of sixteen bits, the low byte first.

use wgi::{Error, StatusCode, Vars};

/// The length of the header in bytes.
pub(crate) const HEADER_LEN: usize = 4;

/// The value of [`Header::modifier1`] for a request with its variables: what web servers send, unless they are told to
/// ask for another language's plugin of uWSGI.
const REQUEST: u8 = 0;

/// The header of a packet (`struct uwsgi_packet_header`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) modifier1: u8,
    /// The number of bytes of variables behind the header.
    pub(crate) size: u16,
    /// What it says depends on `modifier1`; in a request with its variables, nothing that concerns an application.
    pub(crate) modifier2: u8,
}

impl Header {
    /// Reads a header.
    pub(crate) const fn parse(bytes: [u8; HEADER_LEN]) -> Header {
        let [modifier1, size_low, size_high, modifier2] = bytes;
        Header { modifier1, size: u16::from_le_bytes([size_low, size_high]), modifier2 }
    }
}

/// Reads the packet that `input` starts with: gives the content behind its header; `None` when more of the input is
/// needed. What the size promises is waited for, and nothing else is done on its word.
///
/// # Errors
/// As soon as it can be told: 501 for a packet that is no request, 431 for one of more than `most` bytes of variables.
pub(crate) fn parse(input: &[u8], most: usize) -> Result<Option<&[u8]>, Error> {
    if let Some(&modifier1) = input.first()
        && modifier1 != REQUEST
    {
        let reason =
            format!("a uwsgi packet of modifier1 {modifier1}: only requests, which have {REQUEST}, are served");
        return Err(Error::refused(StatusCode::NOT_IMPLEMENTED, reason));
    }
    let Some((header, rest)) = input.split_first_chunk::<HEADER_LEN>() else { return Ok(None) };
    let size = usize::from(Header::parse(*header).size);
    if size > most {
        let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        return Err(Error::refused(status, format!("the request's variables are over the limit of {most} bytes")));
    }
    Ok(rest.get(..size))
}

/// Reads the variables of a packet.
///
/// # Errors
/// When their sizes do not add up.
pub(crate) fn vars(content: &[u8]) -> Result<Vars, Error> {
    // Two sizes of two bytes here are two lengths of one or of four bytes there.
    let mut vars = Vars::with_capacity(content.len());
    let mut rest = content;
    while !rest.is_empty() {
        let (name, behind) = sized(rest)?;
        let (value, behind) = sized(behind)?;
        rest = behind;
        vars.push(name, value);
    }
    Ok(vars)
}

/// Splits behind a text with its size in front.
fn sized(rest: &[u8]) -> Result<(&[u8], &[u8]), Error> {
    let split =
        rest.split_first_chunk().and_then(|(&size, rest)| rest.split_at_checked(u16::from_le_bytes(size).into()));
    split.ok_or_else(|| Error::refused(StatusCode::BAD_REQUEST, "a variable runs past the end of its uwsgi packet"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_has_its_size_with_the_low_byte_first() {
        assert_eq!(Header::parse([0, 0x34, 0x12, 7]), Header { modifier1: 0, size: 0x1234, modifier2: 7 });
    }

    #[test]
    fn a_packet_is_read_whole_or_not_at_all() {
        let input = b"\0\x05\0\0helloRest";
        assert_eq!(parse(input, 5).unwrap(), Some(&b"hello"[..]));
        for end in 0..9 {
            assert_eq!(parse(&input[..end], 5).unwrap(), None, "{end}");
        }
        assert_eq!(parse(&[0; 4], 0).unwrap(), Some(&b""[..]));
        assert_eq!(parse(input, 4).unwrap_err().status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    }

    #[test]
    fn variables_whose_sizes_do_not_add_up_are_refused() {
        let whole = b"\x01\0A\x02\0bc\x01\0D\0\0";
        assert_eq!(vars(whole).unwrap().iter().collect::<Vec<_>>(), [(&b"A"[..], &b"bc"[..]), (b"D", b"")]);
        for end in 1..whole.len() {
            assert_eq!(vars(&whole[..end]).is_ok(), end == 7, "{end}");
        }
        assert!(vars(b"\xff\xffA\x01\0b").is_err() && vars(b"\x01\0A\xff\xffb").is_err());
    }
}
