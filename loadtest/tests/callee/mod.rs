//! A tiny callee on sip-bridge: answers every call, greets, and says its answer whenever the caller has finished.
//! It hears by energy like the callers do; it understands nothing.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use engine::audio::g711::Law;
use engine::node::{fresh_keys, srtp_keys};
use loadtest::caller::media::{Event, MediaThread, Route};
use loadtest::caller::{Phone, Target};
use loadtest::voice::Utterance;
use sip_bridge::sdp::{self, Codec, Local};
use sip_bridge::{DialogEvent, Endpoint, EndpointConfig, EndpointHandle, IncomingCall};

pub struct Callee {
    pub signalling: EndpointHandle,
    address: SocketAddr,
}

/// What a callee says.
pub struct Manner {
    pub greeting: Utterance,
    pub answer: Utterance,
    /// Hang up after the first answer.
    pub hang_up: bool,
}

impl Callee {
    /// Answers calls for as long as the test runs.
    pub async fn start(manner: Manner) -> Self {
        let mut endpoint = Endpoint::bind(EndpointConfig::new(loopback())).await.unwrap();
        let signalling = endpoint.handle();
        let address = signalling.local_addr();
        let media = Arc::new(MediaThread::start().unwrap());
        let manner = Arc::new(manner);
        tokio::spawn(async move {
            while let Some(call) = endpoint.next_call().await {
                tokio::spawn(serve(call, media.clone(), manner.clone()));
            }
        });
        Self { signalling, address }
    }

    pub fn target(&self, tcp: bool) -> Target {
        Target {
            tcp,
            headers: vec![("X-Test".to_owned(), "1".to_owned())],
            keep_audio: true,
            ..Target::to(format!("sip:agent@{}", self.address))
        }
    }
}

pub async fn phone() -> Phone {
    Phone::start(loopback(), 1).await.unwrap()
}

fn loopback() -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0)
}

async fn serve(call: IncomingCall, media: Arc<MediaThread>, manner: Arc<Manner>) {
    let (leg, mut heard) = media.open(Ipv4Addr::LOCALHOST, false).unwrap();
    let local = Local {
        addr: IpAddr::V4(Ipv4Addr::LOCALHOST),
        codecs: vec![Codec::Pcmu, Codec::Pcma],
        port: leg.local().port(),
        rtcp_mux: true,
        session_id: 1,
        version: 1,
        security: sdp::Security { policy: sdp::SrtpPolicy::Optional, keys: fresh_keys(), ..sdp::Security::default() },
    };
    let (agreed, answer) = sdp::answer(call.offer.as_deref().unwrap(), &local).unwrap();
    call.ring().await.unwrap();
    let mut dialog = call.accept(answer).await.unwrap();
    let route = Route {
        remote: agreed.remote_rtp,
        codec: if agreed.codec == Codec::Pcmu { Law::Mu } else { Law::A }.into(),
        payload_type: agreed.payload_type,
        receive_payload_type: agreed.receive_payload_type,
        telephone_event: agreed.telephone_event,
    };
    leg.connect(route, srtp_keys(&agreed.security));
    leg.say(manner.greeting.clone());
    let mut answered = false;
    loop {
        tokio::select! {
            event = heard.recv() => match event {
                Some(Event::VoiceEnded { .. }) => {
                    leg.say(manner.answer.clone());
                    answered = true;
                }
                Some(Event::Said { .. }) if answered && manner.hang_up => {
                    dialog.bye(None).await.unwrap();
                    return;
                }
                Some(_) => {}
                None => return,
            },
            event = dialog.next_event() => match event {
                Some(DialogEvent::Ended { .. }) | None => return,
                Some(_) => {}
            },
        }
    }
}
