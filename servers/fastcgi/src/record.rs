//! FastCGI records: the constants, the 8-byte header, and the fixed bodies (FastCGI specification §3.3, §8).
//!
//! The names are those of the specification's header file without the `FCGI_`. This layer knows no direction: the
//! application side reads and writes with it, and a gateway can too.

/// The value of [`Header::version`] (`FCGI_VERSION_1`).
pub const VERSION_1: u8 = 1;

/// The length of a record's header in bytes (`FCGI_HEADER_LEN`).
pub const HEADER_LEN: usize = 8;

/// The most bytes of content in one record (`FCGI_MAX_LENGTH`).
pub const MAX_LENGTH: usize = 0xffff;

/// The request id of management records (`FCGI_NULL_REQUEST_ID`).
pub const NULL_REQUEST_ID: u16 = 0;

/// Record type: the web server begins a request (`FCGI_BEGIN_REQUEST`).
pub const BEGIN_REQUEST: u8 = 1;
/// Record type: the web server takes a request back (`FCGI_ABORT_REQUEST`).
pub const ABORT_REQUEST: u8 = 2;
/// Record type: the application has ended a request (`FCGI_END_REQUEST`).
pub const END_REQUEST: u8 = 3;
/// Record type: a piece of the stream of name-value pairs (`FCGI_PARAMS`).
pub const PARAMS: u8 = 4;
/// Record type: a piece of the request's body (`FCGI_STDIN`).
pub const STDIN: u8 = 5;
/// Record type: a piece of the response (`FCGI_STDOUT`).
pub const STDOUT: u8 = 6;
/// Record type: a piece of the errors stream (`FCGI_STDERR`).
pub const STDERR: u8 = 7;
/// Record type: a piece of a Filter's file (`FCGI_DATA`).
pub const DATA: u8 = 8;
/// Management record type: the web server asks for variables (`FCGI_GET_VALUES`).
pub const GET_VALUES: u8 = 9;
/// Management record type: the answer to it (`FCGI_GET_VALUES_RESULT`).
pub const GET_VALUES_RESULT: u8 = 10;
/// Management record type: a management record's type was not understood (`FCGI_UNKNOWN_TYPE`).
pub const UNKNOWN_TYPE: u8 = 11;

/// Role: produce a response to an HTTP request (`FCGI_RESPONDER`).
pub const RESPONDER: u16 = 1;
/// Role: decide whether an HTTP request is allowed (`FCGI_AUTHORIZER`).
pub const AUTHORIZER: u16 = 2;
/// Role: a Responder that also gets a file (`FCGI_FILTER`).
pub const FILTER: u16 = 3;

/// Flag of [`BeginRequest`]: the web server keeps the connection (`FCGI_KEEP_CONN`).
pub const KEEP_CONN: u8 = 1;

/// Protocol status: the request has ended as it should (`FCGI_REQUEST_COMPLETE`).
pub const REQUEST_COMPLETE: u8 = 0;
/// Protocol status: the application takes one request at a time on a connection (`FCGI_CANT_MPX_CONN`).
pub const CANT_MPX_CONN: u8 = 1;
/// Protocol status: the application has run out of something (`FCGI_OVERLOADED`).
pub const OVERLOADED: u8 = 2;
/// Protocol status: the application does not serve this role (`FCGI_UNKNOWN_ROLE`).
pub const UNKNOWN_ROLE: u8 = 3;

/// Variable of GET_VALUES: how many connections the application accepts at once.
pub const MAX_CONNS: &[u8] = b"FCGI_MAX_CONNS";
/// Variable of GET_VALUES: how many requests the application accepts at once.
pub const MAX_REQS: &[u8] = b"FCGI_MAX_REQS";
/// Variable of GET_VALUES: `1` when requests may share a connection, `0` when they should not.
pub const MPXS_CONNS: &[u8] = b"FCGI_MPXS_CONNS";

/// The header in front of every record (`FCGI_Header`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The version of the protocol: [`VERSION_1`].
    pub version: u8,
    /// The type of the record: [`BEGIN_REQUEST`] to [`UNKNOWN_TYPE`], or one that is not known.
    pub record_type: u8,
    /// The request it belongs to; [`NULL_REQUEST_ID`] for management records.
    pub request_id: u16,
    /// The number of bytes of content behind the header.
    pub content_length: u16,
    /// The number of bytes behind the content that mean nothing.
    pub padding_length: u8,
}

impl Header {
    /// The header of an unpadded record.
    pub const fn new(record_type: u8, request_id: u16, content_length: u16) -> Header {
        Header { version: VERSION_1, record_type, request_id, content_length, padding_length: 0 }
    }

    /// Reads a header, with whatever version it claims.
    pub const fn parse(bytes: &[u8; HEADER_LEN]) -> Header {
        let [version, record_type, id_high, id_low, length_high, length_low, padding_length, _reserved] = *bytes;
        Header {
            version,
            record_type,
            request_id: u16::from_be_bytes([id_high, id_low]),
            content_length: u16::from_be_bytes([length_high, length_low]),
            padding_length,
        }
    }

    /// The header as it stands on the wire.
    pub const fn to_bytes(self) -> [u8; HEADER_LEN] {
        let [id_high, id_low] = self.request_id.to_be_bytes();
        let [length_high, length_low] = self.content_length.to_be_bytes();
        [self.version, self.record_type, id_high, id_low, length_high, length_low, self.padding_length, 0]
    }
}

/// The content of a BEGIN_REQUEST record (`FCGI_BeginRequestBody`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BeginRequest {
    /// What the application is asked to be: [`RESPONDER`], [`AUTHORIZER`], [`FILTER`], or what is not known.
    pub role: u16,
    /// [`KEEP_CONN`], or 0 when the application is to close the connection behind its response.
    pub flags: u8,
}

impl BeginRequest {
    /// The length of the content in bytes.
    pub const LEN: usize = 8;

    /// Reads the content.
    pub const fn parse(bytes: &[u8; BeginRequest::LEN]) -> BeginRequest {
        BeginRequest { role: u16::from_be_bytes([bytes[0], bytes[1]]), flags: bytes[2] }
    }

    /// Writes the whole record.
    pub fn write(self, request_id: u16, out: &mut Vec<u8>) {
        let [role_high, role_low] = self.role.to_be_bytes();
        write_record(BEGIN_REQUEST, request_id, &[role_high, role_low, self.flags, 0, 0, 0, 0, 0], out);
    }
}

/// The content of an END_REQUEST record (`FCGI_EndRequestBody`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndRequest {
    /// What a CGI program would have given to `exit`.
    pub app_status: u32,
    /// [`REQUEST_COMPLETE`], [`CANT_MPX_CONN`], [`OVERLOADED`] or [`UNKNOWN_ROLE`].
    pub protocol_status: u8,
}

impl EndRequest {
    /// The length of the content in bytes.
    pub const LEN: usize = 8;

    /// Reads the content.
    pub const fn parse(bytes: &[u8; EndRequest::LEN]) -> EndRequest {
        let app_status = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        EndRequest { app_status, protocol_status: bytes[4] }
    }

    /// Writes the whole record.
    pub fn write(self, request_id: u16, out: &mut Vec<u8>) {
        let [a, b, c, d] = self.app_status.to_be_bytes();
        write_record(END_REQUEST, request_id, &[a, b, c, d, self.protocol_status, 0, 0, 0], out);
    }
}

/// Writes an UNKNOWN_TYPE record: a management record of type `record_type` was not understood (§4.2).
pub fn write_unknown_type(record_type: u8, out: &mut Vec<u8>) {
    write_record(UNKNOWN_TYPE, NULL_REQUEST_ID, &[record_type, 0, 0, 0, 0, 0, 0, 0], out);
}

/// Writes bytes of a stream, in as many records as it takes. No bytes give no record: an empty one ends a stream.
pub fn write_stream(record_type: u8, request_id: u16, bytes: &[u8], out: &mut Vec<u8>) {
    for piece in bytes.chunks(MAX_LENGTH) {
        write_record(record_type, request_id, piece, out);
    }
}

/// Writes the empty record that ends a stream (§3.3).
pub fn write_stream_end(record_type: u8, request_id: u16, out: &mut Vec<u8>) {
    write_record(record_type, request_id, &[], out);
}

/// Writes one record; of content over [`MAX_LENGTH`], which callers do not have, that much.
pub(crate) fn write_record(record_type: u8, request_id: u16, content: &[u8], out: &mut Vec<u8>) {
    let length = u16::try_from(content.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&Header::new(record_type, request_id, length).to_bytes());
    out.extend_from_slice(&content[..length.into()]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_survives_both_ways() {
        let bytes = [1, 4, 0x12, 0x34, 0xff, 0xfe, 7, 0];
        let header = Header::parse(&bytes);
        let expected = Header {
            version: VERSION_1,
            record_type: PARAMS,
            request_id: 0x1234,
            content_length: 0xfffe,
            padding_length: 7,
        };
        assert_eq!(header, expected);
        assert_eq!(header.to_bytes(), bytes);
    }

    #[test]
    fn bodies_survive_both_ways() {
        let mut out = Vec::new();
        BeginRequest { role: AUTHORIZER, flags: KEEP_CONN }.write(1, &mut out);
        EndRequest { app_status: 0x0102_0304, protocol_status: OVERLOADED }.write(2, &mut out);
        assert_eq!(
            out,
            [1, 1, 0, 1, 0, 8, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 1, 3, 0, 2, 0, 8, 0, 0, 1, 2, 3, 4, 2, 0, 0, 0]
        );
        let begin = BeginRequest::parse(out[8..16].try_into().unwrap());
        assert_eq!(begin, BeginRequest { role: AUTHORIZER, flags: KEEP_CONN });
        let end = EndRequest::parse(out[24..].try_into().unwrap());
        assert_eq!(end, EndRequest { app_status: 0x0102_0304, protocol_status: OVERLOADED });
    }

    #[test]
    fn a_stream_over_a_record_is_split_and_none_is_no_record() {
        let mut out = Vec::new();
        write_stream(STDOUT, 1, &vec![b'x'; MAX_LENGTH + 1], &mut out);
        assert_eq!(out.len(), 2 * HEADER_LEN + MAX_LENGTH + 1);
        assert_eq!(out[..8], [1, STDOUT, 0, 1, 0xff, 0xff, 0, 0]);
        assert_eq!(out[HEADER_LEN + MAX_LENGTH..], [1, STDOUT, 0, 1, 0, 1, 0, 0, b'x']);
        out.clear();
        write_stream(STDERR, 1, &[], &mut out);
        assert!(out.is_empty());
    }
}
