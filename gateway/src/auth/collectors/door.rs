//! Streams that have proved nothing yet: few at once, and few of each address.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use super::Refused;

/// Streams at once of which it is not known whose they are. Each waits for a hello and an answer, some
/// milliseconds, so that as many collectors can come back in a second as a gateway keeps.
pub const MAX_UNPROVED: usize = 1024;

/// The same of one address. A pod has one, but nodes may put theirs before those of all their pods.
pub const MAX_UNPROVED_OF_PEER: usize = 128;

/// Counts them.
#[derive(Debug, Default)]
pub(super) struct Door(Mutex<Inside>);

#[derive(Debug, Default)]
struct Inside {
    all: usize,
    /// By address, at most [`MAX_UNPROVED`] of them.
    peers: HashMap<IpAddr, usize>,
}

/// One of them. Dropping it makes room for another.
#[derive(Debug)]
pub struct Entry {
    door: Arc<Door>,
    peer: IpAddr,
}

impl Door {
    pub(super) fn enter(door: &Arc<Self>, peer: IpAddr) -> Result<Entry, Refused> {
        let mut inside = door.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = inside.peers.get(&peer).copied().unwrap_or_default();
        if inside.all >= MAX_UNPROVED || own >= MAX_UNPROVED_OF_PEER {
            return Err(Refused::too_many(format!(
                "too many collectors come at once ({own} from this address, {} in all): try again",
                inside.all
            )));
        }
        inside.all += 1;
        inside.peers.insert(peer, own + 1);
        Ok(Entry { door: Arc::clone(door), peer })
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut inside = self.door.0.lock().unwrap_or_else(PoisonError::into_inner);
        inside.all = inside.all.saturating_sub(1);
        if let Some(own) = inside.peers.get_mut(&self.peer) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                inside.peers.remove(&self.peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_leaves_room_for_others_and_all_of_them_have_an_end() {
        let door = Arc::new(Door::default());
        let address = |last: u8| IpAddr::from([10, 0, 0, last]);
        let mut inside: Vec<_> =
            (0..MAX_UNPROVED_OF_PEER).map(|_| Door::enter(&door, address(1)).unwrap()).collect();
        assert!(Door::enter(&door, address(1)).is_err());
        for other in 2..=8 {
            inside.extend(
                (0..MAX_UNPROVED_OF_PEER).map(|_| Door::enter(&door, address(other)).unwrap()),
            );
        }
        assert_eq!(inside.len(), MAX_UNPROVED);
        assert!(Door::enter(&door, address(9)).is_err());
        inside.remove(0);
        drop(Door::enter(&door, address(9)).unwrap());
        inside.clear();
        assert!(door.0.lock().unwrap().peers.is_empty());
    }
}
