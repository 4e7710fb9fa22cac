//! One answered call: say, press, listen, hang up. Every wait has an end and notices when the call is over.
//! What to say when is `conversation`; how it was dialled is `phone`.

use std::time::Duration;

use engine::clock::Moment;
use sip_bridge::sdp::{self, Local};
use sip_bridge::{Dialog, DialogEnd, DialogEvent};
use thiserror::Error;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, timeout_at};

use super::media::{Event, LegHandle, LegReport};
use super::phone::{keys, route};
use crate::voice::Utterance;

/// How much longer than its own length an utterance may take to be sent.
const SAY_SLACK: Duration = Duration::from_secs(5);
/// A BYE nobody answers is not waited for longer than this.
const BYE_LIMIT: Duration = Duration::from_secs(5);

pub struct Caller {
    leg: LegHandle,
    heard: UnboundedReceiver<Event>,
    /// `None`: the call is a stream, and over when that is.
    sip: Option<Sip>,
    setup: Duration,
    /// Set once the dialog is over; nothing is heard after it.
    ended: Option<CallEnded>,
    voice: AgentVoice,
}

/// The call's signalling.
pub(super) struct Sip {
    pub dialog: Dialog,
    pub local: Local,
}

/// What is known of the other side's voice.
#[derive(Debug, Clone, Copy, Default)]
pub struct AgentVoice {
    pub speaking: bool,
    /// Arrival of the first packet of the latest stretch of speech.
    pub started: Option<Moment>,
    /// Arrival of the last voiced packet of the latest finished stretch.
    pub ended: Option<Moment>,
}

/// When an utterance was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Said {
    pub first_frame: Moment,
    pub last_frame: Moment,
}

/// Why a call is over, or cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CallEnded {
    #[error("the other side hung up")]
    HungUp,
    #[error("signalling failed: {0}")]
    Signalling(String),
    #[error("the caller's media thread does not keep up")]
    MediaStalled,
}

// === impl Caller ===

impl Caller {
    pub(super) fn new(leg: LegHandle, heard: UnboundedReceiver<Event>, sip: Option<Sip>, setup: Duration) -> Self {
        Self { leg, heard, sip, setup, ended: None, voice: AgentVoice::default() }
    }

    /// Call-ID (RFC 3261 section 20.8), by which the node's events name the call; empty for a stream.
    pub fn sip_call_id(&self) -> &str {
        self.sip.as_ref().map_or("", |sip| &sip.dialog.info().sip_call_id)
    }

    /// INVITE sent to 200 received, or a stream opened.
    pub fn setup(&self) -> Duration {
        self.setup
    }

    pub fn voice(&self) -> AgentVoice {
        self.voice
    }

    /// Says something to the end.
    pub async fn say(&mut self, utterance: &Utterance) -> Result<Said, CallEnded> {
        self.say_noticing(utterance, |_| {}).await
    }

    /// The same for who wants to know what happens meanwhile.
    pub async fn say_noticing(
        &mut self,
        utterance: &Utterance,
        mut notice: impl FnMut(Event),
    ) -> Result<Said, CallEnded> {
        self.leg.say(utterance.clone());
        let until = Instant::now() + utterance.duration() + SAY_SLACK;
        let mut first = None;
        while let Some(event) = self.next(until).await? {
            notice(event);
            match event {
                Event::SayingStarted { at } => first = Some(at),
                Event::Said { at } => return Ok(Said { first_frame: first.unwrap_or(at), last_frame: at }),
                _ => {}
            }
        }
        Err(CallEnded::MediaStalled)
    }

    /// Presses a key; `false` if the other side did not offer to take keys (RFC 4733).
    pub async fn press(&mut self, digit: char) -> Result<bool, CallEnded> {
        self.leg.press(digit);
        let until = Instant::now() + SAY_SLACK;
        while let Some(event) = self.next(until).await? {
            if let Event::Pressed { .. } = event {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Sends a datagram from the call's own address, whatever is in it: how a broken phone behaves.
    pub fn send_raw(&self, datagram: Vec<u8>) {
        self.leg.send_raw(datagram);
    }

    /// Waits until the other side speaks, and says since when; at once if it already does.
    pub async fn voice_starts(&mut self, within: Duration) -> Result<Option<Moment>, CallEnded> {
        let until = Instant::now() + within;
        while !self.voice.speaking {
            if self.next(until).await?.is_none() {
                return Ok(None);
            }
        }
        Ok(self.voice.started)
    }

    /// Waits until a stretch of speech is over, and says when its last packet came.
    pub async fn voice_stops(&mut self, within: Duration) -> Result<Option<Moment>, CallEnded> {
        let until = Instant::now() + within;
        while self.voice.speaking {
            if self.next(until).await?.is_none() {
                return Ok(None);
            }
        }
        Ok(self.voice.ended)
    }

    /// Waits until the other side has been silent for `quiet`; `None` if it still spoke after `within`.
    pub async fn finishes(&mut self, quiet: Duration, within: Duration) -> Result<Option<Moment>, CallEnded> {
        let until = Instant::now() + within;
        while let Some(ended) = self.voice_stops(until.saturating_duration_since(Instant::now())).await? {
            // A longer pause than between two sentences is the end.
            if self.voice_starts(quiet).await?.is_none() {
                return Ok(Some(ended));
            }
        }
        Ok(None)
    }

    /// Listens for a while.
    pub async fn listen(&mut self, time: Duration) -> Result<(), CallEnded> {
        let until = Instant::now() + time;
        while self.next(until).await?.is_some() {}
        Ok(())
    }

    /// Ends the call if it is still up, and returns what its media counted (`None`: the thread is gone).
    pub async fn hang_up(self) -> Option<LegReport> {
        let report = self.leg.close().await;
        if let Some(sip) = self.sip.filter(|_| self.ended.is_none()) {
            // The call is over for us, whether the other side agrees or not.
            let _ = tokio::time::timeout(BYE_LIMIT, sip.dialog.bye(None)).await;
        }
        report
    }

    /// The next thing that happens on the leg; `None` at `until`.
    pub async fn next(&mut self, until: Instant) -> Result<Option<Event>, CallEnded> {
        loop {
            if let Some(ended) = &self.ended {
                return Err(ended.clone());
            }
            let happened = async {
                tokio::select! {
                    // What was heard before the BYE comes first.
                    biased;
                    event = self.heard.recv() => Happened::Media(event),
                    event = next_of(&mut self.sip) => Happened::Dialog(event),
                }
            };
            match timeout_at(until, happened).await {
                Err(_) => return Ok(None),
                Ok(Happened::Media(Some(event))) => {
                    self.voice.note(event);
                    return Ok(Some(event));
                }
                Ok(Happened::Media(None)) if self.sip.is_none() => self.ended = Some(CallEnded::HungUp),
                Ok(Happened::Media(None)) => return Err(CallEnded::MediaStalled),
                Ok(Happened::Dialog(event)) => self.on_dialog(event).await,
            }
        }
    }

    async fn on_dialog(&mut self, event: Option<DialogEvent>) {
        let Some(sip) = &self.sip else { return };
        match event {
            Some(DialogEvent::Reoffer { offer, reply }) => {
                let answer = match offer {
                    Some(offer) => sdp::answer(&offer, &sip.local),
                    // A late offer in a re-INVITE is not something a caller has to take; 488 by dropping.
                    None => return,
                };
                if let Ok((negotiated, answer)) = answer {
                    self.leg.connect(route(&negotiated), keys(&negotiated));
                    reply.accept(answer).await;
                }
            }
            Some(DialogEvent::Ended { cause: DialogEnd::Failed(reason) }) => {
                self.ended = Some(CallEnded::Signalling(reason));
            }
            Some(DialogEvent::Ended { .. }) | None => self.ended = Some(CallEnded::HungUp),
            Some(DialogEvent::Confirmed { .. } | DialogEvent::Info { .. } | DialogEvent::Refer { .. }) => {}
        }
    }
}

/// What happens in signalling, where there is any.
async fn next_of(sip: &mut Option<Sip>) -> Option<DialogEvent> {
    match sip {
        Some(sip) => sip.dialog.next_event().await,
        None => std::future::pending().await,
    }
}

enum Happened {
    Media(Option<Event>),
    Dialog(Option<DialogEvent>),
}

// === impl AgentVoice ===

impl AgentVoice {
    fn note(&mut self, event: Event) {
        match event {
            Event::VoiceStarted { at } => {
                self.speaking = true;
                self.started = Some(at);
            }
            Event::VoiceEnded { last } => {
                self.speaking = false;
                self.ended = Some(last);
            }
            _ => {}
        }
    }
}
