//! The signalling side shared by all callers: one SIP endpoint, a few media threads, and dialling.
//! What happens in a call once it is answered is `call`.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use engine::audio::g711::Law;
use sip_bridge::sdp::{self, Codec, Local, Negotiated};
use sip_bridge::{
    BindError, Endpoint, EndpointConfig, EndpointHandle, Failure, OutgoingTarget, Progress, Protocol, SipError,
};
use thiserror::Error;

use super::call::Caller;
use super::media::{MediaThread, Route};

/// Who is called, and as whom.
#[derive(Debug, Clone)]
pub struct Target {
    /// SIP URI, e.g. `sip:agent@127.0.0.1:5060`.
    pub uri: String,
    pub from: String,
    /// Next hop, if it is not the URI's own host.
    pub via: Option<SocketAddr>,
    pub tcp: bool,
    pub headers: Vec<(String, String)>,
    /// A call that is not answered after this is given up (CANCEL).
    pub patience: Duration,
    /// Remember all that is heard, 16 kB a second.
    pub keep_audio: bool,
}

/// Dials calls.
pub struct Phone {
    // Dropping the endpoint ends the SIP stack.
    _endpoint: Endpoint,
    signalling: EndpointHandle,
    media: Vec<MediaThread>,
    next: AtomicUsize,
}

#[derive(Debug, Error)]
pub enum DialError {
    #[error("no RTP port: {0}")]
    Media(io::Error),
    #[error(transparent)]
    Sip(#[from] SipError),
    #[error("the call was answered with {code} {reason}")]
    Refused { code: u16, reason: String },
    #[error("nobody answered within {} ms", .0.as_millis())]
    NotAnswered(Duration),
    #[error("the answer's SDP cannot be used: {0}")]
    Answer(sdp::SdpError),
}

// === impl Phone ===

impl Phone {
    /// `listen`: address for SIP, port 0 for any; `threads`: media threads, one is enough for 1,000 calls.
    pub async fn start(listen: SocketAddr, threads: usize) -> Result<Self, StartError> {
        let mut config = EndpointConfig::new(listen);
        config.user_agent = concat!("tandem-loadtest/", env!("CARGO_PKG_VERSION")).to_owned();
        let endpoint = Endpoint::bind(config).await?;
        let media =
            (0..threads.max(1)).map(|_| MediaThread::start()).collect::<io::Result<_>>().map_err(StartError::Thread)?;
        Ok(Self { signalling: endpoint.handle(), _endpoint: endpoint, media, next: AtomicUsize::new(0) })
    }

    /// Calls, and returns once answered, with media flowing.
    pub async fn dial(&self, target: &Target) -> Result<Caller, DialError> {
        let dialled = Instant::now();
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.media.len().max(1);
        let media = self.media.get(turn).ok_or_else(|| DialError::Media(io::Error::other("no media thread")))?;
        let (leg, heard) = media.open(Ipv4Addr::LOCALHOST, target.keep_audio).map_err(DialError::Media)?;
        let local = Local {
            addr: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: leg.local().port(),
            rtcp_mux: true,
            session_id: u64::from(leg.local().port()),
            version: 1,
        };
        let outgoing = OutgoingTarget {
            via: target.via,
            protocol: if target.tcp { Protocol::Tcp } else { Protocol::Udp },
            headers: target.headers.clone(),
            ..OutgoingTarget::new(&target.uri, &target.from)
        };
        let mut call = self.signalling.call(outgoing, sdp::offer(&local)).await?;
        let answered = async {
            loop {
                match call.next_progress().await {
                    Progress::Ringing(_) | Progress::Early { .. } => {}
                    Progress::Answered { dialog, answer } => return Ok((dialog, answer)),
                    Progress::Failed(Failure { code, reason, .. }) => return Err(DialError::Refused { code, reason }),
                }
            }
        };
        let (dialog, answer) = match tokio::time::timeout(target.patience, answered).await {
            Ok(answered) => answered?,
            Err(_) => {
                call.cancel().await;
                return Err(DialError::NotAnswered(target.patience));
            }
        };
        let setup = dialled.elapsed();
        let negotiated = match sdp::accept_answer(&answer, &local) {
            Ok(negotiated) => negotiated,
            Err(error) => {
                // The reason matters more than whether the BYE arrives.
                let _ = dialog.bye(Some("unusable SDP")).await;
                return Err(DialError::Answer(error));
            }
        };
        leg.connect(route(&negotiated));
        Ok(Caller::new(leg, heard, dialog, local, setup))
    }

    /// Ends the SIP stack, with what is still to be sent.
    pub async fn shutdown(self) {
        self.signalling.shutdown().await;
    }
}

#[derive(Debug, Error)]
pub enum StartError {
    #[error(transparent)]
    Sip(#[from] BindError),
    #[error("cannot start a media thread: {0}")]
    Thread(io::Error),
}

/// What SDP agreed on, as the media thread needs it.
pub(super) fn route(negotiated: &Negotiated) -> Route {
    Route {
        remote: negotiated.remote_rtp,
        law: match negotiated.codec {
            Codec::Pcmu => Law::Mu,
            Codec::Pcma => Law::A,
        },
        payload_type: negotiated.payload_type,
        telephone_event: negotiated.telephone_event,
    }
}
