//! Every figure the calculator begins with, its source, and the flag that changes it. There is no other place.
//! What follows from them is `machines`, `edge` and `plan`.

use clap::Args;
use serde::Serialize;
use thiserror::Error;

/// Figures that were measured: benches/README.md tells how.
pub mod measured {
    /// % of a core of a call that is listened to, and of one in conversation, the kernel's part included.
    pub const LISTENING_CORE_PERCENT: f64 = 0.05;
    pub const CONVERSING_CORE_PERCENT: f64 = 0.12;
    /// A call put through to somebody, both legs, beside rtpengine.
    pub const BRIDGED_CORE_PERCENT: f64 = 0.146;
    /// KiB of a call.
    pub const LISTENING_KIB: f64 = 37.0;
    pub const CONVERSING_KIB: f64 = 113.0;
    /// MiB of a node without a call.
    pub const NODE_MIB: f64 = 26.0;
    /// ms of a core for one call's set-up and end: in Kamailio, with its dispatcher; and in the node, with its recording's.
    pub const KAMAILIO_MS_PER_CALL: f64 = 0.32;
    pub const SET_UP_MS_PER_CALL: f64 = 1.4;
}

/// Assumptions; every one is a flag.
#[derive(Debug, Clone, PartialEq, Args, Serialize)]
pub struct Assumptions {
    /// Calls at once
    #[arg(long, default_value_t = 200_000.0)]
    pub calls: f64,
    /// Average length of a call, s
    #[arg(long, default_value_t = 180.0)]
    pub call_s: f64,
    /// Share of the month in which so many calls are up: 1 is day and night
    #[arg(long, default_value_t = 1.0)]
    pub load_factor: f64,
    /// Share of the calls that converse; of the rest, --bridged are put through and the others listened to
    #[arg(long, default_value_t = 1.0)]
    pub conversing: f64,
    /// Share of the calls that are put through to somebody
    #[arg(long, default_value_t = 0.0)]
    pub bridged: f64,

    /// % of a core of a call in conversation
    #[arg(long, default_value_t = measured::CONVERSING_CORE_PERCENT)]
    pub conversing_core_percent: f64,
    /// % of a core of a call that is listened to
    #[arg(long, default_value_t = measured::LISTENING_CORE_PERCENT)]
    pub listening_core_percent: f64,
    /// % of a core of a bridged call, both legs
    #[arg(long, default_value_t = measured::BRIDGED_CORE_PERCENT)]
    pub bridged_core_percent: f64,
    /// KiB of memory of a call in conversation
    #[arg(long, default_value_t = measured::CONVERSING_KIB)]
    pub conversing_kib: f64,
    /// KiB of memory of any other call
    #[arg(long, default_value_t = measured::LISTENING_KIB)]
    pub listening_kib: f64,
    /// MiB of a node without calls
    #[arg(long, default_value_t = measured::NODE_MIB)]
    pub node_mib: f64,
    /// ms of a core in the node for one call's set-up and end
    #[arg(long, default_value_t = measured::SET_UP_MS_PER_CALL)]
    pub set_up_ms: f64,
    /// ms of a core in Kamailio for one call
    #[arg(long, default_value_t = measured::KAMAILIO_MS_PER_CALL)]
    pub kamailio_ms: f64,

    /// Cores of a machine
    #[arg(long, default_value_t = 32.0)]
    pub node_cores: f64,
    /// Share of a machine's cores that is planned with
    #[arg(long, default_value_t = 0.6)]
    pub usable: f64,
    /// Most calls of a node, however fast it is: what is lost with it
    #[arg(long, default_value_t = 8000.0)]
    pub node_calls: f64,
    /// Share of the nodes that may be away at once (a roll-out, a failure)
    #[arg(long, default_value_t = 0.1)]
    pub spare: f64,
    /// Kamailio machines that must be left when one is away
    #[arg(long, default_value_t = 1.0)]
    pub kamailios_spare: f64,
    /// Calls that share a UDP socket
    #[arg(long, default_value_t = 16.0)]
    pub calls_per_socket: f64,
    /// kbit/s of a call's audio one way, on the wire: G.711 at 20 ms with RTP, UDP, IPv4 and Ethernet
    #[arg(long, default_value_t = 87.2)]
    pub call_kbit_s: f64,

    /// $ of a machine a month; an assumption, no quotation
    #[arg(long, default_value_t = 400.0)]
    pub node_dollars: f64,
    /// $ of a TB that leaves a machine; some 1 where bandwidth is sold with servers, 50 to 90 in the large clouds
    #[arg(long, default_value_t = 1.0)]
    pub egress_dollars_per_tb: f64,
    /// $ of speech providers a minute, if they are to be in the sum
    #[arg(long, default_value_t = 0.0)]
    pub speech_dollars_per_minute: f64,

    /// s between two turns of a caller
    #[arg(long, default_value_t = 5.0)]
    pub turn_s: f64,
    /// Events of a turn: speech started, transcript, answer started, turn completed
    #[arg(long, default_value_t = 4.0)]
    pub events_per_turn: f64,
    /// Events of a call beside its turns: start, prompts, end, recording
    #[arg(long, default_value_t = 4.0)]
    pub events_per_call: f64,
    /// Events of one call that reach its object together
    #[arg(long, default_value_t = 1.0)]
    pub events_together: f64,
    /// ms a batch of events takes to the edge and back; a node has four under way
    #[arg(long, default_value_t = 100.0)]
    pub batch_ms: f64,
    /// ms of Worker CPU of a request
    #[arg(long, default_value_t = 2.0)]
    pub worker_ms: f64,
    /// ms of Worker CPU of an event
    #[arg(long, default_value_t = 0.1)]
    pub event_ms: f64,
    /// ms a Durable Object is active for a request
    #[arg(long, default_value_t = 10.0)]
    pub object_ms: f64,
    /// Share of the calls that is recorded
    #[arg(long, default_value_t = 1.0)]
    pub recorded: f64,
    /// kbit/s of a recording
    #[arg(long, default_value_t = 32.0)]
    pub recording_kbit_s: f64,
    /// Days until recordings are deleted
    #[arg(long, default_value_t = 30.0)]
    pub retention_days: f64,
    /// Queued jobs of a call: webhooks, transcript
    #[arg(long, default_value_t = 2.0)]
    pub jobs: f64,
    /// Share of the Worker's and its objects' invocations that is logged
    #[arg(long, default_value_t = 0.01)]
    pub logged: f64,

    /// The often-quoted plan: FreeSWITCH servers, from and to
    #[arg(long, default_value_t = 20.0)]
    pub freeswitch_from: f64,
    #[arg(long, default_value_t = 30.0)]
    pub freeswitch_to: f64,
    /// Calls with media of one FreeSWITCH server, as operators tell
    #[arg(long, default_value_t = 1200.0)]
    pub freeswitch_calls: f64,
}

/// Why nothing can be worked out.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum AssumptionError {
    #[error("--{flag} {value}: it must be a number above 0")]
    NotPositive { flag: &'static str, value: f64 },
    #[error("--{flag} {value}: it must be a number, 0 or above")]
    Negative { flag: &'static str, value: f64 },
    #[error("--{flag} {value}: it is a share, 0 to 1")]
    NoShare { flag: &'static str, value: f64 },
    #[error("conversing and bridged calls are {0} of all, more than there are")]
    TooMany(f64),
}

// === impl Assumptions ===

impl Assumptions {
    /// # Errors
    /// [`AssumptionError`] names the flag that makes no sense.
    pub fn check(&self) -> Result<(), AssumptionError> {
        for (flag, value) in [
            ("calls", self.calls),
            ("call-s", self.call_s),
            ("node-cores", self.node_cores),
            ("usable", self.usable),
            ("node-calls", self.node_calls),
            ("calls-per-socket", self.calls_per_socket),
            ("turn-s", self.turn_s),
            ("events-together", self.events_together),
            ("batch-ms", self.batch_ms),
            ("load-factor", self.load_factor),
            ("freeswitch-from", self.freeswitch_from),
            ("freeswitch-to", self.freeswitch_to),
            ("freeswitch-calls", self.freeswitch_calls),
        ] {
            if !(value.is_finite() && value > 0.0) {
                return Err(AssumptionError::NotPositive { flag, value });
            }
        }
        for (flag, value) in [
            ("conversing-core-percent", self.conversing_core_percent),
            ("listening-core-percent", self.listening_core_percent),
            ("bridged-core-percent", self.bridged_core_percent),
            ("conversing-kib", self.conversing_kib),
            ("listening-kib", self.listening_kib),
            ("node-mib", self.node_mib),
            ("set-up-ms", self.set_up_ms),
            ("kamailio-ms", self.kamailio_ms),
            ("kamailios-spare", self.kamailios_spare),
            ("call-kbit-s", self.call_kbit_s),
            ("node-dollars", self.node_dollars),
            ("egress-dollars-per-tb", self.egress_dollars_per_tb),
            ("speech-dollars-per-minute", self.speech_dollars_per_minute),
            ("events-per-turn", self.events_per_turn),
            ("events-per-call", self.events_per_call),
            ("worker-ms", self.worker_ms),
            ("event-ms", self.event_ms),
            ("object-ms", self.object_ms),
            ("recording-kbit-s", self.recording_kbit_s),
            ("retention-days", self.retention_days),
            ("jobs", self.jobs),
        ] {
            if !(value.is_finite() && value >= 0.0) {
                return Err(AssumptionError::Negative { flag, value });
            }
        }
        for (flag, value) in [
            ("load-factor", self.load_factor),
            ("conversing", self.conversing),
            ("bridged", self.bridged),
            ("usable", self.usable),
            ("spare", self.spare),
            ("recorded", self.recorded),
            ("logged", self.logged),
        ] {
            if !(0.0..=1.0).contains(&value) {
                return Err(AssumptionError::NoShare { flag, value });
            }
        }
        let share = self.conversing + self.bridged;
        if share > 1.0 { Err(AssumptionError::TooMany(share)) } else { Ok(()) }
    }

    /// Calls that begin each second.
    pub fn calls_per_second(&self) -> f64 {
        self.calls / self.call_s
    }

    /// Calls, and minutes of calls, in a month.
    pub fn calls_per_month(&self) -> f64 {
        self.calls_per_second() * SECONDS_PER_MONTH * self.load_factor
    }

    pub fn minutes_per_month(&self) -> f64 {
        self.calls * SECONDS_PER_MONTH / 60.0 * self.load_factor
    }

    /// Events of one call.
    pub fn events_of_a_call(&self) -> f64 {
        self.events_per_call + self.conversing * self.call_s / self.turn_s * self.events_per_turn
    }
}

/// 30 days.
pub const SECONDS_PER_MONTH: f64 = 30.0 * 86_400.0;
