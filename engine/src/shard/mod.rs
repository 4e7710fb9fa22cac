//! Shards: threads that own sockets and calls and share nothing, and the handles others reach them by.
//! Everything slow lives on tokio and talks to a shard through bounded channels.

mod bell;
mod calls;
mod frames;
mod prefetch;
mod priority;
mod stats;
mod tape;
mod ticker;
mod worker;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::thread::JoinHandle;

use edge_protocol::{CallEvent, EndCause};
use futures::channel::mpsc::Sender;
use thiserror::Error;
use tokio::sync::mpsc;
use tokio::sync::oneshot;

pub use frames::{FramePort, FromCaller, ToCaller};
pub use stats::{LATENESS_BOUNDS_US, ShardStats};

use bell::Bell;
use frames::FrameLink;

use crate::audio::dtmf::Digit;
use crate::call::{
    CallCommand, CallSetup, KeysError, MediaSession, SpeechCommand, SpeechEvent, TransferWish, WhenLeft,
};
use crate::clock::Clock;
use crate::recorder::{RecordingId, ShardTap};
use crate::transport::SocketError;

/// Commands that may wait for a shard; a shard takes them every millisecond.
const COMMANDS_WAITING: usize = 8192;

/// Notices that may wait for the task that holds the call: with all keys that may wait, and then some.
pub const NOTICES: usize = 80;

/// Names one call of one shard, once: a later call in the same place has another generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CallKey {
    pub shard: u16,
    index: u32,
    generation: u32,
}

/// What a call's signalling is told by its shard. `Said` comes at most once for each order to say something, `Press` for each
/// key, `Transfer` once an answer, the others at most once, and one task both orders and reads: a channel of [`NOTICES`] never
/// fills. One of `futures`, which takes no memory for what does not wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallNotice {
    /// The call wants its dialog ended.
    HangUp(EndCause),
    /// The agent wants the caller put through.
    Transfer(Box<TransferWish>),
    /// What the agent was ordered to say is over.
    Said,
    /// A key is to be pressed through the signalling.
    Press(char),
    /// The call is gone from the shard. Its next event takes this number.
    Gone { next_seq: u64 },
}

/// A place for a call, found before the SDP is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reservation {
    pub key: CallKey,
    /// Local RTP port.
    pub port: u16,
}

/// One end of a bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BridgeEnd {
    pub key: CallKey,
    /// What becomes of it when the other end is gone.
    pub when_left: WhenLeft,
}

/// What a shard needs to run.
pub struct ShardConfig {
    pub shard: u16,
    pub ip: IpAddr,
    /// RTP ports of this shard alone.
    pub ports: RangeInclusive<u16>,
    pub clock: Clock,
    pub tap: ShardTap,
    /// Where facts go.
    pub events: mpsc::Sender<CallEvent>,
    /// Where wishes to speech go.
    pub speech: mpsc::Sender<(CallKey, SpeechCommand)>,
}

/// The way to a running shard. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ShardHandle {
    commands: mpsc::Sender<ShardCommand>,
    bell: Arc<Bell>,
    stats: Arc<ShardStats>,
}

/// Why a shard could not do what was asked.
#[derive(Debug, Error)]
pub enum ShardError {
    #[error("the media shard is gone")]
    Gone,
    #[error(transparent)]
    Socket(#[from] SocketError),
    #[error(transparent)]
    Keys(#[from] KeysError),
    #[error("cannot start a media shard: {0}")]
    Start(#[from] io::Error),
}

/// What others ask of a shard.
enum ShardCommand {
    Reserve {
        rtp: Option<SocketAddr>,
        rtcp: Option<SocketAddr>,
        reply: oneshot::Sender<Result<Reservation, SocketError>>,
    },
    Start {
        key: CallKey,
        setup: Box<CallSetup>,
        recording: Option<RecordingId>,
        notices: Sender<CallNotice>,
    },
    /// Brings a call to life whose media are frames.
    StartFrames {
        setup: Box<CallSetup>,
        link: FrameLink,
        recording: Option<RecordingId>,
        notices: Sender<CallNotice>,
        reply: oneshot::Sender<CallKey>,
    },
    /// Gives a reservation back that no call came to use.
    Release {
        key: CallKey,
    },
    Change {
        key: CallKey,
        session: Box<MediaSession>,
    },
    Speech {
        key: CallKey,
        event: SpeechEvent,
    },
    /// The caller pressed a key, as the signalling tells.
    KeyPressed {
        key: CallKey,
        digit: Digit,
    },
    /// The agent is to press keys.
    SendKeys {
        key: CallKey,
        keys: String,
        reply: oneshot::Sender<Result<(), KeysError>>,
    },
    /// Tells a call something.
    Tell {
        key: CallKey,
        command: CallCommand,
    },
    /// Lets two calls of this shard hear each other; false if one of them is gone.
    Bridge {
        ends: [BridgeEnd; 2],
        reply: oneshot::Sender<bool>,
    },
    /// Parts a call from the one it is bridged to.
    Unbridge {
        key: CallKey,
    },
    /// The caller of one call hears what another one's other side sends, until that is answered; `None`: no more.
    Await {
        awaited: CallKey,
        by: Option<CallKey>,
    },
    End {
        key: CallKey,
        cause: EndCause,
    },
    Stop,
}

// === impl ShardHandle ===

impl ShardHandle {
    /// Starts a shard's thread.
    ///
    /// # Errors
    /// [`ShardError::Start`] if the thread or its poll cannot be made.
    pub fn spawn(config: ShardConfig) -> Result<(Self, JoinHandle<()>), ShardError> {
        let (commands, waiting) = mpsc::channel(COMMANDS_WAITING);
        let stats = Arc::new(ShardStats::default());
        let (worker, bell) = worker::Worker::new(config, waiting, stats.clone())?;
        let name = format!("shard-{}", worker.shard());
        let thread = std::thread::Builder::new().name(name).spawn(move || worker.run())?;
        Ok((Self { commands, bell, stats }, thread))
    }

    /// Finds a socket for a call whose SDP names `rtp` (and `rtcp`, if that is not multiplexed).
    ///
    /// # Errors
    /// [`ShardError`] if no port is left or the shard is gone.
    pub async fn reserve(&self, rtp: Option<SocketAddr>, rtcp: Option<SocketAddr>) -> Result<Reservation, ShardError> {
        let (reply, answer) = oneshot::channel();
        self.send(ShardCommand::Reserve { rtp, rtcp, reply }).await?;
        Ok(answer.await.map_err(|_| ShardError::Gone)??)
    }

    /// Brings a call to life in its reserved place.
    ///
    /// # Errors
    /// [`ShardError::Gone`] if the shard is gone.
    pub async fn start(
        &self,
        key: CallKey,
        setup: CallSetup,
        recording: Option<RecordingId>,
        notices: Sender<CallNotice>,
    ) -> Result<(), ShardError> {
        self.send(ShardCommand::Start { key, setup: Box::new(setup), recording, notices }).await
    }

    /// Brings a call to life whose media are frames ([`crate::call::MediaSetup::Frames`]): it needs no port.
    ///
    /// # Errors
    /// [`ShardError::Gone`] if the shard is gone.
    pub async fn start_frames(
        &self,
        setup: CallSetup,
        recording: Option<RecordingId>,
        notices: Sender<CallNotice>,
    ) -> Result<(CallKey, FramePort), ShardError> {
        let (link, port) = frames::frame_link();
        let (reply, answer) = oneshot::channel();
        self.send(ShardCommand::StartFrames { setup: Box::new(setup), link, recording, notices, reply }).await?;
        Ok((answer.await.map_err(|_| ShardError::Gone)?, port))
    }

    /// Gives back a reservation that is not needed.
    pub async fn release(&self, key: CallKey) {
        // A shard that is gone holds no reservations.
        let _ = self.send(ShardCommand::Release { key }).await;
    }

    /// The call's session was negotiated anew.
    pub async fn change(&self, key: CallKey, session: MediaSession) {
        let _ = self.send(ShardCommand::Change { key, session: Box::new(session) }).await;
    }

    /// Tells a call something; one that is gone does not hear it.
    pub async fn tell(&self, key: CallKey, command: CallCommand) {
        let _ = self.send(ShardCommand::Tell { key, command }).await;
    }

    /// Lets two calls of this shard hear each other, each in place of its agent; what they were bridged to before is
    /// left. False if one of them is not there (any more).
    pub async fn bridge(&self, ends: [BridgeEnd; 2]) -> bool {
        let (reply, answer) = oneshot::channel();
        // A shard that is gone drops the question.
        let _ = self.send(ShardCommand::Bridge { ends, reply }).await;
        answer.await.unwrap_or(false)
    }

    /// From now on the caller of `by`, who waits, hears what is sent by the other side of a call being made; `None`:
    /// nobody does.
    pub async fn let_hear(&self, awaited: CallKey, by: Option<CallKey>) {
        let _ = self.send(ShardCommand::Await { awaited, by }).await;
    }

    /// Parts a call from the one it is bridged to: each does what it does when it is left.
    pub async fn unbridge(&self, key: CallKey) {
        let _ = self.send(ShardCommand::Unbridge { key }).await;
    }

    /// Speech has something for the call. Waits while the shard is behind.
    pub async fn speech(&self, key: CallKey, event: SpeechEvent) {
        let _ = self.send(ShardCommand::Speech { key, event }).await;
    }

    /// The caller pressed a key, as the signalling tells (SIP INFO).
    pub async fn key_pressed(&self, key: CallKey, digit: Digit) {
        let _ = self.send(ShardCommand::KeyPressed { key, digit }).await;
    }

    /// Has the call press keys (`0`-`9`, `*`, `#`, `A`-`D`, `,` for a pause), one after the other.
    ///
    /// # Errors
    /// [`ShardError::Keys`] if they cannot be pressed, [`ShardError::Gone`] if the call or its shard is gone.
    pub async fn send_keys(&self, key: CallKey, keys: String) -> Result<(), ShardError> {
        let (reply, answer) = oneshot::channel();
        self.send(ShardCommand::SendKeys { key, keys, reply }).await?;
        Ok(answer.await.map_err(|_| ShardError::Gone)??)
    }

    /// The call's dialog is over.
    pub async fn end(&self, key: CallKey, cause: EndCause) {
        let _ = self.send(ShardCommand::End { key, cause }).await;
    }

    /// Ends the thread; calls that still live get no goodbye.
    pub async fn stop(&self) {
        let _ = self.send(ShardCommand::Stop).await;
    }

    pub fn stats(&self) -> &ShardStats {
        &self.stats
    }

    async fn send(&self, command: ShardCommand) -> Result<(), ShardError> {
        // Not `send`, whose future would hold the command a second time.
        self.commands.reserve().await.map_err(|_| ShardError::Gone)?.send(command);
        self.bell.ring().map_err(|_| ShardError::Gone)
    }
}
