//! One call's media in its slot: take what came, send the next 20 ms, count both.
//! When the slot comes is the `ticker`'s; what is sent is the `mouth`'s, what is heard the `ear`'s.

use std::time::Duration;

use engine::call::SrtpKeys;
use engine::clock::Moment;
use engine::rtp::is_rtcp;
use engine::rtp::srtp::{MAX_TRAILER_BYTES, ReceiveContext, SendContext};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::UnboundedSender;

use super::ear::Ear;
use super::mouth::{MAX_PACKET_BYTES, Mouth, Spoke};
use super::socket::{Buffer, RtpSocket};
use super::time::KernelClock;
use super::{Event, Route};
use crate::measure::histogram::Durations;
use crate::measure::spacing::SpacingCounts;
use crate::voice::Utterance;

/// A packet later than this is not sent at all: a real phone's would be useless too, and a burst
/// of old packets would test the jitter buffer instead of the call.
pub(super) const TOO_LATE: Duration = Duration::from_millis(100);

pub struct Leg {
    id: u64,
    socket: RtpSocket,
    route: Option<Route>,
    srtp: Option<Box<Srtp>>,
    mouth: Mouth,
    ear: Ear,
    events: UnboundedSender<Event>,
    sending: SendCounts,
}

/// The leg's encryption.
struct Srtp {
    keys: SrtpKeys,
    send: SendContext,
    receive: ReceiveContext,
}

/// How well we kept our own time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SendCounts {
    /// Packets that should have been sent.
    pub nominal: u64,
    pub sent: u64,
    /// How long after its due time each packet was sent.
    pub lateness: Durations,
}

/// What is left of a leg when it is closed.
#[derive(Debug, Clone)]
pub struct LegReport {
    pub sending: SendCounts,
    pub received: SpacingCounts,
    /// Received 20 ms frames with voice in them.
    pub voiced_frames: u64,
    /// Datagrams that are neither RTCP nor RTP of the negotiated payload type.
    pub ignored: u64,
    /// RTCP datagrams received.
    pub rtcp: u64,
    pub first_packet: Option<Moment>,
    /// All that was heard at 8 kHz, placed by RTP timestamp, if it was to be kept.
    pub heard: Vec<i16>,
}

// === impl Leg ===

impl Leg {
    pub fn new(id: u64, socket: RtpSocket, events: UnboundedSender<Event>, keep_audio: bool) -> Self {
        // Origins only have to differ between calls (RFC 3550 section 5.1); the port sees to it.
        let seed = u32::from(socket.local().port());
        Self {
            id,
            route: None,
            srtp: None,
            mouth: Mouth::new(seed),
            ear: Ear::new(keep_audio),
            socket,
            events,
            sending: SendCounts::default(),
        }
    }

    pub fn id(&self) -> u64 {
        self.id
    }

    /// Keys that did not change go on where they were.
    pub fn connect(&mut self, route: Route, keys: Option<SrtpKeys>) {
        self.route = Some(route);
        if self.srtp.as_ref().map(|srtp| &srtp.keys) != keys.as_ref() {
            self.srtp = keys.map(|keys| Box::new(Srtp::new(keys)));
        }
    }

    pub fn say(&mut self, utterance: Utterance) {
        self.mouth.say(utterance);
    }

    pub fn press(&mut self, digit: char) {
        self.mouth.press(digit);
    }

    /// Sends bytes as they are, from the call's own address, at once.
    pub fn send_raw(&self, datagram: &[u8]) {
        if let Some(route) = self.route {
            // Lost like any packet; what matters is that the call goes on.
            let _ = self.socket.send(datagram, route.remote);
        }
    }

    /// `late`: how long ago the slot was due.
    pub fn tick(&mut self, clock: &KernelClock, late: Duration, buffer: &mut Buffer) {
        let Some(route) = self.route else { return };
        self.receive(clock, &route, buffer);
        let events = &self.events;
        self.ear.rest(clock.now(), |event| {
            let _ = events.send(event);
        });
        self.send(clock, &route, late);
    }

    fn receive(&mut self, clock: &KernelClock, route: &Route, buffer: &mut Buffer) {
        // An error is an ICMP message about an earlier send; what was lost shows in the counts.
        while let Ok(Some(datagram)) = self.socket.receive(buffer) {
            let at = datagram.stamp.map_or_else(|| clock.now(), |stamp| clock.at(stamp));
            let Some(packet) = open(self.srtp.as_deref_mut(), datagram.bytes) else {
                self.ear.ignore();
                continue;
            };
            let events = &self.events;
            self.ear.hear(at, packet, route, |event| {
                // Nobody listens any more once the call is being closed.
                let _ = events.send(event);
            });
        }
    }

    fn send(&mut self, clock: &KernelClock, route: &Route, late: Duration) {
        self.sending.nominal += 1;
        let (packet, spoke) = self.mouth.next_packet(route);
        let mut sealed = [0; MAX_PACKET_BYTES + MAX_TRAILER_BYTES];
        let packet = seal(self.srtp.as_deref_mut(), packet, &mut sealed);
        let at = clock.now();
        if late <= TOO_LATE && packet.is_some_and(|packet| self.socket.send(packet, route.remote).is_ok()) {
            self.sending.sent += 1;
            self.sending.lateness.record(late);
        }
        let event = match spoke {
            Spoke::Nothing => return,
            Spoke::First => Event::SayingStarted { at },
            Spoke::Last => Event::Said { at },
            Spoke::Key => Event::Pressed { at },
        };
        let _ = self.events.send(event);
    }

    pub fn into_report(self) -> LegReport {
        self.ear.into_report(self.sending)
    }
}

/// The packet in a datagram; `None` if its keys do not fit.
fn open<'a>(srtp: Option<&'a mut Srtp>, datagram: &'a [u8]) -> Option<&'a [u8]> {
    match srtp {
        None => Some(datagram),
        Some(srtp) if is_rtcp(datagram) => srtp.receive.unprotect_rtcp(datagram).ok(),
        Some(srtp) => srtp.receive.unprotect_rtp(datagram).ok(),
    }
}

/// The datagram for a packet of ours.
fn seal<'a>(srtp: Option<&mut Srtp>, packet: &'a [u8], sealed: &'a mut [u8]) -> Option<&'a [u8]> {
    let Some(srtp) = srtp else { return Some(packet) };
    sealed.get_mut(..packet.len())?.copy_from_slice(packet);
    let bytes = srtp.send.protect_rtp(sealed, packet.len()).ok()?;
    sealed.get(..bytes)
}

// === impl Srtp ===

impl Srtp {
    fn new(keys: SrtpKeys) -> Self {
        let (send, receive) = (SendContext::new(&keys.ours), ReceiveContext::new(&keys.theirs, keys.mki));
        Self { keys, send, receive }
    }
}

// === impl SendCounts ===

impl SendCounts {
    /// Share of the packets due that were sent, 0 to 1.
    pub fn sent_share(&self) -> f64 {
        if self.nominal == 0 { 1.0 } else { self.sent as f64 / self.nominal as f64 }
    }

    pub fn merge(&mut self, other: &Self) {
        self.nominal += other.nominal;
        self.sent += other.sent;
        self.lateness.merge(&other.lateness);
    }
}
