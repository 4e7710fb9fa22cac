//! Fixed texts are kept by what makes them sound different.
//! Nothing here runs outside tests.

use edge_protocol::SpeechStage;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, stream};

use super::*;
use crate::speech::{BreakerSettings, Provider, RouteSettings};

/// Speaks 20 ms of silence and remembers what it was asked.
#[derive(Default)]
struct Fake {
    asked: Mutex<Vec<(Option<Arc<str>>, String)>>,
}

impl Provider for Fake {}

impl Synthesizer for Fake {
    fn speak(&self, voice: Option<Arc<str>>, text: String) -> BoxFuture<'static, Result<VoiceStream, SpeechError>> {
        self.asked.lock().unwrap().push((voice, text));
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

fn prompt(voice: Option<&str>, text: &str) -> Prompt {
    Prompt { voice: voice.map(Arc::from), text: text.to_owned(), law: Law::Mu }
}

#[tokio::test]
async fn a_text_is_synthesised_once_for_each_voice() {
    let (prompts, fake) = (Prompts::default(), Arc::new(Fake::default()));
    let route = only(&fake);
    let wanted = [prompt(None, "Hello."), prompt(Some("rms"), "Hello."), prompt(Some("slt"), "Hello.")];
    for prompt in wanted.iter().chain(&wanted) {
        assert_eq!(prompts.audio(prompt, false, &route).await.text, "Hello.");
    }
    let voices: Vec<_> = fake.asked.lock().unwrap().iter().map(|(voice, _)| voice.clone()).collect();
    assert_eq!(voices, [None, Some(Arc::from("rms")), Some(Arc::from("slt"))]);
}

#[tokio::test]
async fn the_texts_used_last_are_kept_when_there_are_too_many() {
    let (prompts, fake) = (Prompts::default(), Arc::new(Fake::default()));
    let route = only(&fake);
    prompts.audio(&prompt(None, "first"), false, &route).await;
    for n in 0..MOST_KEPT.get() {
        prompts.audio(&prompt(None, "kept"), false, &route).await;
        prompts.audio(&prompt(None, &n.to_string()), false, &route).await;
    }
    let asked = fake.asked.lock().unwrap().len();
    prompts.audio(&prompt(None, "kept"), false, &route).await;
    assert_eq!(fake.asked.lock().unwrap().len(), asked);
    prompts.audio(&prompt(None, "first"), false, &route).await;
    assert_eq!(fake.asked.lock().unwrap().len(), asked + 1);
}
