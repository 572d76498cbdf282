//! Counts what is there at once, in all and of each address, so that one address leaves room for
//! others.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

/// Those who are inside.
#[derive(Debug)]
pub struct Crowd {
    most: usize,
    most_of_peer: usize,
    inside: Mutex<Inside>,
}

#[derive(Debug, Default)]
struct Inside {
    all: usize,
    /// By address, at most [`Crowd::most`] of them.
    peers: HashMap<IpAddr, usize>,
}

/// One of them. Dropping it makes room for another.
#[derive(Debug)]
pub struct Place {
    crowd: Arc<Crowd>,
    peer: IpAddr,
}

/// There is no room for one more of this address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full {
    /// How many are of this address.
    pub of_peer: usize,
    /// How many there are.
    pub all: usize,
}

impl Crowd {
    /// Takes so many, and so many of each address.
    pub fn new(most: usize, most_of_peer: usize) -> Arc<Self> {
        Arc::new(Self { most, most_of_peer, inside: Mutex::default() })
    }

    /// One more of an address.
    ///
    /// # Errors
    ///
    /// When there is no room.
    pub fn enter(self: &Arc<Self>, peer: IpAddr) -> Result<Place, Full> {
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        let of_peer = inside.peers.get(&peer).copied().unwrap_or_default();
        if inside.all >= self.most || of_peer >= self.most_of_peer {
            return Err(Full { of_peer, all: inside.all });
        }
        inside.all += 1;
        inside.peers.insert(peer, of_peer + 1);
        Ok(Place { crowd: Arc::clone(self), peer })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inside = self.crowd.inside.lock().unwrap_or_else(PoisonError::into_inner);
        inside.all = inside.all.saturating_sub(1);
        if let Some(of_peer) = inside.peers.get_mut(&self.peer) {
            *of_peer = of_peer.saturating_sub(1);
            if *of_peer == 0 {
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
        let crowd = Crowd::new(4, 2);
        let enter = |last: u8| crowd.enter(IpAddr::from([10, 0, 0, last]));
        let mut inside = vec![enter(1).unwrap(), enter(1).unwrap()];
        assert_eq!(enter(1).unwrap_err(), Full { of_peer: 2, all: 2 });
        inside.extend([enter(2).unwrap(), enter(3).unwrap()]);
        assert_eq!(enter(4).unwrap_err(), Full { of_peer: 0, all: 4 });
        inside.remove(0);
        drop(enter(4).unwrap());
        drop(enter(1).unwrap());
        inside.clear();
        assert!(crowd.inside.lock().unwrap().peers.is_empty());
    }
}
