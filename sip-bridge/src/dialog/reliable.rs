//! Provisional responses of ours that wait for their PRACK (RFC 3262 3).
//! Not here: sending and repeating them (`crate::provisional`), PRACKs of ours (`crate::branches`).

use crate::agent::lock;
use std::sync::Mutex;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// The reliable responses to the INVITE of one dialog, one at a time.
#[derive(Default)]
pub(crate) struct Reliable {
    latest: Mutex<Latest>,
}

#[derive(Default)]
struct Latest {
    /// RSeq of the last one; 0 before the first.
    rseq: u32,
    open: Option<Open>,
}

struct Open {
    /// CSeq number of the INVITE.
    cseq: u32,
    /// Carries a description: the 2xx has to wait for its PRACK.
    described: bool,
    acknowledged: CancellationToken,
    answer: oneshot::Sender<Option<String>>,
}

/// One response under way.
pub(crate) struct Unacknowledged {
    pub rseq: u32,
    /// Set by its PRACK.
    pub acknowledged: CancellationToken,
    /// The SDP of its PRACK.
    pub answer: oneshot::Receiver<Option<String>>,
}

/// What a PRACK acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Acknowledged {
    /// An offer of ours, somebody waits for its answer.
    AnswerExpected,
    Plain,
}

impl Reliable {
    /// The number of the next response; `None` while another waits for its PRACK.
    pub fn begin(&self, cseq: u32, described: bool) -> Option<Unacknowledged> {
        let mut latest = lock(&self.latest);
        if latest.open.is_some() {
            return None;
        }
        // The first one is random, below 2^31; there are never so many as to wrap (RFC 3262 3).
        latest.rseq = if latest.rseq == 0 { rand::random_range(1..1 << 31) } else { latest.rseq + 1 };
        let acknowledged = CancellationToken::new();
        let (sender, answer) = oneshot::channel();
        latest.open = Some(Open { cseq, described, acknowledged: acknowledged.clone(), answer: sender });
        Some(Unacknowledged { rseq: latest.rseq, acknowledged, answer })
    }

    /// Set once the response under way is acknowledged; `None` when there is none, or `described` is wanted and it
    /// carries no description.
    pub fn waiting(&self, described: bool) -> Option<CancellationToken> {
        let latest = lock(&self.latest);
        latest.open.as_ref().filter(|open| open.described || !described).map(|open| open.acknowledged.clone())
    }

    /// A PRACK came; `None` when its RAck names no response that waits for one.
    pub fn acknowledge(&self, rack: &str, answer: Option<String>) -> Option<Acknowledged> {
        let mut latest = lock(&self.latest);
        let mut fields = rack.split_ascii_whitespace();
        let mut number = || fields.next().and_then(|field| field.parse::<u32>().ok());
        let named = (number(), number());
        let of_invite = fields.next().is_some_and(|method| method == "INVITE");
        let rseq = latest.rseq;
        let open = latest.open.take_if(|open| of_invite && named == (Some(rseq), Some(open.cseq)))?;
        let expected = open.answer.send(answer).is_ok();
        open.acknowledged.cancel();
        Some(if expected { Acknowledged::AnswerExpected } else { Acknowledged::Plain })
    }
}
