//! How many requests a back end gets at once: a number of places, each of which is taken for as long as anything of a
//! request is left.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use wgi::{Error, ServerError};

/// A number of places.
#[derive(Debug)]
pub struct Room {
    free: Mutex<usize>,
    changed: Condvar,
}

/// One of the places. The last clone that is dropped gives it back.
#[derive(Clone, Debug)]
pub struct Place {
    _taken: Arc<Taken>,
}

#[derive(Debug)]
struct Taken(Arc<Room>);

impl Room {
    /// Room for that many.
    pub fn new(places: usize) -> Arc<Room> {
        Arc::new(Room { free: Mutex::new(places), changed: Condvar::new() })
    }

    /// Takes a place, and waits up to `patience` for one.
    ///
    /// # Errors
    /// [`ServerError::Overloaded`], which is a 503, when there was none.
    pub fn enter(self: &Arc<Room>, patience: Duration) -> Result<Place, Error> {
        let start = Instant::now();
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        while *free == 0 {
            let left = patience.saturating_sub(start.elapsed());
            if left.is_zero() {
                return Err(ServerError::Overloaded("the back end has as many requests as it may have").into());
            }
            free = self.changed.wait_timeout(free, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        *free -= 1;
        Ok(Place { _taken: Arc::new(Taken(self.clone())) })
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_when_its_last_holder_is_gone() {
        let room = Room::new(1);
        let place = room.enter(Duration::ZERO).unwrap();
        let other = place.clone();
        assert_eq!(room.enter(Duration::ZERO).unwrap_err().status(), 503);
        drop(place);
        assert!(room.enter(Duration::ZERO).is_err());
        drop(other);
        assert!(room.enter(Duration::ZERO).is_ok());
    }

    #[test]
    fn who_waits_gets_the_next() {
        let room = Room::new(1);
        let place = room.enter(Duration::ZERO).unwrap();
        let waiting = std::thread::spawn({
            let room = room.clone();
            move || room.enter(Duration::from_secs(60)).is_ok()
        });
        drop(place);
        assert!(waiting.join().unwrap());
    }
}
