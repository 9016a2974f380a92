//! The names that the rules know, told apart by a number: this is on the way of every request.

use std::ops::Range;

/// The variables that the rules look at: their numbers are those of the names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variable {
    RequestMethod,
    ScriptName,
    PathInfo,
    QueryString,
    ScriptFilename,
    DocumentRoot,
    ContextDocumentRoot,
    ContextPrefix,
    ServerSoftware,
    GatewayInterface,
    ServerProtocol,
    ServerName,
    ServerPort,
    RemoteAddr,
    RequestScheme,
    HttpHost,
    RequestUri,
    RemotePort,
    Https,
    ContentLength,
}

/// What a name says of its variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// It has the value that it has.
    Plain,
    /// Empty, it stands for nothing (RFC 3875 §4.1).
    OrAbsent,
    /// It is a header field that no application sees (spec clauses 4.12, 4.17, 7.15).
    Withheld,
}

/// How many names are known.
pub(crate) const KNOWN: usize = 36;
/// The numbers of those whose empty variable stands for an absent one.
pub(crate) const OR_ABSENT: Range<usize> = Variable::RequestUri as usize..26;
/// The numbers of those that are withheld.
pub(crate) const WITHHELD: Range<usize> = OR_ABSENT.end..KNOWN;

/// The names by their numbers.
static NAMES: [&[u8]; KNOWN] = [
    b"REQUEST_METHOD",
    b"SCRIPT_NAME",
    b"PATH_INFO",
    b"QUERY_STRING",
    b"SCRIPT_FILENAME",
    b"DOCUMENT_ROOT",
    b"CONTEXT_DOCUMENT_ROOT",
    b"CONTEXT_PREFIX",
    b"SERVER_SOFTWARE",
    b"GATEWAY_INTERFACE",
    b"SERVER_PROTOCOL",
    b"SERVER_NAME",
    b"SERVER_PORT",
    b"REMOTE_ADDR",
    b"REQUEST_SCHEME",
    b"HTTP_HOST",
    // Absent where they are empty.
    b"REQUEST_URI",
    b"REMOTE_PORT",
    b"HTTPS",
    b"CONTENT_LENGTH",
    b"CONTENT_TYPE",
    b"AUTH_TYPE",
    b"PATH_TRANSLATED",
    b"REMOTE_HOST",
    b"REMOTE_IDENT",
    b"REMOTE_USER",
    // Withheld. A client's `Proxy` field is not a proxy to use (httpoxy).
    b"HTTP_PROXY",
    // They have variables of their own (PEP 3333; RFC 3875 §4.1.18).
    b"HTTP_CONTENT_TYPE",
    b"HTTP_CONTENT_LENGTH",
    // The connection is the web server's (RFC 9110 §7.6.1), and the body is decoded.
    b"HTTP_CONNECTION",
    b"HTTP_KEEP_ALIVE",
    b"HTTP_PROXY_CONNECTION",
    b"HTTP_TE",
    b"HTTP_TRAILER",
    b"HTTP_TRANSFER_ENCODING",
    b"HTTP_UPGRADE",
];

/// What a name means here, if anything.
pub(crate) fn meaning(name: &[u8]) -> Option<Meaning> {
    number(name, Mark::of(name)).map(|number| match number {
        _ if WITHHELD.contains(&number) => Meaning::Withheld,
        _ if OR_ABSENT.contains(&number) => Meaning::OrAbsent,
        _ => Meaning::Plain,
    })
}

/// The number of a name among those that are known, if it is: of a name whose mark was made.
#[inline]
pub(crate) fn number(name: &[u8], mark: Mark) -> Option<usize> {
    let mut slot = mark.hash();
    loop {
        let number = usize::from(TABLE[usize::from(slot)]);
        // Up to sixteen bytes the mark is all of the name.
        if *MARKS.get(number)? == mark && (name.len() <= 16 || NAMES[number] == name) {
            return Some(number);
        }
        slot = slot.wrapping_add(1);
    }
}

static MARKS: [Mark; KNOWN] = {
    let mut marks = [Mark { length: 0, first: 0, last: 0 }; KNOWN];
    let mut number = 0;
    while number < KNOWN {
        marks[number] = Mark::of(NAMES[number]);
        number += 1;
    }
    marks
};

/// Where no name stands.
const VACANT: u8 = u8::MAX;

/// The names by their hashes: each in its slot, or in the next that is vacant.
static TABLE: [u8; 256] = {
    let mut table = [VACANT; 256];
    let mut index = 0;
    while index < NAMES.len() {
        let mut slot = Mark::of(NAMES[index]).hash();
        while table[slot as usize] != VACANT {
            slot = slot.wrapping_add(1);
        }
        table[slot as usize] = index as u8;
        index += 1;
    }
    table
};

/// What tells names apart: the length, the first eight bytes, and the last eight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    length: usize,
    first: u64,
    last: u64,
}

impl Mark {
    #[inline]
    pub(crate) const fn of(name: &[u8]) -> Mark {
        let (first, last) = match (name.first_chunk::<8>(), name.last_chunk::<8>()) {
            (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
            _ => (0, few(name)),
        };
        Mark { length: name.len(), first, last }
    }

    /// One number for it: different numbers are different names.
    #[inline]
    pub(crate) const fn mix(self) -> u64 {
        self.first.rotate_left(29) ^ self.last ^ (self.length as u64).rotate_left(56)
    }

    /// Eight bits of it: names mostly differ in how they end.
    #[inline]
    const fn hash(self) -> u8 {
        ((self.last ^ self.length as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
    }
}

/// The bytes of a name of less than eight.
#[inline(never)]
const fn few(name: &[u8]) -> u64 {
    let (mut number, mut at) = (0, 0);
    while at < name.len() {
        number = number << 8 | name[at] as u64;
        at += 1;
    }
    number
}

/// Whether a name is empty, or has a `=` in it: no variable of a process could have it (spec clause 4.22).
#[inline(never)]
pub(crate) fn is_foul(name: &[u8]) -> bool {
    let Some(last) = name.last_chunk::<8>() else { return name.is_empty() || name.contains(&b'=') };
    // Eight bytes at a time; the last eight may overlap the others.
    let (chunks, _) = name.as_chunks::<8>();
    chunks.iter().fold(equals(last), |found, chunk| found | equals(chunk)) & HIGH != 0
}

const LOW: u64 = u64::from_le_bytes([0x01; 8]);
const HIGH: u64 = u64::from_le_bytes([0x80; 8]);

/// Has the highest bit of one of its bytes set if one of the eight is a `=`: only a byte that is zero borrows from that
/// bit without having had it.
#[inline]
const fn equals(chunk: &[u8; 8]) -> u64 {
    let word = u64::from_le_bytes(*chunk) ^ u64::from_le_bytes([b'='; 8]);
    word.wrapping_sub(LOW) & !word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_found_and_no_other() {
        for (expected, name) in NAMES.into_iter().enumerate() {
            let number = |name: &[u8]| number(name, Mark::of(name));
            assert_eq!(number(name), Some(expected), "{}", name.escape_ascii());
            assert_eq!(number(&name[1..]), None, "{}", name.escape_ascii());
            assert_eq!(number(&[name, b"S"].concat()), None, "{}", name.escape_ascii());
            for at in 0..name.len() {
                let mut other = name.to_vec();
                other[at] ^= 1;
                assert_eq!(number(&other), None, "{}", other.escape_ascii());
            }
        }
        assert_eq!(meaning(b""), None);
    }

    #[test]
    fn variables_have_the_numbers_of_their_names() {
        use Variable::*;
        let variables = [
            RequestMethod,
            ScriptName,
            PathInfo,
            QueryString,
            ScriptFilename,
            DocumentRoot,
            ContextDocumentRoot,
            ContextPrefix,
            ServerSoftware,
            GatewayInterface,
            ServerProtocol,
            ServerName,
            ServerPort,
            RemoteAddr,
            RequestScheme,
            HttpHost,
            RequestUri,
            RemotePort,
            Https,
            ContentLength,
        ];
        for variable in variables {
            let name = String::from_utf8_lossy(NAMES[variable as usize]).replace('_', "");
            assert_eq!(name, format!("{variable:?}").to_uppercase());
        }
        assert_eq!(meaning(b"HTTP_HOST"), Some(Meaning::Plain));
        assert_eq!([meaning(b"REQUEST_URI"), meaning(b"REMOTE_USER")], [Some(Meaning::OrAbsent); 2]);
        assert_eq!([meaning(b"HTTP_PROXY"), meaning(b"HTTP_UPGRADE")], [Some(Meaning::Withheld); 2]);
    }

    #[test]
    fn a_foul_byte_is_seen_wherever_it_stands() {
        for length in 1..40 {
            let name: Vec<u8> = (0..length).map(|at| b'A' + at % 26).collect();
            assert!(!is_foul(&name), "{length}");
            for at in 0..name.len() {
                let mut foul = name.clone();
                foul[at] = b'=';
                assert!(is_foul(&foul), "{length}, {at}");
            }
        }
        assert!(is_foul(b"") && !is_foul(&[0xff; 9]) && !is_foul(&[0x80, 1, 0x3c, 0x3e, 0xbd, 0, 1, 1, 0x81]));
    }
}
