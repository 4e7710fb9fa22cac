//! What happened in a call, as facts: the engine journals them, the edge applies each one once.
//! The order within a call is `seq`; nothing here says how events travel.

use serde::{Deserialize, Serialize};

use crate::{CallerIdentity, MediaQuality, ProviderUsage};

/// Version of the event format; raised when a reader of the old one would misread the new one.
pub const VERSION: u32 = 1;

/// One fact about one call. `(call_id, seq)` names it for good: applying it twice changes nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallEvent {
    /// Format version, [`VERSION`].
    pub v: u32,
    /// Tandem's id of the call (UUIDv7), the same in SIP logs, media, speech and edge.
    pub call_id: String,
    /// Position within the call, from 0, without gaps.
    pub seq: u64,
    /// Wall-clock time the call started, milliseconds since the Unix epoch.
    pub call_started_at_ms: u64,
    /// When it happened, in milliseconds since the call was accepted (media clock).
    pub at_ms: u64,
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened. On the wire: `"type": "turn_completed", …` beside the fields of [`CallEvent`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum EventKind {
    /// The call was accepted and media may flow.
    CallStarted {
        direction: Direction,
        /// SIP `From` URI.
        from: String,
        /// SIP `To` URI.
        to: String,
        /// SIP `Call-ID` (RFC 3261 section 20.8).
        sip_call_id: String,
        /// Encoding name of the media leg (RFC 3551): `PCMU` or `PCMA`.
        codec: String,
        /// Name of the agent that answers.
        agent: String,
        /// Name of the node that holds the call.
        node: String,
        /// `X-*` headers of the INVITE, in order.
        headers: Vec<(String, String)>,
        /// Account and business profile the call was admitted for; absent without an edge.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        account_id: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        profile_id: Option<String>,
        /// Who vouches for the caller's number; absent where that is not verified. Boxed: other events are small.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        identity: Option<Box<CallerIdentity>>,
    },
    /// The agent began to say something on its own: a greeting, a prompt into silence, a fallback.
    PromptStarted { text: String },
    /// The caller began to speak.
    SpeechStarted { turn: u32 },
    /// The caller's line is known: what was said, `[unclear]` for speech whose words could not be made out, or
    /// `[pressed 12#]` for keys.
    TurnTranscribed { turn: u32, text: String },
    /// The agent's answer began to be heard.
    AnswerStarted { turn: u32 },
    /// The turn is over: all was said, or the caller cut in.
    TurnCompleted {
        turn: u32,
        caller_text: String,
        /// What the agent meant to say.
        agent_text: String,
        /// What the caller heard of it.
        heard_text: String,
        /// Milliseconds of the answer's audio that were played.
        heard_ms: u64,
        interrupted: bool,
        latency: TurnLatency,
    },
    /// The caller spoke over the agent and the agent stopped.
    BargeIn {
        /// Milliseconds of the agent's current answer that had been played.
        heard_ms: u64,
    },
    /// A key was pressed (RFC 4733): `0`-`9`, `*`, `#`, `A`-`D`.
    Dtmf { digit: char, duration_ms: u32 },
    /// A speech provider failed; what the caller heard instead is a `PromptStarted`.
    SpeechFailed { turn: u32, stage: SpeechStage, error: String },
    /// The other side's RTP moved to a new synchronisation source (RFC 3550 section 8.2).
    SsrcChanged { ssrc: u32 },
    /// Something is wrong with the call's audio, or was put right; each problem is told once a call.
    MediaProblem {
        problem: MediaProblem,
        /// What exactly, in words, with addresses and numbers.
        detail: String,
    },
    /// The media session was changed by a re-INVITE.
    MediaChanged { codec: String, on_hold: bool },
    /// The other side of an outbound call is being alerted: SIP 180 to 199.
    Ringing { code: u16 },
    /// An outbound call was answered; what was heard before was early media.
    Answered,
    /// From here on this call and that one hear each other, and the agent of each is silent.
    Bridged {
        /// Id of the other call.
        with: String,
    },
    /// The two calls no longer hear each other.
    Unbridged { with: String },
    /// The call is to be given to somebody else.
    TransferStarted { to: String, mode: TransferMode },
    /// That somebody was not to be had; the agent goes on.
    TransferFailed { to: String, mode: TransferMode, sip: SipStatus },
    /// The agent called a tool: one every call has, such as `hang_up`, or one of its own.
    ToolCalled {
        turn: u32,
        /// Counts the tools called in this call, from 1.
        run: u32,
        tool: String,
        /// JSON, as the language model wrote it.
        arguments: String,
    },
    /// A tool's result, as the language model is told; it may come after its turn is over.
    ToolFinished {
        turn: u32,
        run: u32,
        tool: String,
        /// Text or JSON; where it `failed`, why.
        result: String,
        failed: bool,
        took_ms: u32,
    },
    /// The agent was told something in the middle of the call.
    InstructionsAdded { text: String },
    /// The recording is complete on the node's disk. `path` is the file then; it may be compressed later to an `.ogg`
    /// of the same name beside it, and `bytes` is the size before.
    RecordingReady { path: String, duration_ms: u64, bytes: u64 },
    /// The call is over; the last event but for `RecordingReady`.
    CallEnded {
        cause: EndCause,
        duration_ms: u64,
        turns: u32,
        quality: MediaQuality,
        /// Final answer to the INVITE of an outbound call that was not taken.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sip: Option<SipStatus>,
        /// Requests to speech providers that were made ahead, while the caller paused, and came to nothing.
        #[serde(default)]
        wasted_requests: u32,
        /// What the call used of speech providers and of the line, one entry for each provider and stage. What was asked
        /// ahead in vain is in it.
        #[serde(default)]
        usage: Vec<ProviderUsage>,
    },
}

/// A final SIP answer that says no (RFC 3261 section 21).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SipStatus {
    /// 300 to 699; 408 also where nobody answered at all, 503 where there was no way.
    pub code: u16,
    pub reason: String,
}

/// How a call is given to somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferMode {
    /// The other side is asked to call them itself (REFER, RFC 5589); the node leaves the call.
    Blind,
    /// The agent speaks with them first, then both are bridged.
    Attended,
    /// Both are bridged as soon as they answer.
    Bridge,
}

/// Who called whom, seen from the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    Inbound,
    Outbound,
}

/// Why a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndCause {
    /// The caller sent BYE.
    CallerHungUp,
    /// The agent said goodbye and ended the call.
    AgentHungUp,
    /// Nobody answered the agent's prompts into the silence.
    CallerSilent,
    /// The maximum call length was reached.
    MaxDuration,
    /// No RTP arrived any more for the configured time.
    RtpTimeout,
    /// Not one packet of RTP arrived in the configured time.
    NoRtp,
    /// The call was on hold, and nothing was heard of the other side for the configured time.
    HoldTimeout,
    /// The DTLS handshake for the media keys failed: no answer, or not who the SDP names.
    DtlsFailed,
    /// The node was told to stop and the call outlived the drain time.
    NodeStopped,
    /// The edge told the node to end it.
    EndedByEdge,
    /// The node's HTTP API told it to end.
    EndedByApi,
    /// The party it was bridged to is gone.
    PeerHungUp,
    /// It was given away by REFER and lives on without this node.
    Transferred,
    /// An outbound call: they are busy (486, 600).
    Busy,
    /// An outbound call: nobody answered in time (408, 480).
    NoAnswer,
    /// An outbound call: it was refused.
    Rejected,
    /// An outbound call: there is no such number, or no way to it (404, 410, 484, 502 to 504).
    Unreachable,
    /// An outbound call was given up before it was answered.
    Cancelled,
    /// Speech did nothing but fail for too long.
    SpeechFailed,
    /// Signalling failed (no ACK, a session that could not be changed).
    SignallingFailed,
    /// The node died; the recording was recovered at its next start.
    NodeCrashed,
}

/// Why there is no audio, or bad audio, in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaProblem {
    /// Not one packet of RTP came.
    NoRtp,
    /// RTP came, and then no more.
    RtpStopped,
    /// RTP comes from an address that is not the call's; it is not played.
    ForeignSource,
    /// The other side's address changed behind a NAT; its audio is taken from the new one.
    SourceMoved,
    /// RTP comes with a payload type that was not agreed on.
    PayloadType,
    /// SRTP that cannot be authenticated: the keys do not match.
    SrtpKeys,
    /// The other side does not receive what we send, as its RTCP tells.
    NotReceived,
    /// The other side sends silence and nothing else.
    CallerSilent,
    /// The other side's audio is overdriven.
    Clipping,
}

/// The part of a turn a provider serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpeechStage {
    Transcription,
    Chat,
    Synthesis,
}

/// Where the time of a turn went, in milliseconds. The caller feels only `caller_heard_ms`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnLatency {
    /// Last voiced frame in → the turn was taken as ended.
    pub endpointing_ms: u32,
    /// End of turn → text.
    pub transcription_ms: u32,
    /// Text → first token of the answer.
    pub first_token_ms: u32,
    /// First token → first byte of synthesised audio (covers the wait for a whole sentence).
    pub first_audio_ms: u32,
    /// First audio byte → first agent packet sent.
    pub playout_ms: u32,
    /// Last voiced packet in → first packet of the answer out: what the caller heard.
    pub caller_heard_ms: u32,
}
