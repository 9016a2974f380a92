//! The connections of a reactor, each in its slot, and the queue of those that have something to do.

use std::collections::VecDeque;
use std::mem;
use std::time::Instant;

use crate::connection::Connection;
use crate::turn::Ready;

/// Names a connection's slot, and which of the connections it has had: an event that comes late, for a connection that
/// is over, is not taken for the next one's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    index: u32,
    life: u32,
}

/// All slots, and the queue.
#[derive(Default)]
pub(crate) struct Slots {
    slots: Vec<Slot>,
    vacant: Vec<u32>,
    queue: VecDeque<u32>,
    open: usize,
}

struct Slot {
    life: u32,
    place: Place,
    /// What is to be done with the connection; noted while it is away.
    ready: Ready,
    deadline: Option<Instant>,
}

enum Place {
    Vacant,
    Here(Box<Connection>),
    Queued(Box<Connection>),
    /// It has its turn.
    Away,
}

impl Slots {
    /// How many connections there are.
    pub(crate) fn open(&self) -> usize {
        self.open
    }

    /// How many of them are queued.
    pub(crate) fn queued(&self) -> usize {
        self.queue.len()
    }

    pub(crate) fn insert(&mut self, connection: Box<Connection>, deadline: Instant) -> Token {
        let index = self.vacant.pop().unwrap_or_else(|| {
            self.slots.push(Slot { life: 0, place: Place::Vacant, ready: Ready::empty(), deadline: None });
            (self.slots.len() - 1) as u32
        });
        let slot = &mut self.slots[index as usize];
        slot.deadline = Some(deadline);
        slot.place = Place::Here(connection);
        self.open += 1;
        Token { index, life: slot.life }
    }

    /// Notes what is to be done with a connection, and queues it if it is here.
    pub(crate) fn note(&mut self, token: Token, ready: Ready) {
        let Some(slot) = self.slots.get_mut(token.index as usize).filter(|slot| slot.life == token.life) else {
            return;
        };
        slot.ready |= ready;
        if slot.ready.is_empty() {
            return;
        }
        match mem::replace(&mut slot.place, Place::Vacant) {
            Place::Here(connection) => {
                slot.place = Place::Queued(connection);
                self.queue.push_back(token.index);
            }
            other => slot.place = other,
        }
    }

    /// Takes the next of the queue out of its slot, with what is to be done.
    pub(crate) fn take_next(&mut self) -> Option<(Token, Box<Connection>, Ready)> {
        loop {
            let index = self.queue.pop_front()?;
            let slot = &mut self.slots[index as usize];
            match mem::replace(&mut slot.place, Place::Away) {
                Place::Queued(connection) => {
                    return Some((Token { index, life: slot.life }, connection, mem::take(&mut slot.ready)));
                }
                other => slot.place = other,
            }
        }
    }

    /// Puts a connection back that was taken; it is queued again if something was noted, or is now.
    pub(crate) fn put_back(
        &mut self,
        token: Token,
        connection: Box<Connection>,
        deadline: Option<Instant>,
        ready: Ready,
    ) {
        if let Some(slot) = self.slots.get_mut(token.index as usize) {
            slot.deadline = deadline;
            slot.place = Place::Here(connection);
        }
        self.note(token, ready);
    }

    /// Empties the slot of a connection that is over.
    pub(crate) fn remove(&mut self, token: Token) {
        let Some(slot) = self.slots.get_mut(token.index as usize).filter(|slot| slot.life == token.life) else {
            return;
        };
        *slot = Slot { life: slot.life.wrapping_add(1), place: Place::Vacant, ready: Ready::empty(), deadline: None };
        self.vacant.push(token.index);
        self.open -= 1;
    }

    /// Queues the connections whose time is up, or all of them.
    pub(crate) fn sweep(&mut self, now: Instant, all: bool) {
        for index in 0..self.slots.len() {
            let slot = &self.slots[index];
            let Place::Here(_) = slot.place else { continue };
            let token = Token { index: index as u32, life: slot.life };
            if slot.deadline.is_some_and(|deadline| deadline <= now) {
                self.note(token, Ready::EXPIRED);
            } else if all {
                self.note(token, Ready::OTHER);
            }
        }
    }
}

impl From<Token> for u64 {
    fn from(token: Token) -> u64 {
        u64::from(token.index) << 32 | u64::from(token.life)
    }
}

impl From<u64> for Token {
    fn from(data: u64) -> Token {
        Token { index: (data >> 32) as u32, life: data as u32 }
    }
}
