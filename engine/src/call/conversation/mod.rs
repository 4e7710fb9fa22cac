//! The conversation of one call as a state machine: who speaks, what is asked of speech, when it is over.
//! Frames and time go in; packets, sockets and providers are elsewhere.

mod agent;
mod caller;
mod clockwork;
mod orders;
mod overlap;
mod speculation;
mod tools;

use std::sync::Arc;
use std::time::Duration;

use edge_protocol::{EndCause, EventKind, ProviderUsage};

use super::barge_in::Overlap;
use super::chat::ChatMessage;
use super::history::History;
use super::keys::Keys;
use super::listener::{CallerTurn, Listener};
use super::outbox::{Cue, Outbox};
use super::settings::{AgentSettings, Interruptible, SpeechLimits};
use super::speaker::{Heard, Speaker, Spoken};
use super::speculation::Speculation;
use super::speech_link::{HearingId, Pipeline, SoFar, SpeechCommand, TurnId, UtteranceId};
use super::tools::{ToolRun, Toolbox};
use super::turn::{Turn, TurnTimes};
use super::usage::Usage;
use crate::audio::FRAME_SAMPLES;
use crate::audio::g711::Law;
use crate::clock::Moment;
pub use clockwork::LAST_WORD;
use speculation::Attempt;
pub use tools::Errand;
use tools::Running;

/// One call's conversation.
#[derive(Debug)]
pub struct Conversation {
    settings: Arc<AgentSettings>,
    limits: SpeechLimits,
    law: Law,
    history: History,
    /// What the model may call.
    toolbox: Toolbox,
    running: Vec<Running>,
    runs: ToolRun,
    /// Keys the model wants pressed.
    keys_to_press: String,
    listener: Listener,
    speaker: Speaker,
    keys: Keys,
    /// The turn being thought about or answered.
    turn: Option<Turn>,
    turns: TurnId,
    /// The turn that is being collected, worked on ahead.
    attempt: Option<Attempt>,
    speculation: Speculation,
    usage: Usage,
    hearings: HearingId,
    /// The caller made a sound while the agent spoke, and it is not known yet what kind.
    overlap: Option<Overlap>,
    /// The turn being collected cut the agent off.
    barged_in: bool,
    utterances: UtteranceId,
    /// The fixed text being said, if the current utterance is not an answer.
    prompt: Option<String>,
    /// The utterance that was ordered from outside.
    ordered: Option<UtteranceId>,
    /// The greeting is being said.
    greeting: bool,
    /// When the utterance at hand was begun, or last made a sound.
    last_sound: Moment,
    /// Since when nobody has spoken.
    quiet_since: Moment,
    silence_prompts_used: usize,
    /// Speech has failed since it last served an answer.
    failing: Option<Failing>,
    ending: Option<Ending>,
    /// Keys are being pressed.
    voice_waits: bool,
    started: Moment,
    /// Since when the agent waits, and how long it did before.
    paused: Option<Moment>,
    aside: Duration,
}

/// Failures in a row.
#[derive(Debug, Clone, Copy)]
struct Failing {
    since: Moment,
    times: u32,
}

/// The agent is about to end the call.
#[derive(Debug, Clone, Copy)]
struct Ending {
    cause: EndCause,
    /// When to hang up at the latest, whatever is still being said.
    latest: Moment,
    /// All was said; hang up then.
    hang_up_at: Option<Moment>,
}

/// One 20 ms frame of the caller's side.
#[derive(Debug, Clone, Copy)]
pub struct CallerFrame<'a> {
    /// Law-encoded audio.
    pub audio: &'a [u8; FRAME_SAMPLES],
    /// The caller speaks; over the agent's voice, neither its echo nor somebody far away.
    pub voiced: bool,
    /// It is as loud as the caller is, and it has a pitch. Only told over the agent's voice.
    pub near: bool,
    pub pitched: bool,
    /// How long the frame lay in the jitter buffer: it arrived that much earlier.
    pub delay: Duration,
}

// === impl Conversation ===

impl Conversation {
    pub fn new(
        settings: Arc<AgentSettings>,
        limits: SpeechLimits,
        toolbox: Toolbox,
        law: Law,
        started: Moment,
    ) -> Self {
        Self {
            limits,
            law,
            history: History::new(&settings.instructions),
            toolbox,
            running: Vec::new(),
            runs: 0,
            keys_to_press: String::new(),
            listener: Listener::new(settings.wait_for_unknown_words(), law.silence()),
            speaker: Speaker::new(law),
            keys: Keys::default(),
            turn: None,
            turns: 0,
            attempt: None,
            speculation: Speculation::new(settings.speculation),
            usage: Usage::default(),
            hearings: 0,
            overlap: None,
            barged_in: false,
            utterances: 0,
            prompt: None,
            ordered: None,
            greeting: false,
            last_sound: started,
            quiet_since: started,
            silence_prompts_used: 0,
            failing: None,
            ending: None,
            voice_waits: false,
            paused: None,
            aside: Duration::ZERO,
            started,
            settings,
        }
    }

    /// The call is up: greet the caller.
    pub fn begin(&mut self, out: &mut Outbox) {
        let AgentSettings { pipeline, chat_provider, .. } = &*self.settings;
        out.speech(SpeechCommand::WarmUp { pipeline: *pipeline, provider: chat_provider.clone() });
        if !self.settings.mcp.is_empty() {
            out.speech(SpeechCommand::FindTools { servers: self.settings.mcp.clone() });
        }
        if !self.settings.greeting.is_empty() {
            self.say(self.settings.greeting.clone(), out);
            self.greeting = true;
        }
        let (law, voice, text) = (self.law, self.settings.voice.clone(), self.settings.fallback.clone());
        out.speech(SpeechCommand::Prepare { law, voice, text });
    }

    /// The next 20 ms: hears the caller's frame and fills the agent's. True if the agent's frame is voice.
    pub fn tick(
        &mut self,
        now: Moment,
        caller: CallerFrame<'_>,
        agent: &mut [u8; FRAME_SAMPLES],
        out: &mut Outbox,
    ) -> bool {
        self.hear(now, caller, out);
        let spoken = if self.voice_waits {
            agent.fill(self.law.silence());
            Spoken::Silence
        } else {
            self.speaker.next_frame(agent)
        };
        if spoken != Spoken::Silence || !self.speaker.is_busy() || self.voice_waits {
            self.last_sound = now;
        }
        if spoken == (Spoken::Voice { first: true }) {
            self.first_frame_sent(now, out);
        }
        while let Some(text) = self.speaker.take_begun() {
            out.cue(|| Cue::AgentSays(text.to_owned()));
        }
        if let Some(heard) = self.speaker.take_finished() {
            self.utterance_over(now, heard, false, out);
        }
        self.keep_time(now, out);
        spoken != Spoken::Silence
    }

    /// From now on the agent's voice waits, because keys are being pressed, or goes on.
    pub fn let_voice_wait(&mut self, waits: bool) {
        self.voice_waits = waits;
    }

    /// So much of what was said is still on its way to the ear, or waits there.
    pub fn know_unplayed(&mut self, unplayed: Duration) {
        self.speaker.know_unplayed(unplayed);
    }

    /// The next 20 ms of a call on hold: nobody hears anything, so nothing is said and no silence counts.
    pub fn tick_on_hold(&mut self, now: Moment, out: &mut Outbox) {
        self.quiet_since = now;
        self.last_sound = now;
        self.keep_end(now, out);
    }

    /// The agent is in the middle of something, though this frame of it may be silent.
    pub fn is_saying(&self) -> bool {
        self.speaker.is_audible()
    }

    /// Turns the caller took.
    pub fn turns(&self) -> TurnId {
        self.turns
    }

    /// Requests to speech that were made ahead and came to nothing.
    pub fn wasted_requests(&self) -> u32 {
        self.speculation.wasted_requests()
    }

    /// What was used of speech providers.
    pub fn take_usage(&mut self) -> Vec<ProviderUsage> {
        self.usage.take()
    }

    /// The call is over, whoever ended it: what was being said counts as far as it was heard.
    pub fn end(&mut self, now: Moment, out: &mut Outbox) {
        self.be_quiet(now, out);
        if self.hears_for_itself() {
            out.speech(SpeechCommand::Over);
        }
    }

    /// The model hears the caller and speaks itself.
    fn hears_for_itself(&self) -> bool {
        self.settings.pipeline == Pipeline::SpeechToSpeech
    }

    /// Starts saying a fixed text in place of whatever was to be said.
    fn say(&mut self, text: String, out: &mut Outbox) {
        self.start_saying(text, false, out);
    }

    /// Says that something went wrong, to a caller who has waited for that already.
    fn apologise(&mut self, out: &mut Outbox) {
        self.start_saying(self.settings.fallback.clone(), true, out);
    }

    fn start_saying(&mut self, text: String, urgent: bool, out: &mut Outbox) {
        self.drop_attempt(out);
        let utterance = self.begin_utterance();
        self.prompt = Some(text.clone());
        out.speech(self.saying(utterance, text, urgent));
    }

    /// The order to say a fixed text.
    fn saying(&self, utterance: UtteranceId, text: String, urgent: bool) -> SpeechCommand {
        SpeechCommand::Say { utterance, law: self.law, voice: self.settings.voice.clone(), text, urgent }
    }

    /// The order to have the model answer.
    fn answering(&self, utterance: UtteranceId, messages: Vec<ChatMessage>) -> SpeechCommand {
        let AgentSettings { voice, keep_voice, chat_provider, .. } = &*self.settings;
        SpeechCommand::Respond {
            utterance,
            law: self.law,
            voice: voice.clone(),
            keep: *keep_voice,
            provider: chat_provider.clone(),
            messages,
            tools: self.toolbox.definitions(),
        }
    }

    fn begin_utterance(&mut self) -> UtteranceId {
        self.utterances += 1;
        self.speaker.begin(self.utterances);
        self.prompt = None;
        self.greeting = false;
        self.overlap = None;
        self.utterances
    }

    /// Asks for the text of what was heard: a turn that is known by its audio only.
    fn ask_for_transcript(&mut self, now: Moment, heard: CallerTurn, out: &mut Outbox) -> Turn {
        self.hearings += 1;
        let audio = heard.audio.clone();
        let so_far = self.hears_for_itself().then(|| SoFar {
            voice: self.settings.voice.clone(),
            messages: self.history.so_far(),
            tools: self.toolbox.definitions(),
        });
        out.speech(SpeechCommand::Transcribe { hearing: self.hearings, law: self.law, audio, so_far });
        Turn {
            id: self.turns,
            hearing: self.hearings,
            times: TurnTimes::new(heard.last_voiced, now),
            heard: Some(heard),
            text: String::new(),
            answer: None,
            barged_in: false,
            in_history: false,
            errand: Errand::default(),
        }
    }

    /// Asks for the answer to the caller's line: the model's, unless the agent has one for such a line.
    fn ask_for_answer(&mut self, line: &str, out: &mut Outbox) -> UtteranceId {
        let utterance = self.begin_utterance();
        let fixed = self.settings.replies.iter().find(|reply| reply.answers(line));
        out.speech(match fixed {
            Some(reply) => self.saying(utterance, reply.text.clone(), false),
            None => self.answering(utterance, self.history.with_caller_line(line)),
        });
        utterance
    }

    /// Falls silent and keeps account of what was heard. Nothing happens if nothing was under way.
    fn interrupt(&mut self, now: Moment, out: &mut Outbox) {
        self.drop_attempt(out);
        self.overlap = None;
        if let Some(heard) = self.speaker.stop() {
            self.utterance_over(now, heard, true, out);
        } else if let Some(turn) = self.turn.take() {
            self.commit_caller_line(turn);
        }
    }

    /// Writes the caller's words into the history even though they got no answer.
    fn commit_caller_line(&mut self, turn: Turn) {
        if !turn.in_history && !turn.text.is_empty() {
            self.history.caller_said(&turn.text);
        }
    }

    fn first_frame_sent(&mut self, now: Moment, out: &mut Outbox) {
        if let Some(prompt) = &self.prompt {
            // Not always what was to be said: the recorded apology stands in for what cannot be spoken.
            let text = self.speaker.first_sentence().unwrap_or(prompt).to_owned();
            out.event(now, EventKind::PromptStarted { text });
            return;
        }
        let Some(turn) = self.turn.as_mut().filter(|t| t.answer == Some(self.utterances)) else { return };
        turn.times.first_packet = Some(now);
        if !std::mem::replace(&mut turn.in_history, true) {
            self.history.caller_said(&turn.text);
        }
        out.event(now, EventKind::AnswerStarted { turn: turn.id });
    }

    fn utterance_over(&mut self, now: Moment, heard: Heard, interrupted: bool, out: &mut Outbox) {
        self.quiet_since = now;
        if self.hears_for_itself() {
            let (utterance, ms, text) = (heard.utterance, heard.heard_ms, heard.heard_text.clone());
            out.speech(SpeechCommand::Heard { utterance, ms, text });
        }
        if self.ordered.take_if(|ordered| *ordered == heard.utterance).is_some() {
            out.said();
        }
        if self.prompt.take().is_some() {
            self.history.agent_was_heard(&heard.heard_text);
        } else if let Some(mut turn) = self.turn.take() {
            let errand = std::mem::take(&mut turn.errand);
            self.answer_over(now, turn, &heard, interrupted, out);
            self.after_answer(now, errand, heard.heard_ms > 0, interrupted, out);
        }
        self.schedule_hang_up(now);
    }

    fn answer_over(&mut self, now: Moment, turn: Turn, heard: &Heard, interrupted: bool, out: &mut Outbox) {
        out.event(
            now,
            EventKind::TurnCompleted {
                turn: turn.id,
                caller_text: turn.text.clone(),
                agent_text: heard.text.clone(),
                heard_text: heard.heard_text.clone(),
                heard_ms: heard.heard_ms,
                interrupted,
                latency: turn.times.latency(),
            },
        );
        self.commit_caller_line(turn);
        self.history.agent_was_heard(&heard.heard_text);
    }
}
