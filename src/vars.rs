//! The variables of an environment as one block of bytes.
//!
//! The layout is the name-value pair stream of the FastCGI specification, §3.4: for each pair the two lengths, of
//! one byte below 128 or of four bytes with the high bit set, then the name, then the value. A FastCGI server takes
//! its PARAMS stream over as it stands; every other server appends pair after pair. So an environment costs one
//! allocation, and nothing is split, copied or decoded before somebody asks for it.

use std::fmt;
use std::ops::Range;

/// The block of name-value pairs behind an [`Environ`](crate::Environ).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Vars {
    block: Vec<u8>,
}

/// A block of name-value pairs whose lengths do not add up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a name-value pair at byte {at} runs past the end of its block")]
pub struct Malformed {
    /// Where the pair starts, in bytes from the start of the block.
    pub at: usize,
}

impl Vars {
    /// An empty block.
    pub const fn new() -> Vars {
        Vars { block: Vec::new() }
    }

    /// An empty block with room for that many bytes of lengths, names and values.
    pub fn with_capacity(bytes: usize) -> Vars {
        Vars { block: Vec::with_capacity(bytes) }
    }

    /// Takes over a whole PARAMS stream (FastCGI §3.4).
    ///
    /// # Errors
    /// [`Malformed`] when a length points past the end, with where that was.
    pub fn from_block(block: Vec<u8>) -> Result<Vars, Malformed> {
        let mut rest = &block[..];
        while !rest.is_empty() {
            match first_pair(rest) {
                Some((.., behind)) => rest = behind,
                None => return Err(Malformed { at: block.len() - rest.len() }),
            }
        }
        Ok(Vars { block })
    }

    /// The block in the layout of a PARAMS stream (FastCGI §3.4).
    pub fn as_block(&self) -> &[u8] {
        &self.block
    }

    /// Appends pairs that another block holds, without looking for names that are there already.
    pub fn extend(&mut self, other: &Vars) {
        self.block.extend_from_slice(&other.block);
    }

    /// Appends a pair, without looking for one of the same name: where a name stands twice, the first one counts.
    ///
    /// What is longer than the layout can say (2 GiB) is cut there.
    // Names are mostly literals: inlined, they are stored without a call to copy them.
    #[inline]
    pub fn push(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        let (name, value) = (cut(name.as_ref()), cut(value.as_ref()));
        self.push_lengths(name.len(), value.len());
        self.block.extend_from_slice(name);
        self.block.extend_from_slice(value);
    }

    /// Appends a header field under its meta-variable's name (RFC 3875 §4.1.18): `HTTP_`, then the name in upper
    /// case with `_` for `-`.
    pub fn push_field(&mut self, name: &[u8], value: &[u8]) {
        const PREFIX: &[u8] = b"HTTP_";
        let (name, value) = (cut(name), cut(value));
        self.push_lengths(PREFIX.len() + name.len(), value.len());
        self.block.extend_from_slice(PREFIX);
        self.block.extend(name.iter().map(|&byte| VARIABLE_BYTES[usize::from(byte)]));
        self.block.extend_from_slice(value);
    }

    /// The value of a variable; of the first where a name stands twice.
    pub fn get(&self, name: impl AsRef<[u8]>) -> Option<&[u8]> {
        let name = name.as_ref();
        self.iter().find(|(candidate, _)| *candidate == name).map(|(_, value)| value)
    }

    /// The value of a header field, by its field name in any case (`accept-language`).
    pub fn get_field(&self, name: impl AsRef<[u8]>) -> Option<&[u8]> {
        let name = name.as_ref();
        let is_its = |candidate: &[u8]| {
            let field = candidate.strip_prefix(b"HTTP_").filter(|field| field.len() == name.len());
            field.is_some_and(|field| field.iter().zip(name).all(|(&theirs, &ours)| theirs == variable_byte(ours)))
        };
        self.iter().find(|(candidate, _)| is_its(candidate)).map(|(_, value)| value)
    }

    /// Sets a variable: every pair of that name goes, and the new one is appended.
    pub fn set(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.remove(name.as_ref());
        self.push(name, value);
    }

    /// Removes every pair of that name; says whether there was one.
    pub fn remove(&mut self, name: impl AsRef<[u8]>) -> bool {
        let (name, length) = (name.as_ref(), self.block.len());
        self.retain(|candidate, _| candidate != name);
        self.block.len() < length
    }

    /// Keeps the pairs for which `keep(name, value)` says so. What stands behind one that goes is moved up, once.
    pub fn retain(&mut self, mut keep: impl FnMut(&[u8], &[u8]) -> bool) {
        let gone: Vec<_> =
            self.places().filter(|(_, name, value)| !keep(name, value)).map(|(place, ..)| place).collect();
        self.cut(&gone);
    }

    /// Takes pairs out that stand at these places, which are in order.
    fn cut(&mut self, places: &[Range<usize>]) {
        let Some(first) = places.first() else { return };
        let mut kept = first.start;
        for (index, place) in places.iter().enumerate() {
            let next = places.get(index + 1).map_or(self.block.len(), |next| next.start);
            self.block.copy_within(place.end..next, kept);
            kept += next - place.end;
        }
        self.block.truncate(kept);
    }

    /// The pairs in the order in which they stand.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        pairs(&self.block)
    }

    /// Appends the pairs of a block, but for those that stand at these places, which are in order.
    pub(crate) fn extend_without(&mut self, block: &[u8], places: &[Range<usize>]) {
        let mut start = 0;
        for place in places {
            self.block.extend_from_slice(block.get(start..place.start).unwrap_or_default());
            start = place.end;
        }
        self.block.extend_from_slice(block.get(start..).unwrap_or_default());
    }

    /// The pairs, with the place that each has in the block.
    fn places(&self) -> impl Iterator<Item = (Range<usize>, &[u8], &[u8])> {
        let (mut rest, mut start) = (&self.block[..], 0);
        std::iter::from_fn(move || {
            let (name, value, behind) = first_pair(rest)?;
            let end = start + rest.len() - behind.len();
            let place = start..end;
            (rest, start) = (behind, end);
            Some((place, name, value))
        })
    }

    /// Whether there is no pair.
    pub fn is_empty(&self) -> bool {
        self.block.is_empty()
    }

    #[inline]
    fn push_lengths(&mut self, name: usize, value: usize) {
        if name < 0x80 && value < 0x80 {
            self.block.extend_from_slice(&[name as u8, value as u8]);
        } else {
            self.push_length(name);
            self.push_length(value);
        }
    }

    #[cold]
    fn push_length(&mut self, length: usize) {
        if length < 0x80 {
            self.block.push(length as u8);
        } else {
            self.block.extend_from_slice(&(length as u32 | 0x8000_0000).to_be_bytes());
        }
    }
}

/// What a length of 31 bits can say, and room for a prefix.
#[inline]
fn cut(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len().min(0x7fff_ff00)]
}

/// [`variable_byte`] as a table: it is asked for every byte of every name.
static VARIABLE_BYTES: [u8; 256] = {
    let mut bytes = [0; 256];
    let mut byte = 0;
    while byte < bytes.len() {
        bytes[byte] = variable_byte(byte as u8);
        byte += 1;
    }
    bytes
};

/// The byte of a meta-variable's name that stands for a byte of a field name (RFC 3875 §4.1.18).
const fn variable_byte(byte: u8) -> u8 {
    if byte == b'-' { b'_' } else { byte.to_ascii_uppercase() }
}

/// The pairs of a block that is well-formed.
pub(crate) fn pairs(block: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = block;
    std::iter::from_fn(move || {
        let (name, value, behind) = first_pair(rest)?;
        rest = behind;
        Some((name, value))
    })
}

/// The name and the value of the first pair, and what stands behind it; none when it does not fit.
#[inline]
pub(crate) fn first_pair(block: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (name, value, rest) = match block {
        [name @ 0..0x80, value @ 0..0x80, rest @ ..] => (usize::from(*name), usize::from(*value), rest),
        _ => lengths(block)?,
    };
    let (name, rest) = rest.split_at_checked(name)?;
    let (value, rest) = rest.split_at_checked(value)?;
    Some((name, value, rest))
}

/// The two lengths of a pair, of which at least one has four bytes.
#[inline(never)]
fn lengths(block: &[u8]) -> Option<(usize, usize, &[u8])> {
    let (name, rest) = length(block)?;
    let (value, rest) = length(rest)?;
    Some((name, value, rest))
}

fn length(block: &[u8]) -> Option<(usize, &[u8])> {
    match block {
        [length @ 0..0x80, rest @ ..] => Some((usize::from(*length), rest)),
        _ => {
            let (length, rest) = block.split_first_chunk()?;
            Some(((u32::from_be_bytes(*length) & 0x7fff_ffff) as usize, rest))
        }
    }
}

impl fmt::Debug for Vars {
    /// The pairs, with the values that carry credentials left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.iter().map(|(name, value)| {
                let value = if is_credential(name) { "[redacted]".into() } else { value.escape_ascii().to_string() };
                (name.escape_ascii().to_string(), value)
            }))
            .finish()
    }
}

/// Whether a variable carries what must not be shown in a log.
fn is_credential(name: &[u8]) -> bool {
    const CREDENTIALS: [&[u8]; 4] =
        [b"HTTP_AUTHORIZATION", b"HTTP_PROXY_AUTHORIZATION", b"HTTP_COOKIE", b"HTTP_X_API_KEY"];
    CREDENTIALS.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_both_sizes_survive() {
        for length in [0, 1, 127, 128, 255, 65_536] {
            let mut vars = Vars::new();
            vars.push("N".repeat(length), vec![b'v'; length]);
            vars.push("LAST", "x");
            assert_eq!(vars.get("N".repeat(length)).unwrap().len(), length);
            assert_eq!(Vars::from_block(vars.as_block().to_vec()).unwrap().get("LAST"), Some(&b"x"[..]));
        }
    }

    #[test]
    fn a_lying_length_is_malformed_and_allocates_nothing() {
        assert_eq!(Vars::from_block(vec![0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), Err(Malformed { at: 0 }));
        assert_eq!(Vars::from_block(vec![1, 1, b'A', b'1', 1, 2, b'B', b'2']), Err(Malformed { at: 4 }));
        assert_eq!(Vars::from_block(vec![0x80]), Err(Malformed { at: 0 }));
    }

    #[test]
    fn set_replaces_every_pair_of_the_name() {
        let mut vars = Vars::new();
        vars.push("A", "1");
        vars.push("B", "2");
        vars.push("A", "3");
        vars.set("A", "4");
        assert_eq!(vars.iter().collect::<Vec<_>>(), [(&b"B"[..], &b"2"[..]), (b"A", b"4")]);
    }

    #[test]
    fn what_is_retained_keeps_its_order() {
        let mut vars = Vars::new();
        for name in ["A", "BB", "A", "CCC", "A"] {
            vars.push(name, name);
        }
        vars.retain(|name, _| name != b"A");
        assert_eq!(vars.iter().collect::<Vec<_>>(), [(&b"BB"[..], &b"BB"[..]), (b"CCC", b"CCC")]);
        vars.retain(|_, _| false);
        assert!(vars.is_empty());
    }

    #[test]
    fn a_field_name_becomes_a_variable_name_byte_by_byte() {
        let all: Vec<u8> = (0..=255).collect();
        for length in (0..20).chain([all.len()]) {
            for name in all.windows(length.max(1)) {
                let mut vars = Vars::new();
                vars.push_field(name, b"");
                let expected: Vec<u8> = name.iter().copied().map(variable_byte).collect();
                assert_eq!(vars.iter().next().unwrap().0, [b"HTTP_", &expected[..]].concat());
            }
        }
    }

    #[test]
    fn fields_are_found_by_either_name() {
        let mut vars = Vars::new();
        vars.push_field(b"Accept-Language", b"en");
        assert_eq!(vars.get("HTTP_ACCEPT_LANGUAGE"), Some(&b"en"[..]));
        assert_eq!(vars.get_field("accept-language"), Some(&b"en"[..]));
        assert_eq!(vars.get_field("accept"), None);
    }

    #[test]
    fn debug_hides_credentials() {
        let mut vars = Vars::new();
        vars.push_field(b"Authorization", b"Basic c2VjcmV0");
        vars.push_field(b"Cookie", b"session=c2VjcmV0");
        vars.push("PATH_INFO", "/");
        let shown = format!("{vars:?}");
        assert!(!shown.contains("c2VjcmV0") && shown.contains("PATH_INFO"), "{shown}");
    }
}
