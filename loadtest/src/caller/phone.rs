//! The signalling side shared by all callers: one SIP endpoint, a few media threads, dialling and picking up; or streams.
//! What happens in a call once it is answered is `call`.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use engine::audio::codec::{self, OpusSettings};
use engine::audio::g711::Law;
use engine::call::SrtpKeys;
use engine::node::{fresh_keys, srtp_keys};
use sip_bridge::sdp::{self, Codec, Local, Negotiated};
use sip_bridge::{
    BindError, CallInfo, Dialog, Endpoint, EndpointConfig, EndpointHandle, Failure, IncomingCall, OutgoingTarget,
    Progress, Protocol, Rejection, SipError,
};
use thiserror::Error;
use tokio::sync::mpsc::UnboundedReceiver;

use super::call::{Caller, Sip};
use super::media::{Event, LegHandle, MediaThread, Route, Stream, StreamError};

/// Who is called, and as whom.
#[derive(Debug, Clone)]
pub struct Target {
    /// SIP URI, e.g. `sip:agent@127.0.0.1:5060`; or where Twilio Media Streams are taken, `ws://127.0.0.1:8080/ws/twilio`,
    /// for which only `from` and `patience` count.
    pub uri: String,
    pub from: String,
    /// Next hop, if it is not the URI's own host.
    pub via: Option<SocketAddr>,
    pub tcp: bool,
    /// Encrypt the audio, with keys in the SDP (SRTP, RFC 4568); a call that would be in the clear fails.
    pub srtp: bool,
    pub headers: Vec<(String, String)>,
    /// Codecs offered, best first.
    pub codecs: Vec<Codec>,
    /// A call that is not answered after this is given up (CANCEL).
    pub patience: Duration,
    /// Remember all that is heard, 16 kB a second.
    pub keep_audio: bool,
}

// === impl Target ===

impl Target {
    /// Over UDP and in the clear, with every codec; ten seconds to answer.
    pub fn to(uri: String) -> Self {
        Self {
            uri,
            from: "sip:caller@127.0.0.1".to_owned(),
            via: None,
            tcp: false,
            srtp: false,
            headers: Vec::new(),
            codecs: Codec::ALL.to_vec(),
            patience: Duration::from_secs(10),
            keep_audio: false,
        }
    }
}

/// Dials calls, and takes them.
pub struct Phone {
    // Dropping the endpoint ends the SIP stack.
    endpoint: Endpoint,
    signalling: EndpointHandle,
    media: Vec<MediaThread>,
    /// Address of all media: where signalling is.
    media_address: Ipv4Addr,
    next: AtomicUsize,
}

/// A call that came in and is not answered yet. Dropping it answers 480.
pub struct Ringing {
    incoming: IncomingCall,
    leg: LegHandle,
    heard: UnboundedReceiver<Event>,
    since: Instant,
}

#[derive(Debug, Error)]
pub enum DialError {
    #[error("no RTP port: {0}")]
    Media(io::Error),
    #[error(transparent)]
    Sip(#[from] SipError),
    #[error(transparent)]
    Stream(#[from] StreamError),
    #[error("the call was answered with {code} {reason}")]
    Refused { code: u16, reason: String },
    #[error("nobody answered within {} ms", .0.as_millis())]
    NotAnswered(Duration),
    #[error("the other side's SDP cannot be used: {0}")]
    Answer(sdp::SdpError),
    #[error("the call came without an offer")]
    NoOffer,
    #[error("no call can come in any more")]
    Stopped,
}

// === impl Phone ===

impl Phone {
    /// `listen`: address for SIP and media, port 0 for any; `threads`: media threads, one is enough for 1,000 calls.
    pub async fn start(listen: SocketAddr, threads: usize) -> Result<Self, StartError> {
        let mut config = EndpointConfig::new(listen);
        config.user_agent = concat!("tandem-loadtest/", env!("CARGO_PKG_VERSION")).to_owned();
        let endpoint = Endpoint::bind(config).await?;
        let media =
            (0..threads.max(1)).map(|_| MediaThread::start()).collect::<io::Result<_>>().map_err(StartError::Thread)?;
        let media_address = match listen.ip() {
            IpAddr::V4(address) if !address.is_unspecified() => address,
            _ => Ipv4Addr::LOCALHOST,
        };
        Ok(Self { signalling: endpoint.handle(), endpoint, media, media_address, next: AtomicUsize::new(0) })
    }

    /// Where calls to it go.
    pub fn address(&self) -> SocketAddr {
        self.signalling.local_addr()
    }

    /// The next call that comes in; what it hears is remembered. Nothing is sent before it is told to ring or answer.
    pub async fn rings(&mut self) -> Result<Ringing, DialError> {
        let incoming = self.endpoint.next_call().await.ok_or(DialError::Stopped)?;
        let (leg, heard) = self.open(true)?;
        Ok(Ringing { incoming, leg, heard, since: Instant::now() })
    }

    /// Calls, and returns once answered, with media flowing.
    pub async fn dial(&self, target: &Target) -> Result<Caller, DialError> {
        let dialled = Instant::now();
        if target.uri.starts_with("ws://") {
            let opened = tokio::time::timeout(target.patience, Stream::open(&target.uri, &target.from)).await;
            let (leg, heard) = opened.map_err(|_| DialError::NotAnswered(target.patience))??;
            return Ok(Caller::new(leg, heard, None, dialled.elapsed()));
        }
        let (leg, heard) = self.open(target.keep_audio)?;
        let security = if target.srtp { sdes() } else { sdp::Security::default() };
        let local = local(&leg, target.codecs.clone(), security);
        let (dialog, answer) = self.signal(target, sdp::offer(&local)).await?;
        let setup = dialled.elapsed();
        let negotiated = match sdp::accept_answer(&answer, &local) {
            Ok(negotiated) => negotiated,
            Err(error) => {
                // The reason matters more than whether the BYE arrives.
                let _ = dialog.bye(Some("unusable SDP")).await;
                return Err(DialError::Answer(error));
            }
        };
        leg.connect(route(&negotiated), keys(&negotiated));
        Ok(Caller::new(leg, heard, Some(Sip { dialog, local }), setup))
    }

    /// Calls with this offer, and returns the dialog and the answer; whose media these are about is the caller's affair.
    pub async fn signal(&self, target: &Target, offer: String) -> Result<(Dialog, String), DialError> {
        let outgoing = OutgoingTarget {
            via: target.via,
            protocol: if target.tcp { Protocol::Tcp } else { Protocol::Udp },
            headers: target.headers.clone(),
            ..OutgoingTarget::new(&target.uri, &target.from)
        };
        let mut call = self.signalling.call(outgoing, offer).await?;
        let answered = async {
            loop {
                match call.next_progress().await {
                    Progress::Ringing(_) | Progress::Early { .. } => {}
                    Progress::Answered { dialog, answer } => return Ok((dialog, answer)),
                    Progress::Failed(Failure { code, reason, .. }) => return Err(DialError::Refused { code, reason }),
                }
            }
        };
        match tokio::time::timeout(target.patience, answered).await {
            Ok(answered) => answered,
            Err(_) => {
                call.cancel().await;
                Err(DialError::NotAnswered(target.patience))
            }
        }
    }

    fn open(&self, keep_audio: bool) -> Result<(LegHandle, UnboundedReceiver<Event>), DialError> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.media.len().max(1);
        let media = self.media.get(turn).ok_or_else(|| DialError::Media(io::Error::other("no media thread")))?;
        media.open(self.media_address, keep_audio).map_err(DialError::Media)
    }

    /// Ends the SIP stack, with what is still to be sent.
    pub async fn shutdown(self) {
        self.signalling.shutdown().await;
    }
}

// === impl Ringing ===

impl Ringing {
    /// What the INVITE said.
    pub fn info(&self) -> &CallInfo {
        &self.incoming.info
    }

    /// Sends 180.
    pub async fn ring(&self) -> Result<(), DialError> {
        Ok(self.incoming.ring().await?)
    }

    /// Resolves when the other side has given up.
    pub async fn cancelled(&self) {
        self.incoming.cancelled().await;
    }

    pub async fn refuse(self, code: u16) {
        self.incoming.reject(Rejection::new(code)).await;
    }

    /// Picks up, with media flowing.
    pub async fn answer(self) -> Result<Caller, DialError> {
        let local = local(&self.leg, Codec::ALL.to_vec(), sdp::Security::default());
        let offer = self.incoming.offer.as_deref().ok_or(DialError::NoOffer)?;
        let (negotiated, answer) = sdp::answer(offer, &local).map_err(DialError::Answer)?;
        let dialog = self.incoming.accept(answer).await?;
        self.leg.connect(route(&negotiated), keys(&negotiated));
        Ok(Caller::new(self.leg, self.heard, Some(Sip { dialog, local }), self.since.elapsed()))
    }
}

/// Our end of a call's media, as SDP tells it.
fn local(leg: &LegHandle, codecs: Vec<Codec>, security: sdp::Security) -> Local {
    Local {
        addr: leg.local().ip(),
        codecs,
        port: leg.local().port(),
        rtcp_mux: true,
        session_id: u64::from(leg.local().port()),
        version: 1,
        security,
    }
}

#[derive(Debug, Error)]
pub enum StartError {
    #[error(transparent)]
    Sip(#[from] BindError),
    #[error("cannot start a media thread: {0}")]
    Thread(io::Error),
}

/// Our end of an encrypted call.
fn sdes() -> sdp::Security {
    sdp::Security {
        policy: sdp::SrtpPolicy::Required,
        offer: sdp::OfferedKeying::Sdes,
        keys: fresh_keys(),
        ..sdp::Security::default()
    }
}

/// The keys SDP agreed on, if the call is encrypted.
pub(super) fn keys(negotiated: &Negotiated) -> Option<SrtpKeys> {
    srtp_keys(&negotiated.security)
}

/// What SDP agreed on, as the media thread needs it.
pub(super) fn route(negotiated: &Negotiated) -> Route {
    Route {
        remote: negotiated.remote_rtp,
        codec: match negotiated.codec {
            Codec::Pcmu => Law::Mu.into(),
            Codec::Pcma => Law::A.into(),
            Codec::G722 => codec::Codec::G722,
            Codec::Opus => codec::Codec::Opus(OpusSettings::default()),
        },
        payload_type: negotiated.payload_type,
        receive_payload_type: negotiated.receive_payload_type,
        telephone_event: negotiated.telephone_event,
    }
}
