//! Serves the wishes of calls: one job a call, from caller's audio to text, from history to spoken sentences.
//! What a call does with the results is its own decision; how a provider is spoken to is the ports' matter.

mod sessions;

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use edge_protocol::ProviderUsage;
use futures::future::{BoxFuture, join_all};
use futures::{FutureExt, TryStreamExt};
use tokio::sync::mpsc;
use tokio_util::task::JoinMap;

use super::bill::Bill;
use super::kept_voice::{KeptVoice, Line};
use super::ports::{
    ChatDelta, ChatMessage, ChatStream, Responder, SpeechError, Synthesizer, Tokens, ToolDefinition, Transcriber,
    VoiceStream,
};
use super::prompts::{By, Prompt, Prompts, Said};
use super::realtime::{Caller, Realtime};
use super::route::{Route, Served};
use super::sentences::SentenceSplitter;
use super::tariff::Tariff;
use super::voice::VoiceEncoder;
use crate::audio::g711::Law;
use crate::call::{HearingId, McpServer, Pipeline, SpeechCommand, SpeechEvent, UtteranceId};
use crate::shard::{CallKey, ShardHandle};
use crate::tools::Tools;
use sessions::Sessions;

/// Sentences of an answer that wait for synthesis.
const SENTENCES_WAITING: usize = 16;

/// Samples at 8 kHz.
const SAMPLES_PER_MS: u64 = 8;

/// Where a provider does not count its tokens.
const CHARACTERS_PER_TOKEN: u64 = 4;

/// The providers of one node's calls.
pub struct Providers {
    pub transcriber: Arc<Route<dyn Transcriber>>,
    pub responder: Arc<Route<dyn Responder>>,
    pub synthesizer: Arc<Route<dyn Synthesizer>>,
    pub prompts: Arc<Prompts>,
    pub kept_voice: Arc<KeptVoice>,
    pub tariff: Arc<Tariff>,
    /// Serves the calls that want speech-to-speech; `None`: the three above do.
    pub realtime: Option<Realtime>,
}

/// Takes commands of all shards' calls until the shards are gone.
pub struct Desk {
    providers: Arc<Providers>,
    tools: Arc<Tools>,
    shards: Vec<ShardHandle>,
}

/// One job: what it needs to serve one command of one call.
#[derive(Clone)]
struct Job {
    providers: Arc<Providers>,
    shard: ShardHandle,
    key: CallKey,
}

/// How one answer is spoken.
#[derive(Clone)]
struct Speaking {
    utterance: UtteranceId,
    law: Law,
    voice: Option<Arc<str>>,
    /// What is said often is kept.
    keep: bool,
}

/// A sentence's audio.
enum Voice {
    Kept(Bytes),
    /// It is being spoken; to be kept as `keep_as` if all of it comes.
    Fresh {
        stream: VoiceStream,
        keep_as: Option<Line>,
    },
}

/// What an answer under way is charged.
struct ChatBill {
    bill: Bill,
    /// Who answers, by the place in the order.
    by: usize,
    tokens: Tokens,
}

// === impl Providers ===

impl Providers {
    /// Has the connections ready that a turn needs. Mostly they are, and then no call pays for a task.
    fn warm_up(&self, chat_provider: Option<&str>) {
        let first = self.responder.place(chat_provider);
        let stages = [self.transcriber.warm_up(0), self.responder.warm_up(first), self.synthesizer.warm_up(0)];
        let cold: Vec<_> = stages.into_iter().flatten().collect();
        if !cold.is_empty() {
            tokio::spawn(join_all(cold));
        }
    }
}

// === impl Desk ===

impl Desk {
    /// `shards` in the order of their numbers.
    pub fn new(providers: Providers, tools: Arc<Tools>, shards: Vec<ShardHandle>) -> Self {
        Self { providers: Arc::new(providers), tools, shards }
    }

    pub async fn run(self, mut commands: mpsc::Receiver<(CallKey, SpeechCommand)>) {
        // A call has one job at a time: a new one for the same key ends the one before.
        let mut jobs: JoinMap<CallKey, ()> = JoinMap::new();
        let mut sessions = Sessions::default();
        loop {
            tokio::select! {
                command = commands.recv() => {
                    let Some((key, command)) = command else { return };
                    if let Some(command) = self.pass_on(&mut sessions, key, command) {
                        self.begin(&mut jobs, key, command);
                    }
                }
                Some((_key, ended)) = jobs.join_next(), if !jobs.is_empty() => {
                    if let Err(error) = ended && error.is_panic() {
                        tracing::error!(%error, "a speech job panicked");
                    }
                }
            }
        }
    }

    /// Gives the command to the call's session, if it has one and is to have it; what comes back is the three stages'.
    fn pass_on(&self, sessions: &mut Sessions, key: CallKey, command: SpeechCommand) -> Option<SpeechCommand> {
        match command {
            SpeechCommand::Prepare { .. } | SpeechCommand::RunTool { .. } | SpeechCommand::FindTools { .. } => {
                Some(command)
            }
            SpeechCommand::WarmUp { pipeline: Pipeline::SpeechToSpeech, .. } => {
                if let Some((realtime, job)) = self.providers.realtime.clone().zip(self.job(key)) {
                    sessions.open(key, realtime, job);
                }
                // The stages say the fixed texts, and help out.
                sessions.pass_on(key, command.clone());
                Some(command)
            }
            command => sessions.pass_on(key, command),
        }
    }

    fn begin(&self, jobs: &mut JoinMap<CallKey, ()>, key: CallKey, command: SpeechCommand) {
        match command {
            SpeechCommand::Cancel => drop(jobs.abort(&key)),
            SpeechCommand::WarmUp { provider, .. } => self.providers.warm_up(provider.as_deref()),
            SpeechCommand::Heard { .. } | SpeechCommand::Over => {}
            SpeechCommand::Prepare { law, voice, text } => {
                let prompt = Prompt { voice, text, law };
                let Providers { prompts, synthesizer, .. } = &*self.providers;
                if !prompts.have(&prompt, synthesizer)
                    && let Some(job) = self.job(key)
                {
                    tokio::spawn(job.prepare(prompt));
                }
            }
            // What a tool does is done, whatever becomes of the turn.
            SpeechCommand::RunTool { run, call_id, tool, arguments } => {
                let Some((shard, tools)) = self.shard(key).zip(Some(self.tools.clone())) else { return };
                tokio::spawn(async move {
                    let outcome = tools.run(&call_id, &tool, &arguments).await;
                    shard.speech(key, SpeechEvent::ToolFinished { run, outcome }).await;
                });
            }
            SpeechCommand::FindTools { servers } => {
                for server in servers.iter() {
                    tokio::spawn(find_tools(self.tools.clone(), server.clone(), self.shard(key), key));
                }
            }
            command => {
                if let Some(job) = self.job(key) {
                    jobs.spawn(key, job.serve(command));
                }
            }
        }
    }

    fn shard(&self, key: CallKey) -> Option<ShardHandle> {
        self.shards.get(usize::from(key.shard)).cloned()
    }

    fn job(&self, key: CallKey) -> Option<Job> {
        Some(Job { providers: self.providers.clone(), shard: self.shard(key)?, key })
    }
}

async fn find_tools(tools: Arc<Tools>, server: Arc<McpServer>, shard: Option<ShardHandle>, key: CallKey) {
    match (tools.find(&server).await, shard) {
        (Ok(tools), Some(shard)) => shard.speech(key, SpeechEvent::ToolsFound { server, tools }).await,
        (Ok(_), None) => {}
        (Err(error), _) => tracing::warn!(server = server.name, url = server.url, error, "an MCP server has no tools"),
    }
}

// === impl Job ===

impl Job {
    async fn serve(self, command: SpeechCommand) {
        let (hearing, utterance, outcome) = match command {
            SpeechCommand::Transcribe { hearing, law, audio, .. } => {
                (Some(hearing), None, self.transcribe(hearing, law, &audio).await)
            }
            SpeechCommand::Respond { utterance, law, voice, keep, provider, messages, tools } => {
                let answer = self.answer(provider, messages, tools);
                let speaking = Speaking { utterance, law, voice, keep };
                (None, Some(utterance), self.respond(speaking, answer).await)
            }
            SpeechCommand::Say { utterance, law, voice, text, urgent } => {
                self.say(utterance, Prompt { voice, text, law }, urgent).await;
                return;
            }
            _ => return,
        };
        if let Err(error) = outcome {
            let (stage, error) = (error.stage(), error.to_string());
            self.tell(SpeechEvent::Failed { hearing, utterance, stage, error }).await;
        }
    }

    async fn transcribe(&self, hearing: HearingId, law: Law, audio: &[u8]) -> Result<(), SpeechError> {
        let pcm = audio.iter().map(|&byte| law.decode(byte)).collect();
        let (route, tariff) = (&self.providers.transcriber, &self.providers.tariff);
        let used = |by| tariff.transcription(route.name(by), audio.len() as u64 / SAMPLES_PER_MS);
        let mut bill = self.bill(used(0));
        let text = match route.transcribe(pcm).await {
            Ok(Served { by, what }) => {
                bill.is(used(by));
                what
            }
            Err(error) => {
                bill.tear_up();
                return Err(error);
            }
        };
        self.tell(SpeechEvent::Transcribed { hearing, text: text.trim().to_owned() }).await;
        Ok(())
    }

    /// The answer as it comes, and its bill.
    async fn answer(
        &self,
        provider: Option<Arc<str>>,
        messages: Vec<ChatMessage>,
        tools: Arc<[ToolDefinition]>,
    ) -> Result<(ChatStream, ChatBill), SpeechError> {
        let route = &self.providers.responder;
        let input = messages.iter().map(ChatMessage::characters).sum::<usize>() as u64 / CHARACTERS_PER_TOKEN;
        let tokens = Tokens { input, ..Tokens::default() };
        let first = route.place(provider.as_deref());
        let priced = self.providers.tariff.chat(route.name(first), tokens);
        let mut bill = ChatBill { bill: self.bill(priced), by: first, tokens };
        match route.respond(first, messages, tools).await {
            Ok(Served { by, what }) => {
                bill.by = by;
                Ok((what, bill))
            }
            Err(error) => {
                bill.bill.tear_up();
                Err(error)
            }
        }
    }

    /// Text is split into sentences as it comes; a sentence is synthesised while the one before is still handed over.
    async fn respond(
        &self,
        speaking: Speaking,
        answer: impl Future<Output = Result<(ChatStream, ChatBill), SpeechError>>,
    ) -> Result<(), SpeechError> {
        let (deltas, bill) = answer.await?;
        let utterance = speaking.utterance;
        let (found, sentences) = mpsc::channel(SENTENCES_WAITING);
        let (spoken, voices) = mpsc::channel(1);
        let ((), (), ()) = tokio::try_join!(
            self.find_sentences(utterance, deltas, bill, found),
            self.synthesize(&speaking, sentences, spoken),
            self.hand_over(utterance, speaking.law, voices),
        )?;
        self.tell(SpeechEvent::Said { utterance }).await;
        Ok(())
    }

    async fn find_sentences(
        &self,
        utterance: UtteranceId,
        mut deltas: ChatStream,
        mut bill: ChatBill,
        found: mpsc::Sender<String>,
    ) -> Result<(), SpeechError> {
        let mut splitter = SentenceSplitter::default();
        let (mut calls, mut first, mut empty) = (Vec::new(), true, true);
        while let Some(delta) = deltas.try_next().await? {
            if std::mem::take(&mut first) {
                self.tell(SpeechEvent::FirstToken { utterance }).await;
            }
            self.charge(&mut bill, &delta);
            match delta {
                ChatDelta::Used(_) => {}
                ChatDelta::ToolCall(call) => calls.push(call),
                ChatDelta::Text(text) => {
                    empty &= text.trim().is_empty();
                    for sentence in splitter.push(&text) {
                        // The other half ends only when this one does, or with an error that ends both.
                        let _ = found.send(sentence).await;
                    }
                }
            }
        }
        if let Some(rest) = splitter.flush() {
            let _ = found.send(rest).await;
        }
        if !calls.is_empty() {
            self.tell(SpeechEvent::ToolsCalled { utterance, calls }).await;
        } else if empty {
            return Err(SpeechError::NoAnswer);
        }
        Ok(())
    }

    async fn synthesize(
        &self,
        speaking: &Speaking,
        mut sentences: mpsc::Receiver<String>,
        spoken: mpsc::Sender<(String, Voice)>,
    ) -> Result<(), SpeechError> {
        while let Some(text) = sentences.recv().await {
            let voice = self.kept_or_spoken(speaking, &text).await?;
            // The other half ends only when this one does, or with an error that ends both.
            let _ = spoken.send((text, voice)).await;
        }
        Ok(())
    }

    async fn kept_or_spoken(&self, speaking: &Speaking, text: &str) -> Result<Voice, SpeechError> {
        let Providers { kept_voice, synthesizer, .. } = &*self.providers;
        let line = Line::new(synthesizer.name(0), speaking.voice.clone(), speaking.law, text);
        if speaking.keep
            && let Some(audio) = kept_voice.get(&line)
        {
            self.tell(SpeechEvent::Used(Tariff::kept(synthesizer.name(0)))).await;
            return Ok(Voice::Kept(audio));
        }
        let Served { by, what: stream } = self.speak(speaking.voice.clone(), text.to_owned()).await?;
        // Another voice than the agent's own is for when there is no other.
        let worth_keeping = speaking.keep && by == 0 && kept_voice.said_again(&line);
        Ok(Voice::Fresh { stream, keep_as: worth_keeping.then_some(line) })
    }

    async fn speak(&self, voice: Option<Arc<str>>, text: String) -> Result<Served<VoiceStream>, SpeechError> {
        let (route, characters) = (&self.providers.synthesizer, text.chars().count() as u64);
        let used = |by| self.providers.tariff.synthesis(route.name(by), characters);
        let mut bill = self.bill(used(0));
        match route.speak(voice, text).await {
            Ok(served) => {
                bill.is(used(served.by));
                Ok(served)
            }
            Err(error) => {
                bill.tear_up();
                Err(error)
            }
        }
    }

    async fn hand_over(
        &self,
        utterance: UtteranceId,
        law: Law,
        mut voices: mpsc::Receiver<(String, Voice)>,
    ) -> Result<(), SpeechError> {
        while let Some((text, voice)) = voices.recv().await {
            self.tell(SpeechEvent::Sentence { utterance, text }).await;
            match voice {
                Voice::Kept(audio) => self.voice(utterance, audio).await,
                Voice::Fresh { stream, keep_as } => self.speak_one(utterance, law, stream, keep_as).await?,
            }
        }
        Ok(())
    }

    async fn speak_one(
        &self,
        utterance: UtteranceId,
        law: Law,
        stream: VoiceStream,
        keep_as: Option<Line>,
    ) -> Result<(), SpeechError> {
        let VoiceStream { sample_rate_hz, mut pcm } = stream;
        let (mut encoder, mut whole) = (VoiceEncoder::new(sample_rate_hz, law)?, BytesMut::new());
        loop {
            let piece = pcm.try_next().await?;
            let audio = match &piece {
                Some(pcm) => encoder.push(pcm),
                None => encoder.finish(),
            };
            if keep_as.is_some() {
                whole.extend_from_slice(&audio);
            }
            self.voice(utterance, audio).await;
            if piece.is_none() {
                break;
            }
        }
        if let Some(line) = keep_as {
            self.providers.kept_voice.put(line, whole.freeze());
        }
        Ok(())
    }

    /// A fixed text never fails: what no provider can speak is replaced by a recorded apology.
    async fn say(&self, utterance: UtteranceId, prompt: Prompt, urgent: bool) {
        let Providers { prompts, synthesizer, .. } = &*self.providers;
        let Said { text, audio, by } = prompts.audio(&prompt, urgent, synthesizer).await;
        if by == By::Kept {
            self.tell(SpeechEvent::Used(Tariff::kept(synthesizer.name(0)))).await;
        }
        self.charge_prompt(by, &text).await;
        self.tell(SpeechEvent::Sentence { utterance, text }).await;
        self.voice(utterance, audio).await;
        self.tell(SpeechEvent::Said { utterance }).await;
    }

    async fn prepare(self, prompt: Prompt) {
        let by = self.providers.prompts.prepare(&prompt, &self.providers.synthesizer).await;
        self.charge_prompt(by, &prompt.text).await;
    }

    /// A fixed text is charged to who had it synthesised.
    async fn charge_prompt(&self, by: By, text: &str) {
        if let By::Provider(by) = by {
            let (provider, characters) = (self.providers.synthesizer.name(by), text.chars().count() as u64);
            self.tell(SpeechEvent::Used(self.providers.tariff.synthesis(provider, characters))).await;
        }
    }

    async fn voice(&self, utterance: UtteranceId, audio: Bytes) {
        if !audio.is_empty() {
            self.tell(SpeechEvent::Voice { utterance, audio }).await;
        }
    }

    fn bill(&self, used: ProviderUsage) -> Bill {
        Bill::new(self.shard.clone(), self.key, used)
    }

    /// What the provider counted is charged; while it has counted nothing, an estimate.
    fn charge(&self, ChatBill { bill, by, tokens }: &mut ChatBill, delta: &ChatDelta) {
        match delta {
            ChatDelta::Used(counted) => *tokens = *counted,
            ChatDelta::Text(text) => tokens.output += (text.chars().count() as u64).div_ceil(CHARACTERS_PER_TOKEN),
            ChatDelta::ToolCall(call) => tokens.output += call.arguments.len() as u64 / CHARACTERS_PER_TOKEN,
        }
        bill.is(self.providers.tariff.chat(self.providers.responder.name(*by), *tokens));
    }

    async fn tell(&self, event: SpeechEvent) {
        self.shard.speech(self.key, event).await;
    }
}

impl Caller for Job {
    fn tell(&self, event: SpeechEvent) -> BoxFuture<'_, ()> {
        self.shard.speech(self.key, event).boxed()
    }

    fn by_stages(&self, command: SpeechCommand) -> BoxFuture<'static, ()> {
        self.clone().serve(command).boxed()
    }
}
