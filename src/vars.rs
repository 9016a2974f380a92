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

/// Where one pair stands inside the block.
struct Pair {
    start: usize,
    name: Range<usize>,
    value: Range<usize>,
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
        let mut at = 0;
        while at < block.len() {
            match pair_at(&block, at) {
                Some(pair) => at = pair.value.end,
                None => return Err(Malformed { at }),
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
        self.block.extend(name.iter().copied().map(variable_byte));
        self.block.extend_from_slice(value);
    }

    /// The value of a variable; of the first where a name stands twice.
    pub fn get(&self, name: impl AsRef<[u8]>) -> Option<&[u8]> {
        let name = name.as_ref();
        let pair = self.find(name.len(), |candidate| candidate == name)?;
        Some(&self.block[pair.value])
    }

    /// The value of a header field, by its field name in any case (`accept-language`).
    pub fn get_field(&self, name: impl AsRef<[u8]>) -> Option<&[u8]> {
        let name = name.as_ref();
        let pair = self.find(name.len() + 5, |candidate| {
            candidate.starts_with(b"HTTP_")
                && candidate[5..].iter().zip(name).all(|(&theirs, &ours)| theirs == variable_byte(ours))
        })?;
        Some(&self.block[pair.value])
    }

    /// Sets a variable: every pair of that name goes, and the new one is appended.
    pub fn set(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.remove(name.as_ref());
        self.push(name, value);
    }

    /// Removes every pair of that name; says whether there was one.
    pub fn remove(&mut self, name: impl AsRef<[u8]>) -> bool {
        let name = name.as_ref();
        let mut found = false;
        while let Some(pair) = self.find(name.len(), |candidate| candidate == name) {
            self.block.drain(pair.start..pair.value.end);
            found = true;
        }
        found
    }

    /// Keeps the pairs for which `keep(name, value)` says so. What stands behind one that goes is moved up, once.
    pub fn retain(&mut self, mut keep: impl FnMut(&[u8], &[u8]) -> bool) {
        let (mut at, mut kept) = (0, 0);
        while let Some(pair) = pair_at(&self.block, at) {
            at = pair.value.end;
            if keep(&self.block[pair.name], &self.block[pair.value]) {
                if kept < pair.start {
                    self.block.copy_within(pair.start..at, kept);
                }
                kept += at - pair.start;
            }
        }
        self.block.truncate(kept);
    }

    /// The pairs in the order in which they stand.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let pair = pair_at(&self.block, at)?;
            at = pair.value.end;
            Some((&self.block[pair.name], &self.block[pair.value]))
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

    fn find(&self, length: usize, matches: impl Fn(&[u8]) -> bool) -> Option<Pair> {
        let mut at = 0;
        while let Some(pair) = pair_at(&self.block, at) {
            if pair.name.len() == length && matches(&self.block[pair.name.clone()]) {
                return Some(pair);
            }
            at = pair.value.end;
        }
        None
    }
}

/// What a length of 31 bits can say, and room for a prefix.
#[inline]
fn cut(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len().min(0x7fff_ff00)]
}

/// The byte of a meta-variable's name that stands for a byte of a field name (RFC 3875 §4.1.18).
const fn variable_byte(byte: u8) -> u8 {
    if byte == b'-' { b'_' } else { byte.to_ascii_uppercase() }
}

/// The pair that starts at `start`, or none when it does not fit.
fn pair_at(block: &[u8], start: usize) -> Option<Pair> {
    let (name_length, at) = length_at(block, start)?;
    let (value_length, at) = length_at(block, at)?;
    let name = at..at.checked_add(name_length)?;
    let value = name.end..name.end.checked_add(value_length)?;
    (value.end <= block.len()).then_some(Pair { start, name, value })
}

fn length_at(block: &[u8], at: usize) -> Option<(usize, usize)> {
    let first = *block.get(at)?;
    if first < 0x80 {
        return Some((first.into(), at + 1));
    }
    let bytes = block.get(at..at + 4)?.try_into().ok()?;
    Some(((u32::from_be_bytes(bytes) & 0x7fff_ffff) as usize, at + 4))
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
