//! The cookies of a test client (RFC 6265, §5, without domains: there is one host).

use std::time::{SystemTime, UNIX_EPOCH};

use crate::Scheme;

/// The cookies that were set and not taken back.
#[derive(Debug, Default)]
pub(super) struct Jar {
    cookies: Vec<Cookie>,
}

#[derive(Debug)]
struct Cookie {
    name: String,
    value: String,
    path: String,
    secure: bool,
}

impl Jar {
    /// The value of the cookie that was set last under that name.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        self.cookies.iter().rev().find(|cookie| cookie.name == name).map(|cookie| cookie.value.clone())
    }

    /// Takes a Set-Cookie field of the response to `target`. What has a Max-Age of 0 or less, or an Expires in the
    /// past, is taken out.
    pub(super) fn store(&mut self, field: &str, target: &str) {
        let mut attributes = field.split(';').map(str::trim);
        let Some((name, value)) = attributes.next().and_then(|pair| pair.split_once('=')) else { return };
        let mut cookie = Cookie {
            name: name.trim().to_owned(),
            value: value.trim().to_owned(),
            path: default_path(target).to_owned(),
            secure: false,
        };
        let (mut max_age, mut expires) = (None, None);
        for attribute in attributes {
            let (name, value) = attribute.split_once('=').unwrap_or((attribute, ""));
            match name.trim().to_ascii_lowercase().as_str() {
                "path" if value.starts_with('/') => value.clone_into(&mut cookie.path),
                "secure" => cookie.secure = true,
                "max-age" => max_age = value.trim().parse::<i64>().ok(),
                "expires" => expires = seconds_of(value),
                _ => {}
            }
        }
        self.cookies.retain(|old| old.name != cookie.name || old.path != cookie.path);
        // RFC 6265 §5.3: Max-Age is asked first.
        let is_gone = match max_age {
            Some(seconds) => seconds <= 0,
            None => expires.is_some_and(|expires| expires <= now()),
        };
        if !is_gone {
            self.cookies.push(cookie);
        }
    }

    /// The Cookie field of a request for `target`: longer paths first, then the order in which they came (RFC 6265
    /// §5.4). Empty when there are none.
    pub(super) fn header(&self, target: &str, scheme: Scheme) -> String {
        let path = path_of(target);
        let mut cookies: Vec<_> = self
            .cookies
            .iter()
            .filter(|cookie| matches_path(path, &cookie.path) && (!cookie.secure || scheme == Scheme::Https))
            .collect();
        cookies.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        let pairs: Vec<_> = cookies.iter().map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        pairs.join("; ")
    }
}

fn path_of(target: &str) -> &str {
    target.split_once('?').map_or(target, |(path, _)| path)
}

/// RFC 6265 §5.1.4: the folder of the path that set the cookie.
fn default_path(target: &str) -> &str {
    match path_of(target).rsplit_once('/') {
        None | Some(("", _)) => "/",
        Some((folder, _)) => folder,
    }
}

/// RFC 6265 §5.1.4.
fn matches_path(path: &str, of_cookie: &str) -> bool {
    path.strip_prefix(of_cookie)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || of_cookie.ends_with('/'))
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs().try_into().unwrap_or(i64::MAX))
}

/// The time of an HTTP date (`Thu, 01 Jan 1970 00:00:00 GMT`, also with `-` in the date), in seconds since 1970.
fn seconds_of(date: &str) -> Option<i64> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let words: Vec<_> = date.split([' ', '-', ':', ',']).filter(|word| !word.is_empty()).collect();
    let [_weekday, day, month, year, hour, minute, second, _zone] = words[..] else { return None };
    let number = |word: &str, most: i64| word.parse::<i64>().ok().filter(|n| (0..=most).contains(n));
    let (day, year) = (number(day, 31)?, number(year, 9999)?);
    let (hour, minute, second) = (number(hour, 23)?, number(minute, 59)?, number(second, 60)?);
    let month = MONTHS.iter().position(|name| *name == month)? as i64 + 1;
    // Days since 1970 in the Gregorian calendar, with the year beginning in March.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days =
        year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + (month * 153 + 2) / 5 + day
            - 1
            - 719_468;
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(jar: &Jar, target: &str) -> String {
        jar.header(target, Scheme::Http)
    }

    #[test]
    fn paths_decide_what_is_sent() {
        let mut jar = Jar::default();
        jar.store("a=1", "/shop/cart?x=/y/z");
        jar.store("b=2; Path=/", "/shop/cart");
        jar.store("c=3; secure; path=/", "/");
        assert_eq!(header(&jar, "/shop/list"), "a=1; b=2");
        assert_eq!(header(&jar, "/shop"), "a=1; b=2");
        assert_eq!(header(&jar, "/shopping"), "b=2");
        assert_eq!(jar.header("/", Scheme::Https), "b=2; c=3");
    }

    #[test]
    fn a_cookie_is_replaced_and_taken_back() {
        let mut jar = Jar::default();
        jar.store("a=1; Path=/", "/");
        jar.store("a=2=3; path=/; HttpOnly", "/");
        assert_eq!(header(&jar, "/"), "a=2=3");
        jar.store("a=; Path=/; Max-Age=0; Expires=Fri, 31 Dec 9999 23:59:59 GMT", "/");
        assert_eq!(header(&jar, "/"), "");
        for gone in ["Thu, 01 Jan 1970 00:00:00 GMT", "Sat, 29-Feb-2020 12:00:00 GMT"] {
            jar.store("a=1; Path=/; Expires=Fri, 31 Dec 9999 23:59:59 GMT", "/");
            assert_eq!(jar.get("a").as_deref(), Some("1"));
            jar.store(&format!("a=; Path=/; Expires={gone}"), "/");
            assert_eq!(jar.get("a"), None, "{gone}");
        }
    }

    #[test]
    fn dates_are_counted_from_1970() {
        assert_eq!(seconds_of("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(seconds_of("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(seconds_of("Thu, 29 Feb 2024 00:00:00 GMT"), Some(1_709_164_800));
        assert_eq!(seconds_of("soon"), None);
    }
}
