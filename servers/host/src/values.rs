//! The values of options: numbers, sizes, durations and the like, as a person writes them.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::str::FromStr;
use std::time::Duration;

/// What is wrong with a value, as the end of a sentence that starts with the option.
pub(crate) type Wrong = String;

pub(crate) fn text(value: &OsStr) -> Result<&str, Wrong> {
    value.to_str().ok_or_else(|| format!("`{}` is not UTF-8", value.display()))
}

/// A decimal number, from `least`.
pub(crate) fn number<N: FromStr + PartialOrd + std::fmt::Display>(value: &OsStr, least: N) -> Result<N, Wrong> {
    let text = text(value)?;
    match digits(text) {
        Some(number) if number >= least => Ok(number),
        Some(number) => Err(format!("{number} is too small; the least is {least}")),
        None => Err(format!("`{text}` is no number, or too large a one")),
    }
}

/// A number of bytes: `512`, `64K`, `2G`. A kilobyte is 1024 bytes.
pub(crate) fn size(value: &OsStr) -> Result<u64, Wrong> {
    let text = text(value)?;
    let (number, unit) = split_unit(text);
    let shift = match unit.to_ascii_uppercase().trim_end_matches('B').trim_end_matches('I') {
        "" => Some(0),
        "K" => Some(10),
        "M" => Some(20),
        "G" => Some(30),
        "T" => Some(40),
        _ => None,
    };
    shift
        .and_then(|shift| digits::<u64>(number)?.checked_mul(1 << shift))
        .ok_or_else(|| format!("`{text}` is no size; write a number of bytes, or one of K, M, G: 64K, 2G"))
}

/// A size of what is held in memory.
pub(crate) fn memory(value: &OsStr) -> Result<usize, Wrong> {
    usize::try_from(size(value)?).map_err(|_| format!("`{}` is more than this machine can hold", value.display()))
}

/// A duration: `500ms`, `15s`, `2m`, `1h`; a number alone is of seconds.
pub(crate) fn duration(value: &OsStr) -> Result<Duration, Wrong> {
    let text = text(value)?;
    let (number, unit) = split_unit(text);
    let milliseconds = match unit {
        "ms" => Some(1),
        "" | "s" => Some(1000),
        "m" | "min" => Some(60_000),
        "h" => Some(3_600_000),
        _ => None,
    };
    milliseconds
        .and_then(|unit| digits::<u64>(number)?.checked_mul(unit))
        // A century is as good as for ever, and a time that far from now can still be told.
        .filter(|&milliseconds| milliseconds <= 100 * 366 * 86_400_000)
        .map(Duration::from_millis)
        .ok_or_else(|| format!("`{text}` is no duration; write 500ms, 15s, 2m or 1h"))
}

/// The permission bits of a file in octal: `660`.
pub(crate) fn mode(value: &OsStr) -> Result<u32, Wrong> {
    let text = text(value)?;
    let octal = text.bytes().all(|byte| byte.is_ascii_digit()).then(|| u32::from_str_radix(text, 8));
    match octal {
        Some(Ok(mode)) if mode <= 0o777 => Ok(mode),
        _ => Err(format!("`{text}` is no mode; write three octal digits, as in 660")),
    }
}

/// Whether something is on: `1`, `yes`, `true`, `on`, or the contrary.
pub(crate) fn flag(value: &OsStr) -> Result<bool, Wrong> {
    match text(value)?.to_ascii_lowercase().as_str() {
        "1" | "yes" | "true" | "on" => Ok(true),
        "0" | "no" | "false" | "off" => Ok(false),
        other => Err(format!("`{other}` is neither 1 nor 0")),
    }
}

/// A variable: `NAME=VALUE`, as bytes.
pub(crate) fn variable(value: &OsStr) -> Result<(&[u8], &[u8]), Wrong> {
    let bytes = value.as_bytes();
    match bytes.iter().position(|&byte| byte == b'=') {
        Some(end @ 1..) if !bytes.contains(&0) => Ok((&bytes[..end], &bytes[end + 1..])),
        _ => Err(format!("`{}` is no variable; write NAME=VALUE", value.display())),
    }
}

fn split_unit(text: &str) -> (&str, &str) {
    text.split_at(text.find(|char: char| !char.is_ascii_digit()).unwrap_or(text.len()))
}

/// Digits alone: `parse` would take a sign.
fn digits<N: FromStr>(text: &str) -> Option<N> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("0", 0),
            ("512", 512),
            ("64K", 65_536),
            ("64k", 65_536),
            ("2G", 1 << 31),
            ("1MiB", 1 << 20),
            ("1mb", 1 << 20),
        ] {
            assert_eq!(size(OsStr::new(text)), Ok(bytes), "{text}");
        }
        for bad in ["", "K", "-1", "+1", "1.5G", "1 G", "2X", "99999999999999999999", "18014398509481984K"] {
            assert!(size(OsStr::new(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn durations() {
        for (text, milliseconds) in
            [("500ms", 500), ("15s", 15_000), ("15", 15_000), ("2m", 120_000), ("1h", 3_600_000)]
        {
            assert_eq!(duration(OsStr::new(text)), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for bad in ["", "s", "-1s", "1.5s", "1d", "1 s", "99999999999h", "18446744073709551615ms"] {
            assert!(duration(OsStr::new(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn modes() {
        assert_eq!(mode(OsStr::new("660")), Ok(0o660));
        assert_eq!(mode(OsStr::new("0600")), Ok(0o600));
        for bad in ["", "8", "+60", "1777", "rw"] {
            assert!(mode(OsStr::new(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn variables() {
        assert_eq!(variable(OsStr::new("A=b=c")), Ok((&b"A"[..], &b"b=c"[..])));
        assert_eq!(variable(OsStr::new("A=")), Ok((&b"A"[..], &b""[..])));
        for bad in ["", "A", "=b"] {
            assert!(variable(OsStr::new(bad)).is_err(), "{bad}");
        }
    }
}
