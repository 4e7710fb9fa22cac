//! Tools that the model calls in an answer: run once the turn is certain, waited for, answered to.
//! What a call of a tool means is told by `call::tools`; who runs it is not known here.

use std::time::Duration;

use edge_protocol::{EndCause, EventKind, SpeechStage};

use super::Conversation;
use crate::call::chat::ToolCall;
use crate::call::outbox::Outbox;
use crate::call::speech_link::{SpeechCommand, TurnId, UtteranceId};
use crate::call::tools::{Action, ToolRun, TransferWish};
use crate::clock::Moment;

/// Answers in a turn that may call tools; after so many the model has to say something.
const MOST_ROUNDS: u32 = 5;

/// Tools that one answer may call.
const MOST_CALLS: usize = 8;

/// How long the caller waits for a result in silence.
const FILLER_AFTER: Duration = Duration::from_millis(300);

/// How much later than in its own time a tool is given up, should nobody report.
const OVERDUE: Duration = Duration::from_secs(1);

/// What the answer to a turn has called, and what it waits for.
#[derive(Debug, Default)]
pub struct Errand {
    /// Called in answer to a turn that may not be over: nothing is run yet.
    held: Vec<ToolCall>,
    /// Runs whose results the answer waits for.
    awaited: Vec<ToolRun>,
    /// Answers of this turn that called tools.
    rounds: u32,
    /// The model called tools once more than it may.
    exhausted: bool,
    /// Speech has handed over all it was asked for.
    said: bool,
    /// There are results the model is to answer to.
    has_results: bool,
    /// When the last result came.
    answered: Option<Moment>,
    /// What to say if results take longer than until then.
    filler: Option<(Moment, String)>,
    /// What is done once the answer was heard out.
    then: Option<Then>,
}

/// What ends the agent's part, and the call of the tool it came from.
#[derive(Debug)]
struct Then {
    id: String,
    what: Ending,
}

#[derive(Debug)]
enum Ending {
    HangUp,
    Transfer(TransferWish),
}

/// A tool at work, for this turn or one that is over.
#[derive(Debug)]
pub struct Running {
    run: ToolRun,
    turn: TurnId,
    id: String,
    name: String,
    begun: Moment,
    overdue: Moment,
}

// === impl Errand ===

impl Errand {
    /// Results are waited for.
    pub fn waits(&self) -> bool {
        !self.awaited.is_empty()
    }

    /// When the last result came.
    pub fn answered(&self) -> Option<Moment> {
        self.answered
    }
}

impl Conversation {
    /// The model's answer is complete, and it called tools.
    pub(super) fn tools_called(&mut self, now: Moment, utterance: UtteranceId, calls: Vec<ToolCall>, out: &mut Outbox) {
        let Some(turn) = self.turn_answered_by(utterance) else { return };
        turn.errand.held = calls;
        self.run_held(now, out);
    }

    /// Runs what the answer to the turn called. What was called ahead of the turn's end waits for that.
    pub(super) fn run_held(&mut self, now: Moment, out: &mut Outbox) {
        let Some(turn) = self.turn.as_mut() else { return };
        let mut calls = std::mem::take(&mut turn.errand.held);
        let Some(utterance) = turn.answer.filter(|_| !calls.is_empty()) else { return };
        if turn.errand.rounds >= MOST_ROUNDS {
            turn.errand.exhausted = true;
            return self.settle(now, utterance, out);
        }
        turn.errand.rounds += 1;
        calls.truncate(MOST_CALLS);
        // From here on the turn stands as it is: something is done because of it.
        if !std::mem::replace(&mut turn.in_history, true) {
            self.history.caller_said(&turn.text);
        }
        self.history.tools_called(&calls);
        for call in calls {
            self.run(now, call, out);
        }
        self.settle(now, utterance, out);
    }

    fn run(&mut self, now: Moment, call: ToolCall, out: &mut Outbox) {
        let Some(turn) = self.turn.as_mut() else { return };
        self.runs += 1;
        let ToolCall { id, name, arguments } = call.clone();
        out.event(now, EventKind::ToolCalled { turn: turn.id, run: self.runs, tool: name.clone(), arguments });
        let mut running = Running { run: self.runs, turn: turn.id, id, name, begun: now, overdue: now };
        let id = running.id.clone();
        let outcome = match self.toolbox.understand(&call) {
            Ok(Action::Run { tool, arguments }) => {
                running.overdue = now + tool.timeout + OVERDUE;
                turn.errand.awaited.push(running.run);
                if !tool.filler.is_empty() && turn.errand.filler.is_none() {
                    turn.errand.filler = Some((now + FILLER_AFTER, tool.filler.clone()));
                }
                let call_id = out.call_id().to_owned();
                out.speech(SpeechCommand::RunTool { run: running.run, call_id, tool, arguments });
                return self.running.push(running);
            }
            Ok(Action::HangUp) => {
                turn.errand.then = Some(Then { id, what: Ending::HangUp });
                Ok("The call ends once this is said.".to_owned())
            }
            Ok(Action::Transfer(wish)) => {
                turn.errand.then = Some(Then { id, what: Ending::Transfer(wish) });
                Ok("The caller is put through once this is said.".to_owned())
            }
            Ok(Action::Press(keys)) => {
                self.keys_to_press.push_str(&keys);
                Ok("The keys are pressed.".to_owned())
            }
            Err(reason) => {
                turn.errand.has_results = true;
                Err(reason)
            }
        };
        self.finished(now, running, outcome, out);
    }

    /// A tool's result came, or why there is none. The model is told at once if the caller still waits for it, and with
    /// its next answer if not.
    pub(super) fn tool_finished(
        &mut self,
        now: Moment,
        run: ToolRun,
        outcome: Result<String, String>,
        out: &mut Outbox,
    ) {
        let Some(at) = self.running.iter().position(|running| running.run == run) else { return };
        let running = self.running.swap_remove(at);
        self.finished(now, running, outcome, out);
        let Some(turn) = self.turn.as_mut() else { return };
        let Some(at) = turn.errand.awaited.iter().position(|awaited| *awaited == run) else { return };
        turn.errand.awaited.swap_remove(at);
        turn.errand.has_results = true;
        turn.errand.answered = Some(now);
        if let Some(utterance) = turn.answer {
            self.settle(now, utterance, out);
        }
    }

    fn finished(&mut self, now: Moment, running: Running, outcome: Result<String, String>, out: &mut Outbox) {
        let Running { run, turn, id, name, begun, .. } = running;
        let failed = outcome.is_err();
        let result = outcome.unwrap_or_else(|reason| format!("The tool failed: {reason}"));
        self.history.tool_answered(&id, &result);
        let took_ms = u32::try_from(now.millis_since(begun)).unwrap_or(u32::MAX);
        out.event(now, EventKind::ToolFinished { turn, run, tool: name, result, failed, took_ms });
    }

    /// Speech has handed over what it was asked for.
    pub(super) fn handed_over(&mut self, now: Moment, utterance: UtteranceId, out: &mut Outbox) {
        let Some(turn) = self.turn_answered_by(utterance) else { return self.speaker.complete(utterance) };
        turn.errand.said = true;
        self.failing = None;
        self.speaker.sentences_are_whole(utterance);
        self.settle(now, utterance, out);
    }

    /// Goes on with an answer as far as it can: to the model with results, or to its end.
    fn settle(&mut self, now: Moment, utterance: UtteranceId, out: &mut Outbox) {
        let Some(turn) = self.turn_answered_by(utterance) else { return };
        let errand = &mut turn.errand;
        if !errand.said || !errand.held.is_empty() {
            return;
        }
        if errand.then.is_none() {
            if errand.waits() {
                return;
            }
            if std::mem::take(&mut errand.has_results) && !errand.exhausted {
                errand.said = false;
                errand.filler = None;
                return self.ask_for_more(utterance, out);
            }
            if errand.exhausted && self.speaker.text().is_empty() {
                let error = format!("the model called tools {MOST_ROUNDS} times and said nothing");
                return self.speech_failed(now, SpeechStage::Chat, error, out);
            }
        }
        self.speaker.complete(utterance);
    }

    /// The model goes on with the same answer, knowing the results.
    fn ask_for_more(&mut self, utterance: UtteranceId, out: &mut Outbox) {
        let messages = self.history.with_results(&self.speaker.text());
        out.speech(self.answering(utterance, messages));
    }

    /// Says something to who waits in silence for results, and gives up tools of which nothing is heard.
    pub(super) fn wait_for_tools(&mut self, now: Moment, out: &mut Outbox) {
        while let Some(run) = self.running.iter().find(|running| now >= running.overdue).map(|running| running.run) {
            self.tool_finished(now, run, Err("nothing is heard of it".to_owned()), out);
        }
        let Some(turn) = self.turn.as_mut().filter(|turn| turn.errand.waits()) else { return };
        // The silence has its reason.
        self.last_sound = now;
        let due = turn.errand.said && turn.errand.filler.as_ref().is_some_and(|(at, _)| now >= *at);
        let Some((utterance, (_, text))) = turn.answer.zip(turn.errand.filler.take_if(|_| due)) else { return };
        if self.speaker.first_sentence().is_none() {
            turn.errand.said = false;
            out.speech(self.saying(utterance, text, false));
        }
    }

    /// The answer is over: now the call ends or is given away, unless the caller cut in.
    pub(super) fn after_answer(
        &mut self,
        now: Moment,
        errand: Errand,
        said: bool,
        interrupted: bool,
        out: &mut Outbox,
    ) {
        let Some(Then { id, what }) = errand.then else { return };
        if interrupted {
            return self.history.tool_answered(&id, "Not done: the caller went on speaking.");
        }
        match what {
            Ending::HangUp => self.end_politely(now, EndCause::AgentHungUp, said, out),
            Ending::Transfer(wish) => out.transfer(wish),
        }
    }

    /// Keys the model wants pressed, once.
    pub fn take_keys_to_press(&mut self) -> Option<String> {
        (!self.keys_to_press.is_empty()).then(|| std::mem::take(&mut self.keys_to_press))
    }
}
