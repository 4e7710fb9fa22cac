//! Providers of which some fail, stall or are slow, in virtual time: who is asked, who serves, what is told.
//! Nothing here runs outside tests.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

use super::*;
use crate::speech::PcmStream;

const LIMIT: Duration = Duration::from_millis(2400);
const STAGE: SpeechStage = SpeechStage::Synthesis;

/// What a provider does when it is asked.
#[derive(Clone)]
enum Does {
    /// The first piece after so many milliseconds.
    Speaks(u64),
    /// Status, at once.
    Refuses(u16),
    Stalls,
    /// Opens its answer, and cuts it off before a byte of it came.
    CutsAtOnce,
    /// Says something, and cuts it off.
    CutsLater,
}

/// Speaks one byte, its own, at a rate of its own.
struct Fake {
    byte: u8,
    does: Does,
    asked: AtomicUsize,
    voices: std::sync::Mutex<Vec<Option<Arc<str>>>>,
}

fn cut_off() -> SpeechError {
    SpeechError::CutOff { stage: STAGE, base_url: String::new(), reason: String::new() }
}

impl Provider for Fake {}

impl Synthesizer for Fake {
    fn speak(&self, voice: Option<Arc<str>>, _: String) -> BoxFuture<'static, Result<VoiceStream, SpeechError>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.voices.lock().unwrap().push(voice);
        let (sample_rate_hz, does) = (8000 * (1 + u32::from(self.byte)), self.does.clone());
        let byte = Bytes::copy_from_slice(&[self.byte]);
        async move {
            let pcm: PcmStream = match does {
                Does::Speaks(after) => {
                    // The answer is opened at once: only its first piece counts.
                    stream::once(async move {
                        sleep(Duration::from_millis(after)).await;
                        Ok(byte)
                    })
                    .boxed()
                }
                Does::Refuses(status) => {
                    let (base_url, message) = (String::new(), String::new());
                    return Err(SpeechError::Refused { stage: STAGE, base_url, status, message });
                }
                Does::Stalls => stream::pending().boxed(),
                Does::CutsAtOnce => stream::iter([Err(cut_off())]).boxed(),
                Does::CutsLater => stream::iter([Ok(byte), Err(cut_off())]).boxed(),
            };
            Ok(VoiceStream { sample_rate_hz, pcm })
        }
        .boxed()
    }
}

struct Scene {
    fakes: Vec<Arc<Fake>>,
    route: Route<dyn Synthesizer>,
    begun: Instant,
}

impl Scene {
    fn new(does: &[Does]) -> Self {
        Self::hedged(does, None)
    }

    fn hedged(does: &[Does], hedge_after: Option<u64>) -> Self {
        let fakes: Vec<Arc<Fake>> = (0..)
            .zip(does)
            .map(|(byte, does)| {
                let (asked, voices) = (AtomicUsize::default(), std::sync::Mutex::default());
                Arc::new(Fake { byte, does: does.clone(), asked, voices })
            })
            .collect();
        let hedge_after = hedge_after.map(Duration::from_millis);
        let settings = RouteSettings { limit: LIMIT, hedge_after, breaker: BreakerSettings::default() };
        let named = fakes.iter().map(|fake| (format!("p{}", fake.byte), Arc::clone(fake) as Arc<dyn Synthesizer>));
        let route = Route::new(STAGE, settings, named);
        Self { fakes, route, begun: Instant::now() }
    }

    async fn speak(&self) -> Result<Served<VoiceStream>, SpeechError> {
        self.route.speak(Some(Arc::from("echo")), "Hello.".to_owned()).await
    }

    /// Who served, and all that came.
    async fn spoken(&self) -> (usize, Vec<Result<Bytes, SpeechError>>) {
        let Served { by, what } = self.speak().await.unwrap();
        (by, what.pcm.collect().await)
    }

    fn asked(&self) -> Vec<usize> {
        self.fakes.iter().map(|fake| fake.asked.load(Ordering::Relaxed)).collect()
    }

    fn took_ms(&self) -> u128 {
        self.begun.elapsed().as_millis()
    }
}

fn byte(byte: u8) -> Result<Bytes, SpeechError> {
    Ok(Bytes::copy_from_slice(&[byte]))
}

#[tokio::test(start_paused = true)]
async fn while_the_first_is_well_nobody_else_is_asked() {
    let scene = Scene::new(&[Does::Speaks(100), Does::Speaks(0)]);
    assert_eq!(scene.spoken().await, (0, vec![byte(0)]));
    assert_eq!((scene.asked(), scene.took_ms()), (vec![1, 0], 100));
}

#[tokio::test(start_paused = true)]
async fn what_fails_before_a_byte_was_heard_is_served_by_the_next_at_once() {
    for does in [Does::Refuses(500), Does::Refuses(503), Does::Refuses(429), Does::CutsAtOnce] {
        let scene = Scene::new(&[does, Does::Refuses(500), Does::Speaks(50)]);
        assert_eq!(scene.spoken().await, (2, vec![byte(2)]));
        assert_eq!((scene.asked(), scene.took_ms()), (vec![1, 1, 1], 50));
    }
}

#[tokio::test(start_paused = true)]
async fn our_own_mistake_is_told_and_not_hidden_by_another_provider() {
    for status in [400, 401, 403, 404] {
        let scene = Scene::new(&[Does::Refuses(status), Does::Speaks(0)]);
        assert!(matches!(scene.speak().await, Err(SpeechError::Refused { status: told, .. }) if told == status));
        assert_eq!(scene.asked(), [1, 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_stalls_leaves_the_next_a_third_of_the_time() {
    let scene = Scene::new(&[Does::Stalls, Does::Speaks(700)]);
    assert_eq!(scene.spoken().await.0, 1);
    assert_eq!(scene.took_ms(), 1600 + 700);
}

#[tokio::test(start_paused = true)]
async fn however_many_stall_the_failure_is_told_within_the_limit() {
    for stalled in 1..4 {
        let scene = Scene::new(&vec![Does::Stalls; stalled]);
        assert!(matches!(scene.speak().await, Err(SpeechError::TimedOut { .. })));
        assert_eq!(scene.asked(), vec![1; stalled]);
        assert!((2395..=2405).contains(&scene.took_ms()), "{}", scene.took_ms());
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_asked_again_once_something_was_heard() {
    let scene = Scene::new(&[Does::CutsLater, Does::Speaks(0)]);
    assert_eq!(scene.spoken().await, (0, vec![byte(0), Err(cut_off())]));
    assert_eq!(scene.asked(), [1, 0]);
}

#[tokio::test(start_paused = true)]
async fn one_that_keeps_failing_is_skipped_and_tried_again_after_the_pause() {
    for does in [Does::Refuses(500), Does::CutsLater] {
        let scene = Scene::new(&[does, Does::Speaks(0)]);
        for _ in 0..5 {
            scene.spoken().await;
        }
        assert_eq!(scene.asked()[0], 3);
        tokio::time::advance(BreakerSettings::default().pause).await;
        for _ in 0..5 {
            scene.spoken().await;
        }
        assert_eq!(scene.asked()[0], 4);
    }
}

#[tokio::test(start_paused = true)]
async fn the_only_one_is_asked_however_often_it_failed() {
    let scene = Scene::new(&[Does::Refuses(500)]);
    for _ in 0..5 {
        assert!(scene.speak().await.is_err());
    }
    assert_eq!(scene.asked(), [5]);
    assert!(!scene.route.is_well());
}

#[tokio::test(start_paused = true)]
async fn a_hedge_asks_the_next_too_and_the_first_to_deliver_serves() {
    let slow = Scene::hedged(&[Does::Speaks(1000), Does::Speaks(200)], Some(500));
    assert_eq!(slow.spoken().await, (1, vec![byte(1)]));
    assert_eq!(slow.took_ms(), 700);
    let late = Scene::hedged(&[Does::Speaks(600), Does::Speaks(200)], Some(500));
    assert_eq!(late.spoken().await, (0, vec![byte(0)]));
    assert_eq!((late.asked(), late.took_ms()), (vec![1, 1], 600));
    let quick = Scene::hedged(&[Does::Speaks(400), Does::Speaks(0)], Some(500));
    assert_eq!(quick.spoken().await.0, 0);
    assert_eq!(quick.asked(), [1, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_hedge_that_fails_leaves_the_first_its_time() {
    let scene = Scene::hedged(&[Does::Speaks(1000), Does::Refuses(500)], Some(500));
    assert_eq!(scene.spoken().await.0, 0);
    assert_eq!(scene.took_ms(), 1000);
}

#[tokio::test(start_paused = true)]
async fn one_that_always_loses_the_hedge_is_left_alone() {
    let scene = Scene::hedged(&[Does::Stalls, Does::Speaks(0)], Some(500));
    for _ in 0..3 {
        scene.spoken().await;
    }
    assert_eq!(scene.took_ms(), 1500);
    scene.spoken().await;
    assert_eq!((scene.asked(), scene.took_ms()), (vec![3, 4], 1500));
}

#[tokio::test(start_paused = true)]
async fn one_that_is_named_and_always_loses_the_hedge_is_left_alone() {
    let scene = Scene::hedged(&[Does::Speaks(0), Does::Stalls], Some(500));
    let named = scene.route.place(Some("p1"));
    let ask = |_, port: &(dyn Synthesizer + 'static)| {
        let spoken = port.speak(None, "Hello.".to_owned());
        async move { begun(spoken.await?.pcm).await.map(drop) }.boxed()
    };
    for _ in 0..4 {
        let (served, _permit) = scene.route.ask(named, LIMIT, ask).await.unwrap();
        assert_eq!(served.by, 0);
    }
    assert_eq!((scene.asked(), scene.took_ms()), (vec![4, 3], 1500));
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_hangs_up_tells_nothing_about_the_provider() {
    let scene = Scene::new(&[Does::Stalls, Does::Speaks(0)]);
    for _ in 0..5 {
        assert!(tokio::time::timeout(Duration::from_millis(100), scene.speak()).await.is_err());
    }
    assert_eq!(scene.asked(), [5, 0]);
    assert!(scene.route.is_well());
}

#[tokio::test(start_paused = true)]
async fn each_voice_has_the_rate_of_who_speaks_and_only_the_first_knows_the_agents_voice() {
    let scene = Scene::new(&[Does::Refuses(500), Does::Speaks(0)]);
    assert_eq!(scene.speak().await.unwrap().what.sample_rate_hz, 16_000);
    let voices: Vec<_> = scene.fakes.iter().map(|fake| fake.voices.lock().unwrap()[0].clone()).collect();
    assert_eq!(voices, [Some(Arc::from("echo")), None]);
}
