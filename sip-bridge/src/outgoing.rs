//! A call we make: where to, and how it goes until it is answered or not (RFC 3261 13.2).
//! Not here: what happens once it is answered (`dialog`), the task that owns the INVITE (`invite_client`).

use crate::agent::{Agent, lock, new_tag};
use crate::dialog::table::DialogId;
use crate::digest::client::Authenticator;
use crate::invite_client::{InviteClient, Means, Wish};
use crate::message::address::Address;
use crate::message::headers::{self, plain};
use crate::message::request::Draft;
use crate::message::uri::{Hop, Protocol, stack_uri};
use crate::redirect::Redirects;
use crate::{CallInfo, Credentials, Dialog, Failure, Replaces, SipError, carrier};
use rsipstack::sip::{HasHeaders, Method, Request};
use rsipstack::transaction::random_text;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Whom to call, as whom, and by which way.
#[derive(Debug, Clone)]
pub struct OutgoingTarget {
    /// Request URI and To.
    pub uri: String,
    /// Our URI for From.
    pub from: String,
    /// Next hop (an outbound proxy); `None` sends to the URI's own host.
    pub via: Option<SocketAddr>,
    /// Transport to the next hop. Without `via`, `sips:` and `;transport=` in the URI come before it.
    pub protocol: Protocol,
    /// Whom the next hop's TLS certificate must be for; `None` is the host of the URI, or the address in `via`.
    pub server_name: Option<String>,
    /// Headers added to the INVITE.
    pub headers: Vec<(String, String)>,
    /// Answers 401 and 407, to the INVITE and in its dialog. After a redirection only if they name their realm.
    pub credentials: Option<Credentials>,
    /// How many other places 3xx answers may send the call to; 0 reports a 3xx as the failure it is.
    pub max_redirects: u8,
    /// The dialog of the called side that this call takes the place of (RFC 3891).
    pub replaces: Option<Replaces>,
}

impl OutgoingTarget {
    /// Over UDP to the URI's own host, without credentials; up to 5 redirections are followed.
    pub fn new(uri: impl Into<String>, from: impl Into<String>) -> Self {
        Self {
            uri: uri.into(),
            from: from.into(),
            via: None,
            protocol: Protocol::Udp,
            server_name: None,
            headers: Vec::new(),
            credentials: None,
            max_redirects: 5,
            replaces: None,
        }
    }
}

/// A call being set up. Dropping it cancels the call, or hangs up if it is answered at that moment.
pub struct OutgoingCall {
    pub info: CallInfo,
    progress: mpsc::UnboundedReceiver<Progress>,
    wish: Wish,
}

/// What became of a call being set up.
pub enum Progress {
    /// A provisional answer, 101 to 199.
    Ringing(u16),
    /// A provisional answer with a description: there may be media before the call is answered. Several may come;
    /// each stands until the next.
    Early { code: u16, sdp: String },
    /// Answered and acknowledged.
    Answered {
        dialog: Dialog,
        /// The SDP of the 200, or of a reliable answer before it.
        answer: String,
    },
    /// Over. After redirections this is what the last place said.
    Failed(Failure),
}

impl OutgoingCall {
    /// The next thing that happens; `Answered` and `Failed` are the last, then `Failed` is repeated with 487.
    pub async fn next_progress(&mut self) -> Progress {
        match self.progress.recv().await {
            Some(progress) => progress,
            None => Progress::Failed(Failure::new(487, "The Call Is Over")),
        }
    }

    /// Sends CANCEL, as soon as a provisional answer allows it (RFC 3261 9.1). `Failed` follows, or `Answered`
    /// when the answer was faster.
    pub async fn cancel(&self) {
        self.wish.cancel(None);
    }

    /// The same with the text of a Reason header (RFC 3326): why nobody waits any more.
    pub async fn cancel_because(&self, reason: &str) {
        self.wish.cancel(Some(reason));
    }
}

impl Drop for OutgoingCall {
    fn drop(&mut self) {
        self.wish.cancel(None);
    }
}

/// Calls being set up, by Call-ID and our tag: requests in their dialog may overtake our reading of the 200.
#[derive(Default)]
pub(crate) struct Setups {
    open: Mutex<HashMap<(String, String), CancellationToken>>,
}

impl Setups {
    pub fn len(&self) -> usize {
        lock(&self.open).len()
    }

    /// Fires when the call is answered and its dialog known, or failed. `None` if there is no such call.
    pub fn wait_for(&self, id: &DialogId) -> Option<CancellationToken> {
        lock(&self.open).get(&(id.call_id.clone(), id.local_tag.clone())).cloned()
    }
}

/// Keeps a call in `Setups`.
pub(crate) struct Setup {
    agent: Arc<Agent>,
    key: (String, String),
}

impl Setup {
    fn begin(agent: &Arc<Agent>, key: (String, String)) -> Self {
        lock(&agent.setups.open).insert(key.clone(), CancellationToken::new());
        Self { agent: agent.clone(), key }
    }
}

impl Drop for Setup {
    fn drop(&mut self) {
        if let Some(settled) = lock(&self.agent.setups.open).remove(&self.key) {
            settled.cancel();
        }
    }
}

/// Sends the INVITE.
pub(crate) async fn call(agent: &Arc<Agent>, target: OutgoingTarget, offer: String) -> Result<OutgoingCall, SipError> {
    if agent.stop.is_cancelled() {
        return Err(SipError::Ended("endpoint stopped".to_owned()));
    }
    let failed = |why: String| SipError::Send { method: Method::Invite.to_string(), why };
    let name = target.server_name.as_deref();
    let flow = match (target.via, target.protocol) {
        (Some(hop), protocol) => agent.flows.to_address(hop, protocol, name).await,
        (None, Protocol::Tcp | Protocol::Tls) if Hop::of(&target.uri).is_some_and(|hop| hop.is_default()) => {
            let token = target.protocol.token().to_ascii_lowercase();
            agent.flows.to_uri(&format!("{};transport={token}", target.uri), name).await
        }
        (None, _) => agent.flows.to_uri(&target.uri, name).await,
    }
    .map_err(|error| failed(error.to_string()))?;
    let destination = flow.destination.get_socketaddr().map_err(|error| failed(error.to_string()))?;
    let call_id = format!("{}@{}", random_text(24), agent.local.ip());
    let tag = new_tag();
    let invite = invite(agent, &target, offer, &call_id, &tag, crate::transport::protocol_of(&flow.connection))?;
    let info = CallInfo {
        sip_call_id: call_id.clone(),
        from: target.from,
        from_display: None,
        to: target.uri.clone(),
        request_uri: target.uri,
        source: destination,
        authenticated: None,
        asserted: carrier::asserted(&invite.headers),
        diversions: carrier::diversions(&invite.headers),
        user_to_user: headers::value(&invite.headers, "User-to-User"),
        identity: Vec::new(),
        headers: headers::for_application(&invite.headers),
    };
    let means = Means {
        authenticator: target.credentials.map(Authenticator::new),
        redirects: Redirects::new(&info.request_uri, target.max_redirects),
    };
    let setup = Setup::begin(agent, (call_id, tag));
    let (sender, progress) = mpsc::unbounded_channel();
    let (client, wish) = InviteClient::new(agent.clone(), invite, flow, info.clone(), means, setup, sender)?;
    agent.spawn(client.run());
    Ok(OutgoingCall { info, progress, wish })
}

fn invite(
    agent: &Agent,
    target: &OutgoingTarget,
    offer: String,
    call_id: &str,
    tag: &str,
    protocol: Protocol,
) -> Result<Request, SipError> {
    for (name, value) in &target.headers {
        if !headers::may_be_set(name, value) {
            return Err(SipError::BadHeader { name: name.clone(), value: value.clone() });
        }
    }
    let bad_uri = |uri: &str| SipError::BadUri(uri.to_owned());
    let from = format!("<{}>;tag={tag}", target.from);
    let to = format!("<{}>", target.uri);
    for (uri, header) in [(&target.from, &from), (&target.uri, &to)] {
        // Brackets would end the address early; without a scheme it is no URI.
        if stack_uri(uri).is_none() || uri.contains(['<', '>']) || Address::parse(header).is_none() {
            return Err(bad_uri(uri));
        }
    }
    let uri = stack_uri(&target.uri).ok_or_else(|| bad_uri(&target.uri))?;
    let mut request = Draft {
        method: Method::Invite,
        uri,
        from: &from,
        to: &to,
        call_id,
        cseq: 1,
        routes: &[],
        protocol,
        local: agent.address(protocol),
        user_agent: &agent.user_agent,
        body: Some(("application/sdp", offer.into_bytes())),
    }
    .build();
    request.headers_mut().extend(agent.session_timers.wish(None, 0));
    for (name, value) in &target.headers {
        request.headers_mut().push(plain(name, value.clone()));
    }
    if let Some(replaces) = &target.replaces {
        request.headers_mut().push(plain("Replaces", headers::one_line(&replaces.to_string())));
    }
    Ok(request)
}
