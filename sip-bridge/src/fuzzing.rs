//! What reads bytes from the network, for fuzz targets to reach: built only with `--cfg fuzzing`.
//! Not here: the targets (`fuzz/`).

use crate::Timers;
use crate::carrier;
use crate::dialog::table::DialogId;
use crate::digest::params::Params;
use crate::dispatch::call_info;
use crate::identity::passport::Passport;
use crate::message::body::{self, Body};
use crate::message::headers;
use crate::message::replaces::ReferTo;
use crate::message::response::Reply;
use crate::message::uri::Hop;
use crate::message::via::note_source;
use crate::sdp::{self, Codec, Local, Security};
use crate::server::Transactions;
use crate::session_timer::min_se_of;
use crate::transport::framing::{Frame, Frames};
use crate::transport::gate::{self, Verdict};
use crate::transport::{ArrivedRequest, Way};
use rsipstack::sip::{Request, SipMessage};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

const SOMEBODY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 5060);

/// A datagram, past the gate and through everything that is asked of a message before one is sent.
pub fn datagram(bytes: &[u8]) {
    match gate::inspect(bytes, "fuzz") {
        Verdict::Pass => message(bytes),
        Verdict::Mended(mended) => message(&mended),
        Verdict::Answer(_) | Verdict::Drop(_) => {}
    }
}

/// Bytes of a stream, in pieces.
pub fn stream(bytes: &[u8]) {
    let mut frames = Frames::default();
    for piece in bytes.chunks(97) {
        frames.push(piece);
        loop {
            match frames.next() {
                Frame::Message(bytes) => datagram(&bytes),
                Frame::Ping => {}
                Frame::Partial => break,
                Frame::Endless(_) | Frame::TooLong => return,
            }
        }
    }
}

fn message(bytes: &[u8]) {
    match SipMessage::try_from(bytes) {
        Ok(SipMessage::Request(request)) => {
            ask(&request);
            serve(request);
        }
        Ok(SipMessage::Response(response)) => describe(body::read(&response, &response.body)),
        Err(_) => {}
    }
}

fn ask(request: &Request) {
    let headers = &request.headers;
    if let Some(id) = DialogId::of_incoming(request) {
        let _ = call_info(request, &id, SOMEBODY);
    }
    let _ = (headers::cseq(headers), headers::accepts_sdp(headers), headers::unsupported_options(headers));
    let _ = (carrier::asserted(headers), carrier::diversions(headers), min_se_of(headers));
    let _ = headers::value(headers, "Refer-To").as_deref().map(ReferTo::parse);
    let _ = headers::value(headers, "Authorization").as_deref().map(Params::parse);
    let _ = headers::value(headers, "Identity").as_deref().map(Passport::read);
    let _ = Hop::of(&request.uri.to_string());
    describe(body::read(request, &request.body));
}

/// The request's transaction, and an answer.
fn serve(mut request: Request) {
    if !note_source(&mut request, SOMEBODY, true) {
        return;
    }
    let transactions = Arc::new(Transactions::new(Timers::default(), "fuzz".to_owned()));
    let (writer, _answers) = mpsc::channel(1);
    let way = Way::Stream(writer, CancellationToken::new());
    if let Some(transaction) = transactions.receive(ArrivedRequest { request, source: SOMEBODY, way, stream: None }) {
        let _ = transaction.respond(&Reply::new(486).build(&transaction.request, Some("ours"), "fuzz"));
    }
}

fn describe(body: Body) {
    if let Body::Sdp(text) = body {
        description(&text);
    }
}

/// A session description, as an offer to us and as an answer to ours.
pub fn description(text: &str) {
    let local = Local {
        addr: Ipv4Addr::LOCALHOST.into(),
        codecs: Codec::ALL.to_vec(),
        port: 20000,
        rtcp_mux: true,
        session_id: 1,
        version: 1,
        security: Security::default(),
    };
    if let Ok((_, answer)) = sdp::answer(text, &local) {
        // What we say is understood, by ourselves at least: we offer one section, and so look at the first only.
        let sections = answer.matches("\r\nm=").count();
        assert!(sections > 1 || sdp::accept_answer(&answer, &local).is_ok(), "{answer}");
    }
    let _ = sdp::accept_answer(text, &local);
}
