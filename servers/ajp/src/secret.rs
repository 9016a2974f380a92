//! What web server and application both know, and a client does not.

use std::fmt;

use subtle::ConstantTimeEq;

/// A secret. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(Vec<u8>);

impl Secret {
    /// None where it is empty: that would be known to everybody.
    pub(crate) fn new(secret: &[u8]) -> Option<Secret> {
        (!secret.is_empty()).then(|| Secret(secret.to_vec()))
    }

    /// Whether this is it. How long that takes tells nothing but the length.
    pub(crate) fn is(&self, sent: &[u8]) -> bool {
        self.0.ct_eq(sent).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_all_of_it_is_it() {
        let secret = Secret::new(b"sesame").unwrap();
        assert!(secret.is(b"sesame"));
        for wrong in [&b""[..], b"sesam", b"sesame ", b"Sesame", b"\0esame", b"sesamesesame"] {
            assert!(!secret.is(wrong), "{wrong:?}");
        }
    }

    #[test]
    fn nothing_is_no_secret_and_a_secret_is_not_shown() {
        assert_eq!(Secret::new(b""), None);
        assert!(!format!("{:?}", Secret::new(b"sesame")).contains("sesame"));
    }
}
