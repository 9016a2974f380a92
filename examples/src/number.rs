//! Exact numbers: decimals in, decimals or fractions out, and nothing rounded in between.

use num_rational::BigRational;
use wgi::{Error, StatusCode};

/// The longest number that is read, in characters.
const LONGEST: usize = 100;

/// How many decimal places are written at most, where that many make it exact.
const PLACES: i32 = 200;

/// How many of them are written where none would.
const SOME_PLACES: usize = 12;

/// Reads `23`, `-1.5` or `.25`.
///
/// # Errors
/// A 400 that says what is wrong.
pub fn parse(text: &str) -> Result<BigRational, Error> {
    let refused = |reason: String| Error::refused(StatusCode::BAD_REQUEST, reason);
    if text.len() > LONGEST {
        return Err(refused(format!("a number has {LONGEST} characters at most")));
    }
    let text = text.trim();
    let sign = if text.starts_with(['-', '−']) { "-" } else { "" };
    let digits = text.strip_prefix(['-', '−', '+']).unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = digits.bytes().any(|byte| byte.is_ascii_digit())
        && [whole, fraction].iter().all(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
    let tenths = "0".repeat(fraction.len());
    match format!("{sign}{whole}{fraction}/1{tenths}").parse() {
        Ok(number) if is_number => Ok(number),
        _ => Err(refused(format!("“{}” is not a number; write it like 23, -1.5 or .25", text.escape_debug()))),
    }
}

/// Writes a number: as a decimal where that is exact, otherwise with its first places and as a fraction.
pub fn show(number: &BigRational) -> String {
    let ten = BigRational::from_integer(10.into());
    let exact = (0..=PLACES).find(|&places| (number * ten.pow(places)).is_integer());
    let places = exact.map_or(SOME_PLACES, |places| places as usize);
    let scaled = (number * ten.pow(places as i32)).to_integer().to_string();
    let (sign, digits) = match scaled.strip_prefix('-') {
        Some(digits) => ("-", digits),
        // What is cut off to nothing has lost its sign.
        None if *number < BigRational::default() => ("-", &scaled[..]),
        None => ("", &scaled[..]),
    };
    let digits = format!("{digits:0>width$}", width = places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    match (exact, fraction) {
        (Some(_), "") => format!("{sign}{whole}"),
        (Some(_), _) => format!("{sign}{whole}.{fraction}"),
        (None, _) => format!("{sign}{whole}.{fraction}… ({number})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_as_they_are() {
        for (written, shown) in [
            ("23", "23"),
            ("-1.50", "-1.5"),
            ("+.25", "0.25"),
            (" 7. ", "7"),
            ("007", "7"),
            ("-0", "0"),
            ("−3", "-3"),
            ("123456789012345678901234567890.1", "123456789012345678901234567890.1"),
        ] {
            assert_eq!(show(&parse(written).unwrap()), shown, "{written}");
        }
        let third = parse("-1").unwrap() / parse("3").unwrap();
        assert_eq!(show(&third), "-0.333333333333… (-1/3)");
        assert_eq!(show(&(third / parse("10000000000000").unwrap())), "-0.000000000000… (-1/30000000000000)");
    }

    #[test]
    fn nothing_else_is_a_number() {
        for bad in
            ["", " ", ".", "-", "--1", "−−1", "1-", "1e3", "0x1", "1/2", "1_0", "1,5", "1.2.3", "٣", "NaN", "inf"]
        {
            assert_eq!(parse(bad).unwrap_err().status(), 400, "{bad}");
        }
        assert!(parse(&"9".repeat(LONGEST)).is_ok());
        assert!(parse(&"9".repeat(LONGEST + 1)).is_err());
    }
}
