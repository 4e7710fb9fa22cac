//! A shard's calls in one table: reserved places, live calls, and keys that name a call only once.
//! What is done with a call is the worker's business.

use std::net::SocketAddr;

use futures::channel::mpsc::Sender;

use super::frames::FrameLink;
use super::prefetch::prefetch;
use super::tape::Tape;
use super::ticker::{Round, Slot};
use super::{CallKey, CallNotice};
use crate::call::Call;
use crate::transport::{CallIndex, Reserved, SocketIndex};

/// All places of a shard.
pub struct Calls {
    shard: u16,
    places: Vec<Place>,
    free: Vec<CallIndex>,
    taken: usize,
}

struct Place {
    generation: u32,
    /// Here, as it is asked for when the rest of the call is far.
    socket: Option<SocketIndex>,
    state: PlaceState,
}

enum PlaceState {
    Free,
    Reserved(Option<Reserved>),
    Live(Box<LiveCall>),
}

/// How a call's media come and go.
pub enum Wire {
    Udp(Reserved),
    Frames(FrameLink),
}

/// A call and what the shard keeps for it.
pub struct LiveCall {
    pub key: CallKey,
    pub call: Call,
    pub wire: Wire,
    pub slot: Slot,
    /// The round it was ticked in last.
    pub ticked: Round,
    pub tape: Option<Tape>,
    /// The call of this shard it is bridged to.
    pub peer: Option<CallKey>,
    /// The call of this shard whose caller waits for this one to be answered, and hears it meanwhile.
    pub awaited_by: Option<CallKey>,
    /// To the task that holds the call's dialog.
    pub notices: Sender<CallNotice>,
    /// The stream the socket knows the call by.
    pub learned: Option<(SocketAddr, u32)>,
    /// `Call::end` was called; only its last outputs are left.
    pub ended: bool,
}

// === impl LiveCall ===

impl LiveCall {
    /// The socket the call shares, if its media are packets.
    pub fn socket(&self) -> Option<SocketIndex> {
        match &self.wire {
            Wire::Udp(reserved) => Some(reserved.socket),
            Wire::Frames(_) => None,
        }
    }

    /// RTCP goes through the RTP socket.
    pub fn rtcp_mux(&self) -> bool {
        self.call.session().is_some_and(|session| session.rtcp_mux)
    }
}

// === impl Calls ===

impl Calls {
    pub fn new(shard: u16) -> Self {
        Self { shard, places: Vec::new(), free: Vec::new(), taken: 0 }
    }

    /// The index the next reservation gets.
    pub fn next_index(&self) -> CallIndex {
        self.free.last().copied().unwrap_or(self.places.len() as CallIndex)
    }

    /// Takes the place `next_index` named; a call whose media are frames has no socket reserved.
    pub fn reserve(&mut self, reserved: Option<Reserved>) -> CallKey {
        let index = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place { generation: 0, socket: None, state: PlaceState::Free });
            self.places.len() as CallIndex - 1
        });
        let place = &mut self.places[index as usize];
        place.generation = place.generation.wrapping_add(1);
        place.socket = reserved.map(|reserved| reserved.socket);
        place.state = PlaceState::Reserved(reserved);
        self.taken += 1;
        CallKey { shard: self.shard, index, generation: place.generation }
    }

    /// The socket reserved behind `key`, if there is one and no call lives in it yet.
    pub fn reservation(&self, key: CallKey) -> Option<Reserved> {
        match self.place(key)?.state {
            PlaceState::Reserved(reserved) => reserved,
            _ => None,
        }
    }

    pub fn start(&mut self, call: LiveCall) {
        if let Some(place) = self.places.get_mut(call.key.index as usize) {
            place.state = PlaceState::Live(Box::new(call));
        }
    }

    /// Frees the place; the call in it is gone.
    pub fn free(&mut self, key: CallKey) {
        if self.place(key).is_none() {
            return;
        }
        if let Some(place) = self.places.get_mut(key.index as usize) {
            place.state = PlaceState::Free;
            self.free.push(key.index);
            self.taken -= 1;
        }
    }

    pub fn get_mut(&mut self, key: CallKey) -> Option<&mut LiveCall> {
        self.place(key)?;
        self.at_mut(key.index)
    }

    /// The call behind `key`, unless it has ended.
    pub fn going_on(&mut self, key: CallKey) -> Option<&mut LiveCall> {
        self.get_mut(key).filter(|live| !live.ended)
    }

    pub fn at_mut(&mut self, index: CallIndex) -> Option<&mut LiveCall> {
        match &mut self.places.get_mut(index as usize)?.state {
            PlaceState::Live(call) => Some(call),
            _ => None,
        }
    }

    /// The socket a call shares, if its media are packets.
    pub fn socket_of(&self, index: CallIndex) -> Option<SocketIndex> {
        self.places.get(index as usize)?.socket
    }

    /// A call's turn comes soon. What it has in memory takes longer to come than all that is done with it: between two of its
    /// turns so many others have theirs that none of it is still near.
    pub fn fetch_ahead(&self, index: CallIndex) {
        if let Some(Place { state: PlaceState::Live(call), .. }) = self.places.get(index as usize) {
            prefetch(&**call);
        }
    }

    /// Keys of all live calls.
    pub fn keys(&self) -> Vec<CallKey> {
        let live = self.places.iter().filter_map(|place| match &place.state {
            PlaceState::Live(call) => Some(call.key),
            _ => None,
        });
        live.collect()
    }

    /// Places taken, by calls and reservations.
    pub fn taken(&self) -> usize {
        self.taken
    }

    fn place(&self, key: CallKey) -> Option<&Place> {
        self.places
            .get(key.index as usize)
            .filter(|p| p.generation == key.generation && !matches!(p.state, PlaceState::Free))
    }
}
