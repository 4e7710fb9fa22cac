//! May this call start? Asked of the edge at every INVITE; while it is away, known lines live on its last answer.
//! How the answer is remembered is `known`'s matter, what an acceptance means for a call `control::admitted`'s.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use edge_protocol::VERSION;
use edge_protocol::admission::{Acceptance, AdmissionAnswer, AdmissionRequest, RefusalReason};
use ipnet::IpNet;
use tokio_util::sync::CancellationToken;

use super::client::{EdgeError, SignedClient};
use super::known::{Known, Line, Unsaved};
use super::withdrawal::Withdrawals;
use crate::control::dialled::dialled;
use crate::control::{Admitted, CallRequest, Decision, Refusal};

const PATH: &str = "/v1/engine/admissions";

/// Header in which the front names the carrier's address: the INVITE itself comes from the front. Anybody else who
/// sends it would choose whose numbers they call.
const TRUNK_HEADER: &str = "X-Tandem-Trunk";

/// How often it is looked whether the file of known lines is to be written.
const SAVE: Duration = Duration::from_secs(1);
/// Looks that pass between two writes at least: what an account may spend changes the answers with every call.
const ANSWERS_EVERY: u32 = 10;
/// Looks after which times alone are worth writing.
const TIMES_EVERY: u32 = 60;

/// How calls are admitted.
#[derive(Debug, Clone)]
pub struct AdmissionConfig {
    /// Whose word is taken on which trunk a call comes from.
    pub trusted_fronts: Vec<IpNet>,
    /// Longest wait for the edge; a caller hears nothing meanwhile.
    pub timeout: Duration,
    /// How long a line is answered by the last acceptance.
    pub away: Duration,
    /// File of the known lines, `<data>/edge/known.json`.
    pub known: PathBuf,
    /// Milliseconds since the Unix epoch.
    pub now_ms: fn() -> u64,
    /// Told of every admission: who answered, and how long the edge took or was waited for.
    pub observe: fn(AnsweredBy, Duration),
}

/// Who decided over a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnsweredBy {
    Edge,
    /// The edge is away and the line is known.
    Memory,
    /// The edge is away and the line is not known, or what it said makes no sense.
    Nobody,
}

/// Asks the edge for every call.
pub struct Admissions {
    client: Arc<SignedClient>,
    config: AdmissionConfig,
    known: Mutex<Known>,
    withdrawals: Arc<Withdrawals>,
}

// === impl Admissions ===

impl Admissions {
    /// Known lines of an earlier run are taken up; a file that cannot be read is told and done without.
    pub fn new(client: Arc<SignedClient>, config: AdmissionConfig, withdrawals: Arc<Withdrawals>) -> Self {
        let known = Known::load(&config.known).unwrap_or_else(|error| {
            tracing::error!(file = %config.known.display(), %error, "the lines known from before cannot be read");
            Known::default()
        });
        Self { client, config, known: Mutex::new(known), withdrawals }
    }

    pub async fn ask(&self, request: CallRequest) -> Decision {
        let line = line_of(&request, &self.config.trusted_fronts);
        let question = admission_request(&request, &line, self.client.node());
        let asked = Instant::now();
        self.withdrawals.note(&question).await;
        let answer = self.answer(&question).await;
        let held = answer.as_ref().map_or_else(EdgeError::may_be_done, AdmissionAnswer::is_acceptance);
        let (answered_by, decision) = self.decide(&request.call_id, line, answer);
        (self.config.observe)(answered_by, asked.elapsed());
        match decision {
            // Until its first event is safe.
            Decision::Accept(_) => {}
            Decision::Refuse(_) if held => self.withdrawals.withdraw(&request.call_id),
            Decision::Refuse(_) => self.withdrawals.forget(&request.call_id).await,
        }
        decision
    }

    /// Writes the known lines whenever there is news, until `stop`, and once more then.
    pub async fn keep_known(self: Arc<Self>, stop: CancellationToken) {
        let mut looks = tokio::time::interval(SAVE);
        // The first news is written at once.
        let mut since_saved = ANSWERS_EVERY;
        loop {
            let stopping = tokio::select! { () = stop.cancelled() => true, _ = looks.tick() => false };
            since_saved += 1;
            let due = match self.known().unsaved() {
                Unsaved::Nothing => false,
                Unsaved::Times => stopping || since_saved >= TIMES_EVERY,
                Unsaved::Answers => stopping || since_saved >= ANSWERS_EVERY,
            };
            if due {
                since_saved = 0;
                self.save().await;
            }
            if stopping {
                return;
            }
        }
    }

    async fn save(&self) {
        let file = self.known().take_file();
        let path = self.config.known.clone();
        let written = tokio::task::spawn_blocking(move || {
            path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
            file.write(&path)
        });
        let written = written.await.map_err(std::io::Error::other).and_then(|written| written);
        if let Err(error) = written {
            tracing::error!(file = %self.config.known.display(), %error, "the known lines are not saved");
            self.known().not_saved();
        }
    }

    /// One try, and another if the connection broke: it may have been a kept one that the edge was just dropping.
    async fn answer(&self, request: &AdmissionRequest) -> Result<AdmissionAnswer, EdgeError> {
        let deadline = Instant::now() + self.config.timeout;
        match self.client.post_json(PATH, request, self.config.timeout).await {
            Err(first @ (EdgeError::Unreachable { .. } | EdgeError::Broken { .. })) => {
                let left = deadline.saturating_duration_since(Instant::now());
                let second = self.client.post_json(PATH, request, left).await;
                // What the first may have done is not undone by an edge that is gone since.
                second.map_err(|error| if error.may_be_done() { error } else { first })
            }
            answer => answer,
        }
    }

    fn decide(&self, call_id: &str, line: Line, answer: Result<AdmissionAnswer, EdgeError>) -> (AnsweredBy, Decision) {
        match answer {
            Ok(AdmissionAnswer::Accept(acceptance)) => match Admitted::try_from(acceptance.clone()) {
                Ok(admitted) => {
                    self.known().remember(line, acceptance, (self.config.now_ms)());
                    (AnsweredBy::Edge, Decision::Accept(Box::new(admitted)))
                }
                Err(error) => {
                    tracing::error!(call_id, %error, "the edge's acceptance cannot be carried out");
                    (AnsweredBy::Nobody, unavailable())
                }
            },
            Ok(AdmissionAnswer::Refuse { code, reason }) => {
                tracing::info!(call_id, code, ?reason, "the edge refuses a call");
                if is_lasting(reason) {
                    self.known().forget(&line);
                }
                let code = if (400..=699).contains(&code) { code } else { reason.sip_code() };
                (AnsweredBy::Edge, Decision::Refuse(Refusal { code, reason: reason.phrase().to_owned() }))
            }
            Err(error) if error.is_away() => match self.recall(&line) {
                Some(admitted) => {
                    tracing::warn!(call_id, %error, trunk = line.trunk, number = line.number, "the edge is away: its last answer counts");
                    (AnsweredBy::Memory, Decision::Accept(Box::new(admitted)))
                }
                None => {
                    tracing::warn!(call_id, %error, trunk = line.trunk, number = line.number, "the edge is away and the line is not known");
                    (AnsweredBy::Nobody, unavailable())
                }
            },
            Err(error) => {
                tracing::error!(call_id, %error, "the edge does not take our question");
                (AnsweredBy::Nobody, unavailable())
            }
        }
    }

    fn recall(&self, line: &Line) -> Option<Admitted> {
        let acceptance = self.known().recall(line, (self.config.now_ms)(), self.config.away)?;
        Admitted::try_from(Acceptance::clone(&acceptance)).ok()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// While the edge is away, such a call is not to be taken either; other refusals are of this very moment.
fn is_lasting(reason: RefusalReason) -> bool {
    match reason {
        RefusalReason::UnknownNumber | RefusalReason::AccountSuspended | RefusalReason::InsufficientCredits => true,
        RefusalReason::OutsideHours
        | RefusalReason::AccountCallLimit
        | RefusalReason::NodeCallLimit
        | RefusalReason::RateLimited => false,
    }
}

fn unavailable() -> Decision {
    Decision::Refuse(Refusal { code: 503, reason: "Admission is not available".to_owned() })
}

fn line_of(request: &CallRequest, trusted_fronts: &[IpNet]) -> Line {
    let source = request.source.ip().to_canonical();
    let is_front = trusted_fronts.iter().any(|range| range.contains(&source));
    let header = request.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(TRUNK_HEADER));
    let trunk = header.map(|(_, value)| value.trim()).filter(|value| is_front && !value.is_empty());
    Line {
        trunk: trunk.map_or_else(|| source.to_string(), str::to_owned),
        number: dialled(&request.request_uri),
        to: dialled(&request.to),
    }
}

fn admission_request(request: &CallRequest, line: &Line, node: &str) -> AdmissionRequest {
    AdmissionRequest {
        v: VERSION,
        call_id: request.call_id.clone(),
        sip_call_id: request.sip_call_id.clone(),
        node: node.to_owned(),
        from: request.from.clone(),
        to: request.to.clone(),
        request_uri: request.request_uri.clone(),
        trunk: line.trunk.clone(),
        headers: request.headers.clone(),
        identity: request.identity.clone(),
    }
}

#[cfg(test)]
mod tests;
