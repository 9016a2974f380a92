//! What came in on a connection and was not decoded yet.

use std::mem;
use std::ops::Range;

/// How much is read at once, in bytes.
pub(crate) const READ: usize = 64 * 1024;

/// Bytes that came in and were not decoded yet, in one piece.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    buffer: Vec<u8>,
    at: usize,
}

impl Inbox {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer[self.at..]
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.at == self.buffer.len()
    }

    pub(crate) fn consume(&mut self, length: usize) {
        self.at = (self.at + length).min(self.buffer.len());
        if self.is_empty() {
            self.clear();
        }
    }

    pub(crate) fn clear(&mut self) {
        self.buffer.clear();
        self.at = 0;
    }

    /// Adds a range of what there is to a buffer: copied, or where it is all there is and fills a good part of its room,
    /// by changing this buffer for that empty one. It is still to be consumed.
    pub(crate) fn move_to(&mut self, data: Range<usize>, to: &mut Vec<u8>) {
        let is_all = self.at == 0 && data == (0..self.buffer.len());
        if is_all && to.is_empty() && data.len() >= self.buffer.capacity() / 4 {
            mem::swap(&mut self.buffer, to);
        } else {
            to.extend_from_slice(self.bytes().get(data).unwrap_or_default());
        }
    }

    /// The buffer to read into, with spare capacity behind what is there.
    pub(crate) fn room(&mut self) -> &mut Vec<u8> {
        if self.at > 0 {
            self.buffer.drain(..self.at);
            self.at = 0;
        }
        // Filled by what cannot be decoded yet: the codec's limits end that. Or empty, and a small one that an application
        // has read: each that comes round again would cost a call for its few bytes.
        if self.buffer.len() == self.buffer.capacity() || self.buffer.is_empty() {
            self.buffer.reserve(READ);
        }
        &mut self.buffer
    }

    /// Takes a worker's buffer to read into, unless bytes are waiting in one of its own.
    pub(crate) fn borrow(&mut self, spare: &mut Vec<u8>) {
        if self.buffer.capacity() < spare.capacity() {
            spare.clear();
            spare.extend_from_slice(self.bytes());
            self.buffer = mem::take(spare);
            self.at = 0;
        }
    }

    /// Gives the worker's buffer back, and keeps what is waiting in one of its own, no larger than it has to be.
    pub(crate) fn give_back(&mut self, spare: &mut Vec<u8>) {
        if spare.capacity() >= self.buffer.capacity() {
            return;
        }
        let rest = self.bytes().to_vec();
        *spare = mem::replace(&mut self.buffer, rest);
        spare.clear();
        self.at = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The room that a read has.
    fn space(inbox: &mut Inbox) -> usize {
        let room = inbox.room();
        room.capacity() - room.len()
    }

    #[test]
    fn a_small_buffer_that_comes_back_is_not_read_into_as_it_is() {
        let mut inbox = Inbox::default();
        let mut body = Vec::with_capacity(8);
        inbox.room().resize(READ, b'x');
        inbox.move_to(0..READ, &mut body);
        inbox.consume(READ);
        assert_eq!(body.len(), READ);
        assert!(inbox.is_empty() && space(&mut inbox) >= READ);
    }

    #[test]
    fn what_waits_has_room_behind_it() {
        let mut inbox = Inbox::default();
        inbox.room().extend_from_slice(b"waits");
        inbox.give_back(&mut Vec::new());
        assert!(space(&mut inbox) >= READ);
        assert_eq!(inbox.bytes(), b"waits");
    }
}
