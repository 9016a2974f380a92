//! The `Date` of responses (RFC 9110 §6.6.1), written once a second in each thread.

use std::cell::Cell;
use std::io::Write;
use std::time::{Duration, UNIX_EPOCH};

use httpdate::HttpDate;
use rustix::time::{ClockId, clock_gettime};

/// How long the field is, with its line's end; the date is an IMF-fixdate (RFC 9110 §5.6.7).
const LENGTH: usize = "date: Sun, 06 Nov 1994 08:49:37 GMT\r\n".len();
/// The last second that four digits of a year can say.
const LAST: u64 = 253_402_300_799;

thread_local! {
    /// The last second that was written, and how.
    static NOW: Cell<(u64, [u8; LENGTH])> = const { Cell::new((u64::MAX, [b' '; LENGTH])) };
}

/// Appends the field with the date and time of now.
pub(crate) fn write(out: &mut Vec<u8>) {
    // The time of the last tick, for which no clock has to be read.
    let now = u64::try_from(clock_gettime(ClockId::RealtimeCoarse).tv_sec).unwrap_or_default().min(LAST);
    let (mut second, mut text) = NOW.get();
    if second != now {
        second = now;
        let date = HttpDate::from(UNIX_EPOCH + Duration::from_secs(now));
        // It has exactly that length, so there is nothing that could fail.
        let _ = write!(&mut text[..], "date: {date}\r\n");
        NOW.set((second, text));
    }
    out.extend_from_slice(&text);
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn it_is_a_date_of_now() {
        // The field has whole seconds, and the last tick may have been in the second before.
        let before = SystemTime::now() - Duration::from_secs(2);
        let mut out = Vec::new();
        write(&mut out);
        let field = std::str::from_utf8(&out).unwrap();
        let date = field.strip_prefix("date: ").unwrap().strip_suffix("\r\n").unwrap();
        let date = httpdate::parse_http_date(date).unwrap();
        assert!(date >= before && date <= SystemTime::now());
    }
}
