//! Fixed texts are kept by what makes them sound different.
//! Nothing here runs outside tests.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use edge_protocol::SpeechStage;
use futures::future::{BoxFuture, pending};
use futures::{FutureExt, StreamExt, stream};

use super::*;
use crate::speech::{BreakerSettings, Provider, RouteSettings};

/// Speaks 20 ms of silence and remembers what it was asked.
#[derive(Default)]
struct Fake {
    asked: Mutex<Vec<(Option<Arc<str>>, String)>>,
    /// Nothing comes of it any more.
    stalls: AtomicBool,
}

impl Provider for Fake {}

impl Synthesizer for Fake {
    fn speak(&self, voice: Option<Arc<str>>, text: String) -> BoxFuture<'static, Result<VoiceStream, SpeechError>> {
        self.asked.lock().unwrap().push((voice, text));
        if self.stalls.load(Relaxed) {
            return pending().boxed();
        }
        let pcm = stream::iter([Ok(Bytes::from_static(&[0; 320]))]).boxed();
        async { Ok(VoiceStream { sample_rate_hz: 8000, pcm }) }.boxed()
    }
}

/// All of synthesis is this one fake.
fn only(fake: &Arc<Fake>) -> Route<dyn Synthesizer> {
    let provider: Arc<dyn Synthesizer> = fake.clone();
    let limit = Duration::from_secs(1);
    let settings = RouteSettings { limit, hedge_after: None, breaker: BreakerSettings::default() };
    Route::new(SpeechStage::Synthesis, settings, [("fake".to_owned(), provider)])
}

fn prompts() -> Prompts {
    Prompts::new(Arc::new(KeptVoice::new(1 << 20)))
}

fn prompt(voice: Option<&str>, text: &str) -> Prompt {
    Prompt { voice: voice.map(Arc::from), text: text.to_owned(), law: Law::Mu }
}

#[tokio::test]
async fn a_text_is_synthesised_once_for_each_voice() {
    let (prompts, fake) = (prompts(), Arc::new(Fake::default()));
    let route = only(&fake);
    let wanted = [prompt(None, "Hello."), prompt(Some("rms"), "Hello."), prompt(Some("slt"), "Hello.")];
    for prompt in wanted.iter().chain(&wanted) {
        assert_eq!(prompts.audio(prompt, false, &route).await.text, "Hello.");
    }
    let voices: Vec<_> = fake.asked.lock().unwrap().iter().map(|(voice, _)| voice.clone()).collect();
    assert_eq!(voices, [None, Some(Arc::from("rms")), Some(Arc::from("slt"))]);
}

#[tokio::test]
async fn what_was_spoken_before_costs_nothing_and_what_nobody_speaks_is_the_apology() {
    let (prompts, fake) = (prompts(), Arc::new(Fake::default()));
    let route = only(&fake);
    let hello = prompt(None, "Hello.");
    assert_eq!(prompts.prepare(&hello, &route).await, By::Provider(0));
    assert_eq!(prompts.prepare(&hello, &route).await, By::Kept);
    assert_eq!(prompts.audio(&hello, true, &route).await.by, By::Kept);
    fake.stalls.store(true, Relaxed);
    assert_eq!(prompts.audio(&hello, true, &route).await.text, "Hello.", "it is kept");
}

#[tokio::test(start_paused = true)]
async fn an_urgent_text_is_not_waited_for() {
    let (prompts, fake) = (prompts(), Arc::new(Fake::default()));
    let route = only(&fake);
    fake.stalls.store(true, Relaxed);
    for (urgent, longest) in [(true, LITTLE_PATIENCE), (false, Duration::from_secs(1))] {
        let asked = tokio::time::Instant::now();
        let said = prompts.audio(&prompt(None, "Sorry."), urgent, &route).await;
        assert_eq!((said.text.as_str(), said.by), (APOLOGY, By::Nobody));
        assert_eq!(asked.elapsed(), longest);
    }
}
