//! Text to speech, passed on as it comes, and every way it can fail before and in the middle of it.
//! Retries have their own file.

use std::time::Duration;

use bytes::Bytes;
use edge_protocol::SpeechStage;
use engine::speech::openai::Timeouts;
use engine::speech::{SpeechError, Synthesizer, VoiceStream};
use futures::StreamExt;
use serde_json::json;

use crate::fake::{End, Fake, Reply};
use crate::{SHORT, client, patient};

const PCM: &str = "audio/pcm";

/// What came until the stream ended: all bytes, and the error that ended it if any.
async fn speak(fake: &Fake, timeouts: Timeouts) -> (Vec<u8>, Option<SpeechError>) {
    let mut bytes = Vec::new();
    match client(&fake.base_url, timeouts).speak(None, "We are open.".to_owned()).await {
        Ok(VoiceStream { pcm: mut voice, .. }) => {
            while let Some(chunk) = voice.next().await {
                match chunk {
                    Ok(chunk) => bytes.extend_from_slice(&chunk),
                    Err(error) => {
                        assert!(voice.next().await.is_none(), "nothing follows an error");
                        return (bytes, Some(error));
                    }
                }
            }
            (bytes, None)
        }
        Err(error) => (bytes, Some(error)),
    }
}

fn timed_out(fake: &Fake, after: Duration) -> Option<SpeechError> {
    Some(SpeechError::TimedOut { stage: SpeechStage::Synthesis, base_url: fake.base_url.clone(), after })
}

#[tokio::test]
async fn raw_pcm_is_asked_for_and_passed_on() {
    let chunks = vec![Bytes::from_static(&[1, 0, 2]), Bytes::from_static(&[0, 3, 0])];
    let fake = Fake::start([Reply::Stream(PCM, chunks, End::Proper)]).await;
    assert_eq!(speak(&fake, patient()).await, (vec![1, 0, 2, 0, 3, 0], None));

    let seen = fake.seen().remove(0);
    assert_eq!(seen.path, "/v1/audio/speech");
    assert_eq!(seen.headers["authorization"], "Bearer sk-test");
    let expected =
        json!({ "model": "gpt-4o-mini-tts", "voice": "alloy", "input": "We are open.", "response_format": "pcm" });
    assert_eq!(seen.json(), expected);
}

#[tokio::test]
async fn an_agent_may_speak_with_its_own_voice() {
    let audio = || Reply::Stream(PCM, vec![Bytes::from_static(&[1, 0])], End::Proper);
    let fake = Fake::start([audio(), audio()]).await;
    let client = client(&fake.base_url, patient());
    for client in [client.with_voice("echo"), client] {
        assert!(client.speak(None, "We are open.".to_owned()).await.is_ok());
    }
    let voices: Vec<String> = fake.seen().iter().map(|request| request.json()["voice"].to_string()).collect();
    assert_eq!(voices, ["\"echo\"", "\"alloy\""]);
}

#[tokio::test]
async fn the_first_bytes_are_there_before_the_last_ones_are_made() {
    let fake = Fake::start([Reply::Stream(PCM, vec![Bytes::from_static(&[1, 0])], End::Silence)]).await;
    let mut voice = client(&fake.base_url, patient()).speak(None, "We are open.".to_owned()).await.expect("a voice");
    assert_eq!(voice.pcm.next().await, Some(Ok(Bytes::from_static(&[1, 0]))));
}

#[tokio::test]
async fn a_provider_that_does_not_begin_times_out() {
    let timeouts = Timeouts { first_audio: SHORT, ..patient() };
    for reply in [Reply::Silence, Reply::Stream(PCM, Vec::new(), End::Silence)] {
        let fake = Fake::start([reply]).await;
        assert_eq!(speak(&fake, timeouts).await, (Vec::new(), timed_out(&fake, SHORT)));
    }
}

#[tokio::test]
async fn a_provider_that_stops_in_the_middle_times_out_after_what_came() {
    let timeouts = Timeouts { audio_gap: SHORT, ..patient() };
    let fake = Fake::start([Reply::Stream(PCM, vec![Bytes::from_static(&[1, 0])], End::Silence)]).await;
    assert_eq!(speak(&fake, timeouts).await, (vec![1, 0], timed_out(&fake, SHORT)));
}

#[tokio::test]
async fn a_voice_that_breaks_off_is_cut_off_after_what_came() {
    let fake = Fake::start([Reply::Stream(PCM, vec![Bytes::from_static(&[1, 0])], End::CutOff)]).await;
    let (bytes, error) = speak(&fake, patient()).await;
    assert_eq!(bytes, [1, 0]);
    assert!(matches!(error, Some(SpeechError::CutOff { stage: SpeechStage::Synthesis, .. })), "{error:?}");
}

#[tokio::test]
async fn what_is_no_audio_is_malformed() {
    let page = Reply::Whole(200, None, "text/html", "<html>welcome</html>".to_owned());
    let object = Reply::Whole(200, None, "application/json", "{}".to_owned());
    let nothing = Reply::Stream(PCM, Vec::new(), End::Proper);
    for reply in [page, object, nothing] {
        let fake = Fake::start([reply]).await;
        let (bytes, error) = speak(&fake, patient()).await;
        assert!(bytes.is_empty());
        assert!(matches!(error, Some(SpeechError::Malformed { .. })), "{error:?}");
    }
}

#[tokio::test]
async fn dropping_the_voice_aborts_the_request() {
    let mut fake = Fake::start([Reply::Stream(PCM, vec![Bytes::from_static(&[1, 0])], End::Silence)]).await;
    let mut voice = client(&fake.base_url, patient()).speak(None, "We are open.".to_owned()).await.expect("a voice");
    assert!(voice.pcm.next().await.is_some());
    drop(voice);
    fake.given_up().await;
}
