//! Names that stand more than once among the variables of a request.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::Vars;

/// How many names are told apart without a table.
const MOST: usize = 48;

/// The names seen so far, by their marks.
pub(crate) struct Names {
    marks: [u64; MOST],
    count: usize,
    /// A bit for each mark, which tells most of them apart.
    bits: [u64; 4],
}

impl Names {
    pub(crate) fn new() -> Names {
        Names { marks: [0; MOST], count: 0, bits: [0; 4] }
    }

    /// Adds a name, by a number that other names may have too. Says whether it may have been seen before: `false` is
    /// certain, `true` takes a closer look.
    #[inline(never)]
    pub(crate) fn add(&mut self, mark: u64) -> bool {
        let bit = mark.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56;
        let (word, bit) = (&mut self.bits[(bit >> 6) as usize], 1 << (bit & 63));
        let may_be_known = *word & bit != 0;
        *word |= bit;
        let (known, free) = self.marks.split_at_mut(self.count.min(MOST));
        let Some(place) = free.first_mut() else { return true };
        *place = mark;
        self.count += 1;
        may_be_known && known.contains(&mark)
    }
}

/// Makes one pair of those that share a name, in the place of the first: header fields are joined (RFC 3875 §4.1.18), of
/// any other variable the last one counts.
pub(crate) fn join_repeated(vars: &Vars) -> Vars {
    let mut places = HashMap::new();
    let mut pairs: Vec<(&[u8], Cow<'_, [u8]>)> = Vec::new();
    for (name, value) in vars.iter() {
        let place = *places.entry(name).or_insert(pairs.len());
        match pairs.get_mut(place) {
            None => pairs.push((name, Cow::Borrowed(value))),
            Some((_, joined)) if name.starts_with(b"HTTP_") => {
                let joined = joined.to_mut();
                joined.extend_from_slice(if name == b"HTTP_COOKIE" { b"; " } else { b", " });
                joined.extend_from_slice(value);
            }
            Some((_, replaced)) => *replaced = Cow::Borrowed(value),
        }
    }
    let mut joined = Vars::with_capacity(vars.as_block().len());
    for (name, value) in pairs {
        joined.push(name, value);
    }
    joined
}
