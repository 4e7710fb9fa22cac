//! The node's settings: defaults, then `tandem.toml`, then `TANDEM_*`, then flags; checked before anything starts.
//! What an agent says and how it behaves is in its own file, which `control` reads.

mod media;
mod realtime;
mod sip;
mod speech;
mod telephony;
mod trunks;
mod twilio;
mod values;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use sip_bridge::sdp::Codec;
use thiserror::Error;

use crate::audio::ringback::Country;
pub use media::{CodecOrder, OpusConfig, SrtpMode, SrtpOffer};
pub use realtime::RealtimeConfig;
pub use sip::{IdentityPolicy, Refresher, SipDigestConfig, SipIdentityConfig, SipSessionConfig, SipTlsConfig};
pub use speech::{MAIN, OFFLINE, OrderConfig, ProviderConfig, ProviderKind, SpeechConfig, SpeechConfigError};
pub use telephony::TelephonyConfig;
pub use trunks::{Dtmf, RING_TIMEOUT_S, RouteConfig, TrunkConfig, TrunkError, TrunkTransport};
pub use twilio::TwilioConfig;
pub use values::{AddressRange, ApiKey, PortRange};

/// Everything a node can be told. Keys of `tandem.toml` are the fields' names; `TANDEM_SIP` is `sip`,
/// `TANDEM_SPEECH__CHAT_MODEL` is `chat_model` of `[speech]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Name of the node in events and metrics.
    pub node_name: String,
    /// Address SIP is listened on, UDP and TCP.
    pub sip: SocketAddr,
    pub sip_tls: SipTlsConfig,
    pub sip_digest: SipDigestConfig,
    pub sip_identity: SipIdentityConfig,
    pub sip_session: SipSessionConfig,
    /// Address of `/health`, `/metrics`, `/v1` and `/ws`.
    pub http: SocketAddr,
    /// Address RTP is received on, as it stands in our SDP.
    pub rtp_ip: IpAddr,
    /// First and last RTP port, `20000-39999`.
    pub rtp_ports: PortRange,
    /// Whether media is encrypted.
    pub srtp: SrtpMode,
    /// How our own offers bring the keys: to callers who leave the offer to us.
    pub srtp_offer: SrtpOffer,
    /// Codecs spoken, best first; between PCMU and PCMA the caller's order decides.
    pub codecs: CodecOrder,
    /// While the agent says nothing, send comfort noise instead of silence to those who agree to it.
    pub comfort_noise: bool,
    /// Media threads; 0: one for every two cores.
    pub shards: u16,
    /// Where journals, recordings and events are kept.
    pub data: PathBuf,
    /// The agent file.
    pub agent: PathBuf,
    /// Without an edge, take calls over WebSockets from other machines too; else only from this one.
    pub websocket_open: bool,
    /// What clients of WebSockets show, to be taken from other machines. Empty: it opens nothing.
    pub websocket_token: ApiKey,
    pub twilio: TwilioConfig,
    /// Where Asterisk's AudioSocket connections are listened for; whoever reaches it may call.
    pub audiosocket: Option<SocketAddr>,
    /// Most calls at a time; more are refused with 503.
    pub max_calls: usize,
    /// How long calls may go on after SIGTERM, seconds.
    pub drain_seconds: u64,
    /// Record calls.
    pub recording: bool,
    /// What recordings are kept as where there is no edge; an edge gets them as Ogg-Opus.
    pub recording_format: RecordingFormat,
    /// How long the local copy of a recording stays once the edge has it, days; 0: for ever.
    pub recordings_days: u32,
    /// Bearer token of the HTTP API. Empty: it is open to this machine, and calls are not made or told anything from
    /// elsewhere.
    pub api_token: ApiKey,
    pub opus: OpusConfig,
    pub speech: SpeechConfig,
    pub telephony: TelephonyConfig,
    pub edge: EdgeConfig,
    /// How keys are pressed in calls without a trunk: those that come in.
    pub dtmf: Dtmf,
    /// Whose ringing tone a caller hears who waits to be given to somebody else.
    pub ringback: Country,
    /// Follow a caller's REFER: the agent calls whom it names, through the usual trunk.
    pub accept_refer: bool,
    /// Ways out, by name.
    pub trunks: BTreeMap<String, TrunkConfig>,
    /// Numbers that are put straight through, without an edge.
    pub routes: Vec<RouteConfig>,
}

/// The form of a finished recording; either way two channels, caller left, agent right.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordingFormat {
    /// 8 kHz, 16 bit: 1.9 MB a minute.
    #[default]
    Wav,
    /// Ogg-Opus at 32 kbit/s: 0.2 MB a minute. Compressed after the call.
    Ogg,
}

/// The edge that admits calls and takes their facts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EdgeConfig {
    /// Where its routes begin, `https://edge.example.com`. Empty: no edge, the agent file answers every call.
    pub url: String,
    /// Signs what this node asks and tells; the edge knows it as `ENGINE_SECRET`.
    pub secret: ApiKey,
    /// How the edge reaches this node's HTTP. Empty: `http://` and the address HTTP is listened on.
    pub http_url: String,
    /// Fronts whose word is taken on which trunk a call comes from (`X-Tandem-Trunk`); of other calls it is the address
    /// the INVITE came from.
    pub trusted_fronts: Vec<AddressRange>,
    /// How long callers of known trunks are answered by the edge's last answer while it is away, hours.
    pub away_hours: u32,
    /// How long files of events stay on disk, days from when they were begun, at least 2; what is not delivered stays.
    pub events_days: u32,
}

/// Why the settings cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    #[error("{}", in_one_line(.0))]
    Read(Box<figment::Error>),
    #[error("configuration file {} does not exist", .0.display())]
    NoFile(PathBuf),
    #[error("rtp_ports {ports:?} has room for no even port per media thread ({shards})")]
    TooFewPorts { ports: RangeInclusive<u16>, shards: u16 },
    #[error(transparent)]
    Speech(#[from] SpeechConfigError),
    #[error("edge.url {0:?} is not an http or https URL without query or fragment")]
    EdgeUrl(String),
    #[error("edge.url is set but edge.secret is not: give it the edge's ENGINE_SECRET (TANDEM_EDGE__SECRET)")]
    NoEdgeSecret,
    #[error("edge.http_url {0:?} is not an http or https URL without query or fragment")]
    EdgeHttpUrl(String),
    #[error("twilio.url {0:?} is not a wss URL without query")]
    TwilioUrl(String),
    #[error(transparent)]
    Trunk(#[from] TrunkError),
    #[error("srtp is \"required\" but srtp_offer is \"plain\": offers of ours would be refused by ourselves")]
    PlainOffer,
    #[error("sip_identity.policy is \"require\" but sip_identity.roots is not set: nobody could vouch for a caller")]
    NoIdentityRoots,
    #[error("sip_session.{name} = {value}: must be 90 to 86400, and min_se_s not more than expires_s")]
    SessionTime { name: &'static str, value: u32 },
    #[error("opus.complexity {0} is not 0 to 10")]
    OpusComplexity(u8),
    #[error("opus.bitrate {0} is not 6000 to 64000 bit/s")]
    OpusBitrate(u32),
    #[error("max_calls is 0: the node would refuse every call")]
    NoCalls,
    #[error("{0} is the unspecified address: it stands in our SIP and SDP, so name one that callers can reach")]
    Unspecified(&'static str),
}

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        Self {
            node_name: "tandem-1".to_owned(),
            sip: SocketAddr::from((Ipv4Addr::LOCALHOST, 5070)),
            sip_tls: SipTlsConfig::default(),
            sip_digest: SipDigestConfig::default(),
            sip_identity: SipIdentityConfig::default(),
            sip_session: SipSessionConfig::default(),
            http: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            rtp_ip: Ipv4Addr::LOCALHOST.into(),
            rtp_ports: PortRange(20000..=39999),
            srtp: SrtpMode::default(),
            srtp_offer: SrtpOffer::default(),
            codecs: CodecOrder(Codec::ALL.to_vec()),
            comfort_noise: false,
            shards: 0,
            data: PathBuf::from("var"),
            agent: PathBuf::from("agents/reception.toml"),
            websocket_open: false,
            websocket_token: ApiKey::default(),
            twilio: TwilioConfig::default(),
            audiosocket: None,
            max_calls: 1000,
            drain_seconds: 300,
            recording: true,
            recording_format: RecordingFormat::default(),
            recordings_days: 30,
            api_token: ApiKey::default(),
            opus: OpusConfig::default(),
            speech: SpeechConfig::default(),
            telephony: TelephonyConfig::default(),
            edge: EdgeConfig::default(),
            dtmf: Dtmf::default(),
            ringback: Country::default(),
            accept_refer: false,
            trunks: BTreeMap::new(),
            routes: Vec::new(),
        }
    }
}

impl Config {
    /// Reads the settings. `file` must exist if it is named; else `tandem.toml` is read if it is there.
    /// `flags` are the settings given on the command line, by their names.
    ///
    /// # Errors
    /// [`ConfigError`] naming the key, its value and where it was set.
    pub fn load(file: Option<&Path>, flags: &impl Serialize) -> Result<Self, ConfigError> {
        if let Some(missing) = file.filter(|f| !f.is_file()) {
            return Err(ConfigError::NoFile(missing.to_owned()));
        }
        let mut config: Self = Figment::from(Serialized::defaults(Self::default()))
            .merge(Toml::file(file.unwrap_or(Path::new("tandem.toml"))))
            .merge(Env::prefixed("TANDEM_").ignore(&["cache", "log", "bin"]).split("__"))
            .merge(Serialized::globals(flags))
            .extract()
            .map_err(|e| ConfigError::Read(Box::new(e)))?;
        config.speech.take_environment();
        config.check()
    }

    /// Ports of one of `shards` media threads: an equal part of the range, in order.
    pub fn ports_of(&self, shard: u16, shards: u16) -> RangeInclusive<u16> {
        let (first, last) = (u32::from(*self.rtp_ports.0.start()), u32::from(*self.rtp_ports.0.end()));
        let part = ((last - first + 1) / u32::from(shards)) & !1;
        let start = first + part * u32::from(shard);
        let to_port = |port: u32| u16::try_from(port).unwrap_or(u16::MAX);
        to_port(start)..=to_port(start + part.saturating_sub(1))
    }

    /// Media threads to start.
    pub fn shard_count(&self) -> u16 {
        if self.shards > 0 {
            return self.shards;
        }
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        u16::try_from(cores.div_ceil(2)).unwrap_or(1)
    }

    /// Base URL at which the edge reaches this node's HTTP, which is listened on at `http`.
    pub fn http_url(&self, http: SocketAddr) -> String {
        match self.edge.http_url.trim_end_matches('/') {
            "" => format!("http://{http}"),
            url => url.to_owned(),
        }
    }

    pub(crate) fn check(self) -> Result<Self, ConfigError> {
        let shards = self.shard_count();
        if self.ports_of(0, shards).is_empty() || self.ports_of(0, shards).len() < 2 {
            return Err(ConfigError::TooFewPorts { ports: self.rtp_ports.0, shards });
        }
        self.speech.check()?;
        self.edge.check()?;
        self.sip_tls.check()?;
        self.sip_identity.check()?;
        self.sip_session.check()?;
        self.twilio.check()?;
        trunks::check(&self.trunks, &self.routes)?;
        if (self.srtp, self.srtp_offer) == (SrtpMode::Required, SrtpOffer::Plain) {
            return Err(ConfigError::PlainOffer);
        }
        self.opus.check()?;
        if self.max_calls == 0 {
            return Err(ConfigError::NoCalls);
        }
        if self.sip.ip().is_unspecified() {
            return Err(ConfigError::Unspecified("sip"));
        }
        if self.rtp_ip.is_unspecified() {
            return Err(ConfigError::Unspecified("rtp_ip"));
        }
        Ok(self)
    }
}

// === impl EdgeConfig ===

impl Default for EdgeConfig {
    fn default() -> Self {
        Self {
            url: String::new(),
            secret: ApiKey::default(),
            http_url: String::new(),
            trusted_fronts: fronts_on_this_machine(),
            away_hours: 4,
            events_days: 7,
        }
    }
}

impl EdgeConfig {
    /// There is an edge to ask.
    pub fn is_set(&self) -> bool {
        !self.url.is_empty()
    }

    fn check(&self) -> Result<(), ConfigError> {
        if !self.http_url.is_empty() && !is_base_url(&self.http_url) {
            return Err(ConfigError::EdgeHttpUrl(self.http_url.clone()));
        }
        if !self.is_set() {
            return Ok(());
        }
        if !is_base_url(&self.url) {
            return Err(ConfigError::EdgeUrl(self.url.clone()));
        }
        if self.secret.0.is_empty() { Err(ConfigError::NoEdgeSecret) } else { Ok(()) }
    }
}

/// A front that runs beside the node.
fn fronts_on_this_machine() -> Vec<AddressRange> {
    let loopback = [(IpAddr::from([127, 0, 0, 0]), 8), (Ipv6Addr::LOCALHOST.into(), 128)];
    loopback.map(|(ip, bits)| AddressRange(IpNet::new_assert(ip, bits))).to_vec()
}

/// An http or https URL that a path can be appended to.
fn is_base_url(text: &str) -> bool {
    reqwest::Url::parse(text)
        .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.fragment().is_none())
}

/// The error without the drawing of the place in the file that TOML's errors come with; the place is named before it.
fn in_one_line(error: &figment::Error) -> String {
    let text = error.to_string().replace("\"default.", "\"");
    let is_drawing = |line: &str| line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ').starts_with('|');
    let lines: Vec<&str> = text.lines().filter(|line| !is_drawing(line)).map(str::trim).collect();
    lines.join(" ").trim().to_owned()
}

#[cfg(test)]
mod tests;
