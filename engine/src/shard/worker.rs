//! A shard's thread: what it owns, its round, and how a call's wishes and facts leave it.
//! What a round consists of is in `commands` (from others), `sockets` (packets in), `ticks` (packets out) and `bridges`.

mod bridges;
mod commands;
mod sockets;
mod ticks;

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use edge_protocol::SpeechStage;
use mio::{Events, Poll, Token};
use tokio::sync::mpsc::Receiver;

use super::bell::Bell;
use super::calls::{Calls, LiveCall};
use super::priority;
use super::stats::ShardStats;
use super::ticker::{Pace, Ticker};
use super::{CallNotice, ShardCommand, ShardConfig};
use crate::call::{SpeechCommand, SpeechEvent, Wish};
use crate::clock::Moment;
use crate::transport::{CallIndex, ChannelKind, Inbound, MediaSockets, SendBatch, SocketIndex};

/// Below every socket's token.
const WAKER: Token = Token(usize::MAX);

pub(super) struct Worker {
    config: ShardConfig,
    commands: Receiver<ShardCommand>,
    stats: Arc<ShardStats>,
    poll: Poll,
    bell: Arc<Bell>,
    sockets: MediaSockets,
    /// Sockets that may hold more datagrams.
    readable: Vec<(SocketIndex, ChannelKind)>,
    calls: Calls,
    ticker: Ticker,
    inbound: Inbound,
    batch: SendBatch,
    /// Calls due in the round at hand.
    due: Vec<CallIndex>,
}

// === impl Worker ===

impl Worker {
    pub(super) fn new(
        config: ShardConfig,
        commands: Receiver<ShardCommand>,
        stats: Arc<ShardStats>,
    ) -> io::Result<(Self, Arc<Bell>)> {
        let poll = Poll::new()?;
        let bell = Arc::new(Bell::new(poll.registry(), WAKER)?);
        let worker = Self {
            sockets: MediaSockets::new(config.ip, config.ports.clone()),
            calls: Calls::new(config.shard),
            ticker: Ticker::new(config.clock.now()),
            commands,
            stats,
            poll,
            bell: bell.clone(),
            readable: Vec::new(),
            inbound: Inbound::default(),
            batch: SendBatch::default(),
            due: Vec::new(),
            config,
        };
        Ok((worker, bell))
    }

    pub(super) fn shard(&self) -> u16 {
        self.config.shard
    }

    pub(super) fn run(mut self) {
        let priority = priority::raise();
        tracing::debug!(shard = self.config.shard, ?priority, "media thread started");
        let mut events = Events::with_capacity(256);
        loop {
            if !self.take_commands() {
                return;
            }
            self.note_readable(&mut events);
            self.read_sockets();
            self.tick_due();
        }
    }

    /// Hands on what the call wants done. What cannot be taken now stays with the call until the next tick.
    fn pump(&mut self, index: CallIndex, now: Moment) {
        let Some(live) = self.calls.at_mut(index) else { return };
        while let Some(wish) = live.call.pop_wish() {
            match wish {
                Wish::Speech(command) => ask_speech(&self.config, live, command, now),
                Wish::Said => {
                    let _ = live.notices.try_send(CallNotice::Said);
                }
                Wish::Transfer(wish) => {
                    let _ = live.notices.try_send(CallNotice::Transfer(Box::new(wish)));
                }
                Wish::Press(key) => {
                    let _ = live.notices.try_send(CallNotice::Press(key));
                }
                Wish::HangUp(cause) => {
                    // The dialog's task is gone only once the call is ended.
                    let _ = live.notices.try_send(CallNotice::HangUp(cause));
                }
            }
        }
        while live.call.has_fact() {
            let Ok(permit) = self.config.events.try_reserve() else { return };
            if let Some(fact) = live.call.pop_fact() {
                permit.send(fact);
            }
        }
        if live.ended {
            return self.bury(index);
        }
        let pace = if live.call.rests() { Pace::Second } else { Pace::Frame };
        if live.slot.pace != pace {
            self.ticker.remove(index, live.slot);
            live.slot = self.ticker.place(index, pace);
        }
    }

    /// The call is over and has said all it had to say.
    fn bury(&mut self, index: CallIndex) {
        let Some(live) = self.calls.at_mut(index) else { return };
        if let Some(mut tape) = live.tape.take() {
            tape.finish(&mut self.config.tap);
        }
        let (key, socket, slot) = (live.key, live.socket(), live.slot);
        let gone = CallNotice::Gone { next_seq: live.call.next_seq() };
        let _ = live.notices.try_send(gone);
        if let Some(socket) = socket {
            self.sockets.release(socket, index, self.config.clock.now());
        }
        self.ticker.remove(index, slot);
        self.calls.free(key);
        self.stats.calls.store(self.calls.taken(), Relaxed);
    }
}

/// Passes a wish on to speech; a crowd there is a failure the call can answer, not a wait.
fn ask_speech(config: &ShardConfig, live: &mut LiveCall, command: SpeechCommand, now: Moment) {
    let Err(refused) = config.speech.try_send((live.key, command)) else { return };
    let error = "too many requests to speech are waiting".to_owned();
    let (hearing, utterance, stage) = match refused.into_inner().1 {
        SpeechCommand::Transcribe { hearing, .. } => (Some(hearing), None, SpeechStage::Transcription),
        SpeechCommand::Respond { utterance, .. } => (None, Some(utterance), SpeechStage::Chat),
        SpeechCommand::Say { utterance, .. } => (None, Some(utterance), SpeechStage::Synthesis),
        SpeechCommand::RunTool { run, .. } => {
            let outcome = Err(error);
            return live.call.handle_speech(now, SpeechEvent::ToolFinished { run, outcome });
        }
        SpeechCommand::WarmUp { .. }
        | SpeechCommand::Prepare { .. }
        | SpeechCommand::FindTools { .. }
        | SpeechCommand::Heard { .. }
        | SpeechCommand::Cancel
        | SpeechCommand::Over => return,
    };
    live.call.handle_speech(now, SpeechEvent::Failed { hearing, utterance, stage, error });
}
