//! The head of a response: status and headers.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use crate::{ApplicationError, Error, Violation};

/// A status: the code, and the reason phrase where it is not the usual one.
///
/// Source: spec clause 5, RFC 9112 §4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    code: StatusCode,
    reason: Option<Bytes>,
}

impl Status {
    /// A status with a reason phrase of its own.
    ///
    /// # Errors
    /// An application's [`Error`] when the phrase holds a control character (RFC 9112 §4: HTAB, SP, VCHAR, obs-text).
    pub fn with_reason(code: StatusCode, reason: impl Into<Bytes>) -> Result<Status, Error> {
        let reason = reason.into();
        match reason.iter().find(|&&byte| (byte < b' ' && byte != b'\t') || byte == 0x7f) {
            Some(byte) => Err(ApplicationError::InvalidHeader {
                what: format!("the reason phrase of status {} holds the byte {byte:#04x}", code.as_u16()),
            }
            .into()),
            None => Ok(Status { code, reason: Some(reason) }),
        }
    }

    /// The code.
    pub fn code(&self) -> StatusCode {
        self.code
    }

    /// The reason phrase: the one given, or the usual one of the code, or nothing.
    pub fn reason(&self) -> &[u8] {
        match &self.reason {
            Some(reason) => reason,
            None => self.code.canonical_reason().unwrap_or("").as_bytes(),
        }
    }
}

impl From<StatusCode> for Status {
    fn from(code: StatusCode) -> Status {
        Status { code, reason: None }
    }
}

impl PartialEq<StatusCode> for Status {
    fn eq(&self, other: &StatusCode) -> bool {
        self.code == *other
    }
}

/// Header fields in the order in which they were given, repeats kept.
///
/// PEP 3333 has a list of pairs here, and so has wgi: an order that an application chose is the order on the wire.
/// [`HeaderMap`] converts in both directions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers {
    fields: Vec<(HeaderName, HeaderValue)>,
}

impl Headers {
    /// No fields.
    pub const fn new() -> Headers {
        Headers { fields: Vec::new() }
    }

    /// No fields, and room for that many.
    pub fn with_capacity(fields: usize) -> Headers {
        Headers { fields: Vec::with_capacity(fields) }
    }

    /// The value of the first field of that name, in any case.
    pub fn get(&self, name: impl AsRef<str>) -> Option<&HeaderValue> {
        self.get_all(name).next()
    }

    /// The values of all fields of that name, in order.
    pub fn get_all(&self, name: impl AsRef<str>) -> impl Iterator<Item = &HeaderValue> {
        self.fields.iter().filter(move |(candidate, _)| is_named(candidate, name.as_ref())).map(|(_, value)| value)
    }

    /// Whether there is a field of that name.
    pub fn contains(&self, name: impl AsRef<str>) -> bool {
        self.get(name).is_some()
    }

    /// Adds a field behind those that are there.
    pub fn append(&mut self, name: HeaderName, value: HeaderValue) {
        self.fields.push((name, value));
    }

    /// Sets a field: the first of its name takes the value, the others of the name go.
    pub fn insert(&mut self, name: HeaderName, value: HeaderValue) {
        let Some(first) = self.fields.iter().position(|(candidate, _)| *candidate == name) else {
            return self.append(name, value);
        };
        self.fields[first].1 = value;
        let mut at = 0;
        self.fields.retain(|(candidate, _)| {
            at += 1;
            at <= first + 1 || *candidate != name
        });
    }

    /// Removes every field of that name; gives the first one's value.
    pub fn remove(&mut self, name: impl AsRef<str>) -> Option<HeaderValue> {
        let name = name.as_ref();
        let first = self.get(name).cloned();
        if first.is_some() {
            self.fields.retain(|(candidate, _)| !is_named(candidate, name));
        }
        first
    }

    /// The fields in order.
    pub fn iter(&self) -> std::slice::Iter<'_, (HeaderName, HeaderValue)> {
        self.fields.iter()
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }
}

fn is_named(candidate: &HeaderName, name: &str) -> bool {
    candidate.as_str().eq_ignore_ascii_case(name)
}

impl<'a> IntoIterator for &'a Headers {
    type Item = &'a (HeaderName, HeaderValue);
    type IntoIter = std::slice::Iter<'a, (HeaderName, HeaderValue)>;

    fn into_iter(self) -> Self::IntoIter {
        self.fields.iter()
    }
}

impl IntoIterator for Headers {
    type Item = (HeaderName, HeaderValue);
    type IntoIter = std::vec::IntoIter<(HeaderName, HeaderValue)>;

    fn into_iter(self) -> Self::IntoIter {
        self.fields.into_iter()
    }
}

impl FromIterator<(HeaderName, HeaderValue)> for Headers {
    fn from_iter<I: IntoIterator<Item = (HeaderName, HeaderValue)>>(fields: I) -> Headers {
        Headers { fields: fields.into_iter().collect() }
    }
}

impl From<HeaderMap> for Headers {
    fn from(map: HeaderMap) -> Headers {
        // A map names a repeated field once; the name is carried on to the values behind it.
        let mut fields = Headers::with_capacity(map.len());
        let mut last = None;
        for (name, value) in map {
            last = name.or(last);
            if let Some(name) = &last {
                fields.append(name.clone(), value);
            }
        }
        fields
    }
}

impl From<Headers> for HeaderMap {
    fn from(headers: Headers) -> HeaderMap {
        let mut map = HeaderMap::with_capacity(headers.len());
        for (name, value) in headers {
            map.append(name, value);
        }
        map
    }
}

/// What `start_response.start(status, headers)` takes as headers: [`Headers`], a [`HeaderMap`], `()`, or an array,
/// vector or slice of pairs whose halves convert into a [`HeaderName`] and a [`HeaderValue`].
pub trait IntoHeaders {
    /// Converts.
    ///
    /// # Errors
    /// An application's [`Error`] that names the field, when a name is no token or a value holds a control
    /// character (RFC 9110 §5.1, §5.5): a CR or LF that would split a response never gets further than this.
    fn into_headers(self) -> Result<Headers, Error>;
}

impl IntoHeaders for Headers {
    fn into_headers(self) -> Result<Headers, Error> {
        Ok(self)
    }
}

impl IntoHeaders for HeaderMap {
    fn into_headers(self) -> Result<Headers, Error> {
        Ok(self.into())
    }
}

impl IntoHeaders for () {
    fn into_headers(self) -> Result<Headers, Error> {
        Ok(Headers::new())
    }
}

impl<K, V, const N: usize> IntoHeaders for [(K, V); N]
where
    K: TryInto<HeaderName>,
    V: TryInto<HeaderValue>,
{
    fn into_headers(self) -> Result<Headers, Error> {
        collect(self.into_iter(), N)
    }
}

impl<K, V> IntoHeaders for Vec<(K, V)>
where
    K: TryInto<HeaderName>,
    V: TryInto<HeaderValue>,
{
    fn into_headers(self) -> Result<Headers, Error> {
        let length = self.len();
        collect(self.into_iter(), length)
    }
}

impl<K, V> IntoHeaders for &[(K, V)]
where
    K: Clone + TryInto<HeaderName>,
    V: Clone + TryInto<HeaderValue>,
{
    fn into_headers(self) -> Result<Headers, Error> {
        collect(self.iter().cloned(), self.len())
    }
}

fn collect<K, V>(pairs: impl Iterator<Item = (K, V)>, length: usize) -> Result<Headers, Error>
where
    K: TryInto<HeaderName>,
    V: TryInto<HeaderValue>,
{
    let mut headers = Headers::with_capacity(length);
    for (index, (name, value)) in pairs.enumerate() {
        let name = name.try_into().map_err(|_| ApplicationError::InvalidHeader {
            what: format!("the name of header field {} is not a token", index + 1),
        })?;
        let value = value.try_into().map_err(|_| ApplicationError::InvalidHeader {
            what: format!("the value of the header field `{name}` holds a control character"),
        })?;
        headers.append(name, value);
    }
    Ok(headers)
}

/// The head of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The status.
    pub status: Status,
    /// The headers.
    pub headers: Headers,
}

impl Head {
    /// A head of a status and headers.
    ///
    /// # Errors
    /// As [`IntoHeaders::into_headers`].
    pub fn new(status: impl Into<Status>, headers: impl IntoHeaders) -> Result<Head, Error> {
        Ok(Head { status: status.into(), headers: headers.into_headers()? })
    }

    /// The length that `Content-Length` gives.
    ///
    /// # Errors
    /// A [`Violation`] when it is given twice or is not a decimal number of 64 bits.
    pub fn content_length(&self) -> Result<Option<u64>, Violation> {
        // A standard name compares as a small integer, not as text.
        let mut values =
            self.headers.iter().filter(|(name, _)| *name == header::CONTENT_LENGTH).map(|(_, value)| value);
        let Some(value) = values.next() else { return Ok(None) };
        let number = value.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        match (number.and_then(|text| text.parse().ok()), values.next()) {
            (Some(length), None) => Ok(Some(length)),
            (_, other) => Err(Violation {
                clause: "5.6",
                seen: match other {
                    Some(_) => "more than one Content-Length".into(),
                    None => format!("Content-Length: {}", value.as_bytes().escape_ascii()),
                },
                remedy: "give Content-Length once, as a decimal number, or leave it out",
            }),
        }
    }

    /// Checks what no application may send: hop-by-hop fields, a `Status` field, a status below 200.
    ///
    /// That a name is a token and that no control character stands in a value is the types' doing.
    ///
    /// # Errors
    /// The [`Violation`] of the first field that is forbidden.
    ///
    /// Source: spec clauses 5.3 to 5.5, 5.20.
    pub fn check(&self) -> Result<(), Violation> {
        if self.status.code.is_informational() {
            return Err(Violation {
                clause: "5.3",
                seen: format!("the status {}", self.status.code.as_u16()),
                remedy: "start with a final status, 200 or above; interim responses are the server's",
            });
        }
        for (name, _) in &self.headers {
            if is_hop_by_hop(name) {
                return Err(Violation {
                    clause: "5.4",
                    seen: format!("the hop-by-hop header field `{name}`"),
                    remedy: "leave the connection and its framing to the server",
                });
            }
            if name.as_str() == "status" {
                return Err(Violation {
                    clause: "5.5",
                    seen: "a header field named `status`".into(),
                    remedy: "give the status as the first argument of start",
                });
            }
        }
        Ok(())
    }
}

/// The name of a header field, in lower case, for a server to send.
///
/// It is [`HeaderName::as_str`], but not in line: in line it is a table of 81 pointers at every place of use, and every
/// pointer in a program has to be set right when the program is loaded, which a CGI program is for each request.
#[inline(never)]
pub fn field_name(name: &HeaderName) -> &[u8] {
    name.as_str().as_bytes()
}

/// Whether a header field concerns one connection alone (RFC 9110 §7.6.1, RFC 2616 §13.5.1).
pub fn is_hop_by_hop(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "trailers"
            | "transfer-encoding"
            | "upgrade"
    )
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code.as_u16(), String::from_utf8_lossy(self.reason()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn insert_keeps_the_place_of_the_first() {
        let mut headers = [("a", "1"), ("b", "2"), ("a", "3"), ("c", "4")].into_headers().unwrap();
        headers.insert(HeaderName::from_static("a"), HeaderValue::from_static("5"));
        assert_eq!(headers, [("a", "5"), ("b", "2"), ("c", "4")].into_headers().unwrap());
    }

    #[test]
    fn a_split_response_is_refused() {
        assert!([("x", "a\r\nb: c")].into_headers().is_err());
        assert!([("x\n", "a")].into_headers().is_err());
        assert!(Status::with_reason(StatusCode::OK, "a\r\nb: c").is_err());
        assert!(Status::with_reason(StatusCode::OK, "a\0").is_err());
    }

    #[test]
    fn a_map_keeps_its_repeats() {
        let headers = [("set-cookie", "a"), ("set-cookie", "b"), ("x", "c")].into_headers().unwrap();
        assert_eq!(Headers::from(HeaderMap::from(headers.clone())), headers);
    }

    #[test]
    fn content_length_is_a_number_given_once() {
        let of =
            |headers: &[(&'static str, &'static str)]| Head::new(StatusCode::OK, headers).unwrap().content_length();
        assert_eq!(of(&[("content-length", "12")]), Ok(Some(12)));
        assert_eq!(of(&[]), Ok(None));
        for bad in ["", "+1", "-1", "0x1", "1_0", "1 ", "99999999999999999999"] {
            assert!(of(&[("content-length", bad)]).is_err(), "{bad:?}");
        }
        assert!(of(&[("content-length", "1"), ("content-length", "1")]).is_err());
    }

    #[test]
    fn the_connection_is_the_servers() {
        for name in ["connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "status"] {
            assert!(Head::new(StatusCode::OK, [(name, "x")]).unwrap().check().is_err(), "{name}");
        }
        assert!(Head::new(StatusCode::CONTINUE, ()).unwrap().check().is_err());
    }
}
