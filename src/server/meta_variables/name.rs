//! The names that the rules know, told apart by a number: this is on the way of every request.

use Meaning::{Known, OrAbsent, Withheld};
use Variable::*;

/// The variables that the rules look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variable {
    RequestMethod,
    ScriptName,
    PathInfo,
    QueryString,
    RequestUri,
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
    RemotePort,
    RequestScheme,
    Https,
    Host,
    ContentLength,
}

impl Variable {
    /// How many there are.
    pub(crate) const COUNT: usize = ContentLength as usize + 1;
}

/// What a name says of its variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// The rules look at it.
    Known(Variable),
    /// The same; or empty, it stands for nothing (RFC 3875 §4.1).
    OrAbsent(Option<Variable>),
    /// It is a header field that no application sees (spec clauses 4.12, 4.17, 7.15).
    Withheld,
}

const NAMES: [(&[u8], Meaning); 36] = [
    (b"REQUEST_METHOD", Known(RequestMethod)),
    (b"SCRIPT_NAME", Known(ScriptName)),
    (b"PATH_INFO", Known(PathInfo)),
    (b"QUERY_STRING", Known(QueryString)),
    (b"REQUEST_URI", OrAbsent(Some(RequestUri))),
    (b"SCRIPT_FILENAME", Known(ScriptFilename)),
    (b"DOCUMENT_ROOT", Known(DocumentRoot)),
    (b"CONTEXT_DOCUMENT_ROOT", Known(ContextDocumentRoot)),
    (b"CONTEXT_PREFIX", Known(ContextPrefix)),
    (b"SERVER_SOFTWARE", Known(ServerSoftware)),
    (b"GATEWAY_INTERFACE", Known(GatewayInterface)),
    (b"SERVER_PROTOCOL", Known(ServerProtocol)),
    (b"SERVER_NAME", Known(ServerName)),
    (b"SERVER_PORT", Known(ServerPort)),
    (b"REMOTE_ADDR", Known(RemoteAddr)),
    (b"REMOTE_PORT", OrAbsent(Some(RemotePort))),
    (b"REQUEST_SCHEME", Known(RequestScheme)),
    (b"HTTPS", OrAbsent(Some(Https))),
    (b"HTTP_HOST", Known(Host)),
    (b"CONTENT_LENGTH", OrAbsent(Some(ContentLength))),
    (b"CONTENT_TYPE", OrAbsent(None)),
    (b"AUTH_TYPE", OrAbsent(None)),
    (b"PATH_TRANSLATED", OrAbsent(None)),
    (b"REMOTE_HOST", OrAbsent(None)),
    (b"REMOTE_IDENT", OrAbsent(None)),
    (b"REMOTE_USER", OrAbsent(None)),
    // A client's `Proxy` field is not a proxy to use (httpoxy).
    (b"HTTP_PROXY", Withheld),
    // They have variables of their own (PEP 3333; RFC 3875 §4.1.18).
    (b"HTTP_CONTENT_TYPE", Withheld),
    (b"HTTP_CONTENT_LENGTH", Withheld),
    // The connection is the web server's (RFC 9110 §7.6.1), and the body is decoded.
    (b"HTTP_CONNECTION", Withheld),
    (b"HTTP_KEEP_ALIVE", Withheld),
    (b"HTTP_PROXY_CONNECTION", Withheld),
    (b"HTTP_TE", Withheld),
    (b"HTTP_TRAILER", Withheld),
    (b"HTTP_TRANSFER_ENCODING", Withheld),
    (b"HTTP_UPGRADE", Withheld),
];

/// What a name means here, if anything.
pub(crate) fn meaning(name: &[u8]) -> Option<Meaning> {
    meaning_of(name, Mark::of(name))
}

/// The same of a name whose mark is known.
pub(crate) fn meaning_of(name: &[u8], mark: Mark) -> Option<Meaning> {
    let mut slot = mark.hash();
    loop {
        let (candidate, meaning) = NAMES.get(usize::from(TABLE[usize::from(slot)]))?;
        if *candidate == name {
            return Some(*meaning);
        }
        slot = slot.wrapping_add(1);
    }
}

/// Where no name stands.
const VACANT: u8 = u8::MAX;

/// The names by their hashes: each in its slot, or in the next that is vacant.
static TABLE: [u8; 256] = {
    let mut table = [VACANT; 256];
    let mut index = 0;
    while index < NAMES.len() {
        let mut slot = Mark::of(NAMES[index].0).hash();
        while table[slot as usize] != VACANT {
            slot = slot.wrapping_add(1);
        }
        table[slot as usize] = index as u8;
        index += 1;
    }
    table
};

/// A number for a name, made from its length, its first eight bytes and its last eight: different numbers are different
/// names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mark(u64);

impl Mark {
    pub(crate) const fn of(name: &[u8]) -> Mark {
        let bytes = match (name.first_chunk::<8>(), name.last_chunk::<8>()) {
            (Some(first), Some(last)) => u64::from_le_bytes(*first).rotate_left(29) ^ u64::from_le_bytes(*last),
            _ => few(name),
        };
        Mark(bytes ^ (name.len() as u64).rotate_left(56))
    }

    /// Eight bits of it.
    pub(crate) const fn hash(self) -> u8 {
        (self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
    }
}

/// The bytes of a name of less than eight.
const fn few(name: &[u8]) -> u64 {
    let (mut number, mut at) = (0, 0);
    while at < name.len() {
        number = number << 8 | name[at] as u64;
        at += 1;
    }
    number
}

/// Whether no variable of a process could have this name (spec clause 4.22): it is empty, or has a `=` or NUL in it.
pub(crate) fn is_foul(name: &[u8]) -> bool {
    let Some(last) = name.last_chunk::<8>() else {
        return name.is_empty() || name.iter().any(|&byte| byte == b'=' || byte == 0);
    };
    // Eight bytes at a time; the last eight may overlap the others.
    let (chunks, _) = name.as_chunks::<8>();
    chunks.iter().chain([last]).any(|chunk| {
        let word = u64::from_le_bytes(*chunk);
        has_zero(word) || has_zero(word ^ u64::from_le_bytes([b'='; 8]))
    })
}

/// Whether one of the eight bytes is zero: only such a byte borrows from its highest bit without having had it.
const fn has_zero(word: u64) -> bool {
    const LOW: u64 = u64::from_le_bytes([0x01; 8]);
    const HIGH: u64 = u64::from_le_bytes([0x80; 8]);
    word.wrapping_sub(LOW) & !word & HIGH != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_found_and_no_other() {
        for (name, expected) in NAMES {
            assert_eq!(meaning(name), Some(expected), "{}", name.escape_ascii());
            assert_eq!(meaning(&name[1..]), None, "{}", name.escape_ascii());
            assert_eq!(meaning(&[name, b"S"].concat()), None, "{}", name.escape_ascii());
        }
        assert_eq!(meaning(b""), None);
    }

    #[test]
    fn a_foul_byte_is_seen_wherever_it_stands() {
        for length in 1..40 {
            let name: Vec<u8> = (0..length).map(|at| b'A' + at % 26).collect();
            assert!(!is_foul(&name), "{length}");
            for at in 0..name.len() {
                for byte in [b'=', 0] {
                    let mut foul = name.clone();
                    foul[at] = byte;
                    assert!(is_foul(&foul), "{length}, {at}");
                }
            }
        }
        assert!(is_foul(b"") && !is_foul(&[0xff; 9]) && !is_foul(&[0x80, 1, 0x3c, 0x3e, 0xbd, 1, 1, 1, 0x81]));
    }
}
