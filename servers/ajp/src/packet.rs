//! Packets, byte for byte, and the codes that stand for words in them.
//!
//! ```text
//! from the web server:  12 34  length (2)  content
//! to the web server:    41 42  length (2)  content
//! ```
//!
//! Numbers are big-endian. The first byte of the content says what it is, but in a packet of a request's body: that has
//! the length of the data again (2), and the data. A string is its length (2), its bytes and a NUL that the length does
//! not count; the length `FF FF` stands for none.
//!
//! Source: the AJPv13 protocol reference of the Apache Tomcat Connectors; `ajp_header.h` of Apache's mod_proxy_ajp.

/// How a packet from a web server begins.
pub const FROM_SERVER: [u8; 2] = [0x12, 0x34];
/// How a packet to a web server begins.
pub const TO_SERVER: [u8; 2] = [0x41, 0x42];

/// The bytes in front of the content of each packet.
pub const HEADER_LEN: usize = 4;
/// The packet size that both sides have unless they were told another: all of a packet, header included.
pub const PACKET_SIZE: usize = 8 * 1024;
/// The largest packet size.
pub const MAX_PACKET_SIZE: usize = 64 * 1024;
/// What a string's length is where there is none.
pub const NO_STRING: u16 = 0xffff;

/// A request: everything but its body.
pub const FORWARD_REQUEST: u8 = 2;
/// A piece of a response's body, with a NUL behind it. Without data it means that what came so far is to be passed on.
pub const SEND_BODY_CHUNK: u8 = 3;
/// The head of a response.
pub const SEND_HEADERS: u8 = 4;
/// The end of a response, and whether the connection can go on.
pub const END_RESPONSE: u8 = 5;
/// Asks for more of a request's body, up to a number of bytes.
pub const GET_BODY_CHUNK: u8 = 6;
/// Asks the application to shut itself down. No web server sends it, and nobody should be obeyed who does.
pub const SHUTDOWN: u8 = 7;
/// A first step of logging in, which is used nowhere. Not [`CPING`].
pub const PING: u8 = 8;
/// Answers [`CPING`].
pub const CPONG: u8 = 9;
/// Asks whether somebody is there.
pub const CPING: u8 = 10;

/// The method stands in the attribute [`STORED_METHOD`].
pub const METHOD_IS_STORED: u8 = 0xff;
/// The methods by their codes: the first is 1.
pub const METHODS: [&str; 27] = [
    "OPTIONS",
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "DELETE",
    "TRACE",
    "PROPFIND",
    "PROPPATCH",
    "MKCOL",
    "COPY",
    "MOVE",
    "LOCK",
    "UNLOCK",
    "ACL",
    "REPORT",
    "VERSION-CONTROL",
    "CHECKIN",
    "CHECKOUT",
    "UNCHECKOUT",
    "SEARCH",
    "MKWORKSPACE",
    "UPDATE",
    "LABEL",
    "MERGE",
    "BASELINE-CONTROL",
    "MKACTIVITY",
];

/// The first byte of a code that stands for a field's name. Anything less begins the length of a string.
pub const CODED: u8 = 0xa0;
/// The names of a request's fields by their codes: the first is `A0 01`.
pub const REQUEST_FIELDS: [&str; 14] = [
    "Accept",
    "Accept-Charset",
    "Accept-Encoding",
    "Accept-Language",
    "Authorization",
    "Connection",
    "Content-Type",
    "Content-Length",
    "Cookie",
    "Cookie2",
    "Host",
    "Pragma",
    "Referer",
    "User-Agent",
];
/// The names of a response's fields by their codes, in lower case: the first is `A0 01`.
pub const RESPONSE_FIELDS: [&str; 11] = [
    "content-type",
    "content-language",
    "content-length",
    "date",
    "last-modified",
    "location",
    "set-cookie",
    "set-cookie2",
    "servlet-engine",
    "status",
    "www-authenticate",
];

/// Attribute: not used by any web server.
pub const CONTEXT: u8 = 1;
/// Attribute: not used by any web server.
pub const SERVLET_PATH: u8 = 2;
/// Attribute: as whom the web server authenticated the client.
pub const REMOTE_USER: u8 = 3;
/// Attribute: how it did.
pub const AUTH_TYPE: u8 = 4;
/// Attribute: what stands behind the `?`.
pub const QUERY_STRING: u8 = 5;
/// Attribute: the route of the session, by which a balancer chose this application.
pub const JVM_ROUTE: u8 = 6;
/// Attribute: the client's certificate, in PEM.
pub const SSL_CERT: u8 = 7;
/// Attribute: the cipher of the client's connection.
pub const SSL_CIPHER: u8 = 8;
/// Attribute: the TLS session of the client's connection.
pub const SSL_SESSION: u8 = 9;
/// Attribute: any other one, with a name (a string) and a value (a string).
pub const REQ_ATTRIBUTE: u8 = 10;
/// Attribute: how many bits the key of the cipher has, as a number of two bytes.
pub const SSL_KEY_SIZE: u8 = 11;
/// Attribute: what web server and application both know.
pub const SECRET: u8 = 12;
/// Attribute: a method that has no code.
pub const STORED_METHOD: u8 = 13;
/// What stands behind the last attribute.
pub const ARE_DONE: u8 = 0xff;

/// The name of the attribute with the client's port.
pub const AJP_REMOTE_PORT: &[u8] = b"AJP_REMOTE_PORT";
/// The name of the attribute with the address that the client's connection came in at.
pub const AJP_LOCAL_ADDR: &[u8] = b"AJP_LOCAL_ADDR";
/// The name of the attribute with the version of TLS.
pub const AJP_SSL_PROTOCOL: &[u8] = b"AJP_SSL_PROTOCOL";

/// Writes a packet to a web server that has one byte, or several, of content.
///
/// In goes content of at most 65,535 bytes; what is longer is cut.
pub fn write_packet(content: &[u8], out: &mut Vec<u8>) {
    let length = u16::try_from(content.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&TO_SERVER);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(content.get(..length.into()).unwrap_or(content));
}
