//! A cursor over the content of a packet: every step is checked against what is there, none against what was promised.

use crate::packet::NO_STRING;

/// What is left of a packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

/// The content ends before what it is to have, or a string is not followed by its NUL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Short;

impl<'a> Reader<'a> {
    pub(crate) fn new(content: &'a [u8]) -> Reader<'a> {
        Reader { rest: content }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Short> {
        let (&byte, rest) = self.rest.split_first().ok_or(Short)?;
        self.rest = rest;
        Ok(byte)
    }

    /// The next byte, which stays there.
    pub(crate) fn peek(&self) -> Result<u8, Short> {
        self.rest.first().copied().ok_or(Short)
    }

    pub(crate) fn number(&mut self) -> Result<u16, Short> {
        let (number, rest) = self.rest.split_first_chunk().ok_or(Short)?;
        self.rest = rest;
        Ok(u16::from_be_bytes(*number))
    }

    /// A string, which may hold any bytes.
    pub(crate) fn string(&mut self) -> Result<Option<&'a [u8]>, Short> {
        let length = self.number()?;
        if length == NO_STRING {
            return Ok(None);
        }
        let (string, rest) = self.rest.split_at_checked(length.into()).ok_or(Short)?;
        self.rest = rest.strip_prefix(&[0]).ok_or(Short)?;
        Ok(Some(string))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_bytes_with_a_nul_behind_them_or_none() {
        let mut reader = Reader::new(b"\0\x03a\0b\0\xff\xff\0\0\0");
        assert_eq!(reader.string(), Ok(Some(&b"a\0b"[..])));
        assert_eq!(reader.string(), Ok(None));
        assert_eq!(reader.string(), Ok(Some(&b""[..])));
        assert!(reader.is_empty());
    }

    #[test]
    fn what_is_not_there_is_not_read() {
        for short in [&b""[..], b"\0", b"\0\x01", b"\0\x01a", b"\0\x01ab", b"\0\0", b"\0\0\x01", b"\xff\xfe\0"] {
            assert_eq!(Reader::new(short).string(), Err(Short), "{short:?}");
        }
        assert_eq!(Reader::new(b"").byte(), Err(Short));
        assert_eq!(Reader::new(b"").peek(), Err(Short));
        assert_eq!(Reader::new(b"\x01").number(), Err(Short));
    }
}
