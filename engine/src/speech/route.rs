//! Whom a stage asks: providers in their order, the next one when one fails before anything of its answer was seen.
//! Knows the ports and no provider; how each is left alone for a while is `breaker`.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use edge_protocol::SpeechStage;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, Stream, StreamExt, future, stream};
use tokio::time::{Instant, sleep, timeout_at};

use super::breaker::{Breaker, BreakerSettings, Permit};
use super::ports::{
    ChatMessage, ChatStream, Provider, Responder, SpeechError, Synthesizer, ToolDefinition, Transcriber, VoiceStream,
    hearing_time,
};

/// How a stage deals with providers that fail or are slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouteSettings {
    /// From the request to the first of an answer, whoever gives it.
    pub limit: Duration,
    /// Nothing of an answer for so long: the next provider is asked too, and the first to deliver serves.
    pub hedge_after: Option<Duration>,
    pub breaker: BreakerSettings,
}

/// The providers of one stage, the best first.
pub struct Route<P: ?Sized> {
    stage: SpeechStage,
    settings: RouteSettings,
    hops: Vec<Hop<P>>,
}

struct Hop<P: ?Sized> {
    name: String,
    port: Arc<P>,
    breaker: Arc<Breaker>,
}

/// What was delivered, and by whom.
#[derive(Debug)]
pub struct Served<T> {
    /// Place in the order, from 0.
    pub by: usize,
    pub what: T,
}

/// A stream that tells what becomes of it to its provider's breaker.
struct Watched<S> {
    stream: S,
    permit: Option<Permit>,
}

// === impl Route ===

impl<P: Provider + ?Sized> Route<P> {
    /// `providers` by their names, the best first.
    pub fn new(
        stage: SpeechStage,
        settings: RouteSettings,
        providers: impl IntoIterator<Item = (String, Arc<P>)>,
    ) -> Self {
        let hop = |(name, port): (String, Arc<P>)| {
            let breaker = Breaker::new(format!("{name}, {stage:?}"), settings.breaker);
            Hop { name, port, breaker }
        };
        Self { stage, settings, hops: providers.into_iter().map(hop).collect() }
    }

    /// Name of the provider at that place in the order.
    pub fn name(&self, place: usize) -> &str {
        self.hops.get(place).map_or("", |hop| hop.name.as_str())
    }

    /// Place in the order of the provider of that name; the first, if there is none or nobody has it.
    pub fn place(&self, name: Option<&str>) -> usize {
        name.and_then(|name| self.hops.iter().position(|hop| hop.name == name)).unwrap_or(0)
    }

    /// What has the connections ready to who is asked first; `None`: they are.
    pub fn warm_up(&self, first: usize) -> Option<BoxFuture<'static, ()>> {
        self.hops.get(first)?.port.warm_up()
    }

    /// Is a request likely to be served?
    pub fn is_well(&self) -> bool {
        let now = Instant::now();
        self.hops.iter().any(|hop| hop.breaker.is_well(now))
    }

    /// Asks one after the other, the one in place `first` before all others. A provider with others behind it may take two
    /// thirds of the time that is left. Who is slower than the one that was asked after it counts as failed.
    async fn ask<T, A>(&self, first: usize, limit: Duration, ask: A) -> Result<(Served<T>, Permit), SpeechError>
    where
        A: Fn(usize, &P) -> BoxFuture<'static, Result<T, SpeechError>>,
    {
        let begun = Instant::now();
        let anyway = !self.hops.iter().any(|hop| hop.breaker.allows(begun));
        let allowed = |(_, hop): &(usize, &Hop<P>)| anyway || hop.breaker.allows(begun);
        let mut waiting: Vec<_> = self.hops.iter().enumerate().filter(allowed).collect();
        waiting.sort_by_key(|(at, _)| *at != first);
        let mut waiting = waiting.into_iter().peekable();
        let mut asked = FuturesUnordered::new();
        let mut permits: Vec<(usize, Permit)> = Vec::new();
        let mut failure = None;
        loop {
            let now = Instant::now();
            if let Some((at, hop)) = waiting.next() {
                // Somebody else may have taken the trial in the meantime.
                let Some(permit) = hop.breaker.permit(now).or_else(|| anyway.then(|| hop.breaker.permit_anyway()))
                else {
                    continue;
                };
                permits.push((at, permit));
                let left = (begun + limit).saturating_duration_since(now);
                let share = if waiting.peek().is_some() { left * 2 / 3 } else { left };
                let answer = timeout_at(now + share, ask(at, hop.port.as_ref()));
                asked.push(answer.map(move |outcome| (at, outcome.unwrap_or_else(|_| Err(self.timed_out(at, share))))));
            } else if asked.is_empty() {
                return Err(failure.unwrap_or_else(|| self.nobody()));
            }
            let hedge = self.settings.hedge_after.filter(|_| waiting.peek().is_some());
            let hedge = async { if let Some(after) = hedge { sleep(after).await } else { future::pending().await } };
            let (at, outcome) = tokio::select! {
                biased;
                Some(answered) = asked.next() => answered,
                () = hedge => continue,
            };
            let Some(index) = permits.iter().position(|(of, _)| *of == at) else { continue };
            let (_, mut permit) = permits.remove(index);
            match outcome {
                Ok(what) => {
                    permit.serves();
                    permits.into_iter().take(index).for_each(|(_, beaten)| beaten.failed());
                    return Ok((Served { by: at, what }, permit));
                }
                Err(error) if error.is_providers_fault() => {
                    tracing::debug!(%error, "a provider failed before its answer began");
                    permit.failed();
                    failure = Some(error);
                }
                Err(error) => {
                    permit.serves();
                    return Err(error);
                }
            }
        }
    }

    fn timed_out(&self, at: usize, after: Duration) -> SpeechError {
        SpeechError::TimedOut { stage: self.stage, base_url: self.name(at).to_owned(), after }
    }

    fn nobody(&self) -> SpeechError {
        let reason = "nobody else is left to ask".to_owned();
        SpeechError::Unreachable { stage: self.stage, base_url: "every provider".to_owned(), reason }
    }
}

impl Route<dyn Transcriber> {
    /// The text of `pcm`, 8 kHz mono.
    pub async fn transcribe(&self, pcm: Vec<i16>) -> Result<Served<String>, SpeechError> {
        let limit = self.settings.limit + hearing_time(pcm.len());
        let (served, _permit) = self.ask(0, limit, |_, port| port.transcribe(pcm.clone())).await?;
        Ok(served)
    }
}

impl Route<dyn Responder> {
    /// The next line, of which something is there already. `first` is who is asked before the others.
    pub async fn respond(
        &self,
        first: usize,
        messages: Vec<ChatMessage>,
        tools: Arc<[ToolDefinition]>,
    ) -> Result<Served<ChatStream>, SpeechError> {
        let ask = |_, port: &(dyn Responder + 'static)| {
            let answer = port.respond(messages.clone(), Arc::clone(&tools));
            async move { Ok(begun(answer.await?).await?.boxed() as ChatStream) }.boxed()
        };
        let (Served { by, what }, permit) = self.ask(first, self.settings.limit, ask).await?;
        Ok(Served { by, what: watched(what, permit) })
    }
}

impl Route<dyn Synthesizer> {
    /// `text` as a voice of which something is there already. The names of voices are those of the first provider:
    /// the others speak with their own.
    pub async fn speak(&self, voice: Option<Arc<str>>, text: String) -> Result<Served<VoiceStream>, SpeechError> {
        let ask = |at, port: &(dyn Synthesizer + 'static)| {
            let spoken = port.speak(voice.clone().filter(|_| at == 0), text.clone());
            async move {
                let VoiceStream { sample_rate_hz, pcm } = spoken.await?;
                Ok(VoiceStream { sample_rate_hz, pcm: begun(pcm).await?.boxed() })
            }
            .boxed()
        };
        let (Served { by, what }, permit) = self.ask(0, self.settings.limit, ask).await?;
        let VoiceStream { sample_rate_hz, pcm } = what;
        Ok(Served { by, what: VoiceStream { sample_rate_hz, pcm: watched(pcm, permit) } })
    }
}

/// The stream once its first piece is there, or the error that came instead.
async fn begun<T, S>(mut stream: S) -> Result<impl Stream<Item = Result<T, SpeechError>> + Send, SpeechError>
where
    T: Send,
    S: Stream<Item = Result<T, SpeechError>> + Send + Unpin,
{
    let first = stream.next().await.transpose()?;
    Ok(stream::iter(first.map(Ok)).chain(stream))
}

fn watched<'a, T: 'a, S>(stream: S, permit: Permit) -> Pin<Box<dyn Stream<Item = Result<T, SpeechError>> + Send + 'a>>
where
    S: Stream<Item = Result<T, SpeechError>> + Send + Unpin + 'a,
{
    Box::pin(Watched { stream, permit: Some(permit) })
}

// === impl Watched ===

impl<T, S: Stream<Item = Result<T, SpeechError>> + Unpin> Stream for Watched<S> {
    type Item = Result<T, SpeechError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let item = self.stream.poll_next_unpin(cx);
        if let Poll::Ready(Some(Err(error))) = &item
            && error.is_providers_fault()
            && let Some(permit) = self.permit.take()
        {
            permit.failed();
        }
        item
    }
}

#[cfg(test)]
mod tests;
