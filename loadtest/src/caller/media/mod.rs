//! The caller's media: one thread that sends and receives 20 ms of RTP for every call it holds, or a stream's task.
//! Signalling and what to say when are not here; the thread is told by commands and tells by events.

mod ear;
mod leg;
mod mouth;
mod playout;
mod socket;
mod stream;
mod ticker;
mod time;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;

use engine::audio::codec::Codec;
use engine::call::SrtpKeys;
use engine::clock::Moment;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::oneshot;

pub use leg::{LegReport, SendCounts};
pub use stream::{Stream, StreamError};

use crate::voice::Utterance;
use leg::Leg;
use ticker::{Command, LegOrder};

/// Where a leg's packets go and what is in them, as negotiated (RFC 3264).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    pub remote: SocketAddr,
    pub codec: Codec,
    pub payload_type: u8,
    /// Payload type of what comes back.
    pub receive_payload_type: u8,
    /// Payload type of RFC 4733 events, if the other side takes them.
    pub telephone_event: Option<u8>,
}

/// What happened on a leg. Times are of the packets themselves, not of the telling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The first packet of the other side came.
    FirstPacket { at: Moment },
    /// The other side began to speak with the packet received at `at`.
    VoiceStarted { at: Moment },
    /// It fell silent; `last` is when its last voiced packet was received.
    VoiceEnded { last: Moment },
    /// An utterance's first frame was sent.
    SayingStarted { at: Moment },
    /// An utterance's last frame was sent.
    Said { at: Moment },
    /// The last packet of a pressed key was sent.
    Pressed { at: Moment },
}

/// The thread. Ends when it and all its legs' handles are dropped.
pub struct MediaThread {
    commands: mpsc::Sender<Command>,
    next_id: AtomicU64,
}

/// One call's media. Dropping it closes the leg.
pub struct LegHandle {
    local: SocketAddr,
    orders: Box<dyn Fn(LegOrder) + Send + Sync>,
}

// === impl MediaThread ===

impl MediaThread {
    pub fn start() -> io::Result<Self> {
        let (commands, orders) = mpsc::channel();
        thread::Builder::new().name("caller-media".to_owned()).spawn(move || ticker::run(&orders))?;
        Ok(Self { commands, next_id: AtomicU64::new(0) })
    }

    /// Opens a socket at `address`; nothing is sent before [`LegHandle::connect`].
    /// `keep_audio`: remember all that is heard, for the [`LegReport`].
    pub fn open(&self, address: Ipv4Addr, keep_audio: bool) -> io::Result<(LegHandle, UnboundedReceiver<Event>)> {
        let socket = socket::RtpSocket::bind(SocketAddrV4::new(address, 0))?;
        let local = socket.local();
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (events, heard) = unbounded_channel();
        let leg = Box::new(Leg::new(id, socket, events, keep_audio));
        self.commands.send(Command::Open(leg)).map_err(|_| io::Error::other("the media thread has ended"))?;
        let commands = self.commands.clone();
        // A thread that has ended takes no orders; the missing events tell.
        let orders = Box::new(move |order| drop(commands.send(Command::Leg(id, order))));
        Ok((LegHandle { local, orders }, heard))
    }
}

// === impl LegHandle ===

impl LegHandle {
    /// Address and port to offer in SDP.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// Starts sending, or changes where and what is sent, encrypted if there are keys.
    pub fn connect(&self, route: Route, keys: Option<SrtpKeys>) {
        self.order(LegOrder::Connect(route, keys));
    }

    /// Says something, after what is being said already.
    pub fn say(&self, utterance: Utterance) {
        self.order(LegOrder::Say(utterance));
    }

    /// Presses a key (`0`-`9`, `*`, `#`, `A`-`D`) for 160 ms, after what is being said.
    pub fn press(&self, digit: char) {
        self.order(LegOrder::Press(digit));
    }

    /// Sends a datagram that need not be RTP from the leg's address.
    pub fn send_raw(&self, datagram: Vec<u8>) {
        self.order(LegOrder::Raw(datagram));
    }

    /// Stops sending and receiving; `None` if the media thread is gone.
    pub async fn close(self) -> Option<LegReport> {
        let (report, result) = oneshot::channel();
        self.order(LegOrder::Close(Some(report)));
        result.await.ok()
    }

    fn order(&self, order: LegOrder) {
        (self.orders)(order);
    }
}

impl Drop for LegHandle {
    fn drop(&mut self) {
        self.order(LegOrder::Close(None));
    }
}
