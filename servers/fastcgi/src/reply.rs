//! The head of a reply: in the form of CGI, in a record that the first of its payload can join.

use wgi::Head;
use wgi::server::Framing;
use wgi_engine::Id;

use crate::record::{HEADER_LEN, Header, STDOUT, write_stream};

/// The record of a head that was just written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeadRecord {
    header: Header,
    /// Where it stands in the output, in bytes from its start.
    start: usize,
}

impl HeadRecord {
    /// Lets payload of this length into the record. Says whether that could be done: only if it is for the same request,
    /// there is room, and the record still stands at the end of the output.
    pub(crate) fn take_in(self, id: Id, length: usize, out: &mut [u8]) -> bool {
        let HeadRecord { header, start } = self;
        let end = start + HEADER_LEN + usize::from(header.content_length);
        let joined = usize::from(header.content_length).saturating_add(length);
        if header.request_id == id
            && out.len() == end
            && let Ok(content_length) = u16::try_from(joined)
            && let Some(place) = out.get_mut(start..start + HEADER_LEN)
            && *place == header.to_bytes()
        {
            place.copy_from_slice(&Header { content_length, ..header }.to_bytes());
            return true;
        }
        false
    }
}

/// Writes a head in the form of CGI (RFC 3875 §6) into a STDOUT record, or into more where it is longer than one: then
/// nothing can join it.
pub(crate) fn write_head(id: Id, head: &Head, framing: Framing, out: &mut Vec<u8>) -> Option<HeadRecord> {
    let start = out.len();
    // Room for the record's header.
    out.extend_from_slice(&[0; HEADER_LEN]);
    wgi_engine::write_head("Status: ", head, framing, out);
    if let Ok(length) = u16::try_from(out.len() - start - HEADER_LEN) {
        let header = Header::new(STDOUT, id, length);
        if let Some(place) = out.get_mut(start..start + HEADER_LEN) {
            place.copy_from_slice(&header.to_bytes());
        }
        return Some(HeadRecord { header, start });
    }
    let text = out.split_off(start + HEADER_LEN);
    out.truncate(start);
    write_stream(STDOUT, id, &text, out);
    None
}
