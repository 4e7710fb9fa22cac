//! Our own scripted phone (`loadtest`) on a test's stack: asks over real SIP and RTP, and keeps what the node told.
//! What is asked, and what should come of it, is up to the tests.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use edge_protocol::{CallEvent, EventKind};
use loadtest::caller::media::LegReport;
use loadtest::caller::{self, Conversation, LineHeard, Manners, Prepared, Target};
use loadtest::node_events::{NodeEvents, OneCall};
use loadtest::report::TalkReport;
use loadtest::script::{Line, Script};
use loadtest::talk::{self, Plan};
use loadtest::voice::Utterance;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::process::POLL;
use crate::stack::Stack;

/// A machine busy with other calls answers late, but it answers.
pub const MANNERS: Manners = Manners {
    answer_within: Duration::from_secs(20),
    answer_longest: Duration::from_secs(60),
    quiet: Duration::from_millis(1000),
    key_answer_within: Duration::from_secs(5),
    stop_within: Duration::from_secs(3),
};

/// The recording is made after the call.
const RECORDING_WITHIN: Duration = Duration::from_secs(15);

/// A phone that calls a stack through its Kamailio.
pub struct Phone {
    phone: caller::Phone,
    target: Target,
    nodes: Vec<String>,
}

/// A call that is up, and the events of it.
pub struct Call {
    pub caller: caller::Caller,
    events: Arc<Mutex<Vec<CallEvent>>>,
    follower: JoinHandle<()>,
}

/// A call that is over.
pub struct Over {
    pub media: LegReport,
    /// From `CallStarted` to `RecordingReady`.
    pub events: Vec<EventKind>,
}

// === impl Phone ===

impl Phone {
    pub async fn of(stack: &Stack) -> Result<Self> {
        Ok(Self {
            phone: caller::Phone::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), 1).await?,
            target: Target { keep_audio: true, ..Target::to(format!("sip:agent@127.0.0.1:{}", stack.port)) },
            nodes: stack.nodes.iter().map(|node| format!("http://127.0.0.1:{}", node.http)).collect(),
        })
    }

    /// The same phone, its audio encrypted.
    pub fn encrypted(mut self) -> Self {
        self.target.srtp = true;
        self
    }

    /// Listens to the greeting, says the lines one after the other, hangs up.
    pub async fn talk(&self, voice: &str, lines: Vec<Line>) -> Result<TalkReport> {
        let script = Script { voice: voice.to_owned(), expect_greeting: Vec::new(), lines };
        let lines = script.prepare("the test", None).await?;
        let events = NodeEvents::subscribe(&self.nodes).await?;
        let plan = Plan { script, lines, target: self.target.clone(), manners: MANNERS, greeting: true };
        Ok(talk::hold(&self.phone, plan, Some(events), |_| {}, CancellationToken::new()).await?)
    }

    pub async fn dial(&self) -> Result<Call> {
        let mut arriving = NodeEvents::subscribe(&self.nodes).await?;
        let caller = self.phone.dial(&self.target).await?;
        let mut own = OneCall::new(caller.sip_call_id());
        let events = Arc::new(Mutex::new(Vec::new()));
        let log = events.clone();
        let follower = tokio::spawn(async move {
            while let Some(event) = arriving.next().await {
                if own.owns(&event) {
                    let last = matches!(event.kind, EventKind::RecordingReady { .. });
                    log.lock().unwrap_or_else(PoisonError::into_inner).push(event);
                    if last {
                        return;
                    }
                }
            }
        });
        Ok(Call { caller, events, follower })
    }
}

// === impl Call ===

impl Call {
    /// Listens to whatever the agent says first, to its end; `false` if it says nothing.
    pub async fn greeting(&mut self) -> Result<bool> {
        Ok(Conversation::new(&mut self.caller, MANNERS).greeting().await?)
    }

    /// Says something and listens to the answer's end.
    pub async fn ask(&mut self, text: &str, utterance: &Utterance) -> Result<LineHeard> {
        let line = Prepared { line: Line::saying(text), utterance: Some(utterance.clone()) };
        let mut heard = LineHeard::default();
        Conversation::new(&mut self.caller, MANNERS).line(&line, None, &mut heard).await?;
        Ok(heard)
    }

    /// What the node told of this call so far.
    pub fn events(&self) -> Vec<EventKind> {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        events.iter().map(|event| event.kind.clone()).collect()
    }

    /// Waits for an event that may have come already.
    pub async fn until(&self, what: &str, within: Duration, wanted: impl Fn(&EventKind) -> bool) -> Result<EventKind> {
        let deadline = tokio::time::Instant::now() + within;
        loop {
            let events = self.events();
            if let Some(event) = events.iter().find(|event| wanted(event)) {
                return Ok(event.clone());
            }
            if tokio::time::Instant::now() > deadline {
                bail!("no {what} within {within:?}; seen: {events:#?}");
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Hangs up and waits for the recording.
    pub async fn hang_up(self) -> Result<Over> {
        let media = self.caller.hang_up().await.context("the media thread ended before the call")?;
        tokio::time::timeout(RECORDING_WITHIN, self.follower).await.context("no recording")??;
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Over { media, events: events.iter().map(|event| event.kind.clone()).collect() })
    }
}

/// The phone heard an unbroken stream: every packet, none late, in one run of timestamps.
pub fn assert_unbroken(media: &LegReport, whose: &str) {
    let received = &media.received;
    println!(
        "{whose}: {} packets, {} lost, {} gaps, longest pause {} ms, {:.1} % within 20 ± 3 ms",
        received.packets,
        received.lost,
        received.gaps,
        received.longest_pause.as_millis(),
        received.even_share() * 100.0
    );
    assert!(received.packets > 50, "{whose} heard only {} packets", received.packets);
    assert_eq!((received.lost, received.timestamp_jumps, received.ssrc_changes), (0, 0, 0), "{whose}");
    assert!(received.longest_pause < Duration::from_millis(100), "{whose} waited {:?}", received.longest_pause);
}
