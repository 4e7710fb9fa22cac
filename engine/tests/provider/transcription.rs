//! An utterance to text, and every way it can fail.
//! Retries have their own file.

use std::io::Cursor;

use edge_protocol::SpeechStage;
use engine::speech::openai::{OpenAiClient, OpenAiConfig, Timeouts};
use engine::speech::{SpeechError, Transcriber, hearing_time};
use serde_json::json;
use tokio::net::TcpListener;

use crate::fake::{End, Fake, Reply, json_reply};
use crate::{SHORT, client, patient};

#[tokio::test]
async fn an_utterance_is_uploaded_as_an_8_khz_wav_and_its_text_comes_back() {
    let fake = Fake::start([json_reply(json!({ "text": " What are your hours? " }))]).await;
    let pcm: Vec<i16> = (0..8000).map(|i| (i * 7 % 2000) as i16 - 1000).collect();
    let text = client(&fake.base_url, patient()).transcribe(pcm.clone()).await;
    assert_eq!(text.as_deref(), Ok("What are your hours?"));

    let seen = fake.seen().remove(0);
    assert_eq!(seen.path, "/v1/audio/transcriptions");
    assert_eq!(seen.headers["authorization"], "Bearer sk-test");
    let content_type = seen.headers["content-type"].to_str().unwrap();
    assert!(content_type.starts_with("multipart/form-data; boundary="), "{content_type}");
    let body = String::from_utf8_lossy(&seen.body);
    assert!(body.contains("name=\"model\"\r\n\r\ngpt-4o-mini-transcribe\r\n"), "{body}");
    assert!(body.contains("filename=\"utterance.wav\""), "{body}");
    let riff = seen.body.windows(4).position(|bytes| bytes == b"RIFF").expect("a WAV file");
    let mut wav = hound::WavReader::new(Cursor::new(&seen.body[riff..])).expect("a readable WAV file");
    let spec = wav.spec();
    assert_eq!((spec.sample_rate, spec.channels, spec.bits_per_sample), (8000, 1, 16));
    assert_eq!(wav.samples::<i16>().map(Result::unwrap).collect::<Vec<_>>(), pcm);
}

#[tokio::test]
async fn without_a_key_no_authorization_is_sent() {
    let fake = Fake::start([json_reply(json!({ "text": "yes" }))]).await;
    let config = OpenAiConfig { base_url: format!("{}/", fake.base_url), ..OpenAiConfig::default() };
    let client = OpenAiClient::new(config).expect("a valid configuration");
    assert_eq!(client.transcribe(vec![0; 800]).await.as_deref(), Ok("yes"));
    let seen = fake.seen().remove(0);
    assert!(!seen.headers.contains_key("authorization"));
    assert_eq!(seen.path, "/v1/audio/transcriptions");
}

#[tokio::test]
async fn a_provider_that_stays_silent_times_out() {
    let fake = Fake::start([Reply::Silence]).await;
    let timeouts = Timeouts { transcription: SHORT, ..patient() };
    let error = client(&fake.base_url, timeouts).transcribe(vec![0; 800]).await;
    assert_eq!(
        error,
        Err(SpeechError::TimedOut {
            stage: SpeechStage::Transcription,
            base_url: fake.base_url.clone(),
            after: SHORT + hearing_time(800)
        })
    );
}

#[tokio::test]
async fn a_wrong_key_is_refused_with_the_providers_words_and_not_tried_again() {
    let body = json!({ "error": { "message": "Incorrect API key provided", "type": "invalid_request_error" } });
    let fake = Fake::start([Reply::Whole(401, None, "application/json", body.to_string())]).await;
    let error = client(&fake.base_url, patient()).transcribe(vec![0; 800]).await;
    assert_eq!(
        error,
        Err(SpeechError::Refused {
            stage: SpeechStage::Transcription,
            base_url: fake.base_url.clone(),
            status: 401,
            message: "Incorrect API key provided".to_owned()
        })
    );
    assert_eq!(fake.seen().len(), 1);
}

#[tokio::test]
async fn an_answer_that_is_not_what_was_agreed_is_malformed() {
    for body in ["<html>welcome</html>", "{\"txt\": 1}", "", "{\"text\": 5}"] {
        let fake = Fake::start([Reply::Whole(200, None, "application/json", body.to_owned())]).await;
        let error = client(&fake.base_url, patient()).transcribe(vec![0; 800]).await;
        assert!(matches!(error, Err(SpeechError::Malformed { .. })), "{body:?}: {error:?}");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_cut_off() {
    let fake = Fake::start([Reply::Stream("application/json", vec!["{\"text\": \"What".into()], End::CutOff)]).await;
    let error = client(&fake.base_url, patient()).transcribe(vec![0; 800]).await;
    assert!(matches!(error, Err(SpeechError::CutOff { .. })), "{error:?}");
}

#[tokio::test]
async fn a_provider_that_is_gone_is_unreachable() {
    // A port that was just free, so that nobody listens on it.
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let error = client(&format!("http://127.0.0.1:{port}/v1"), patient()).transcribe(vec![0; 800]).await;
    match error {
        Err(SpeechError::Unreachable { stage: SpeechStage::Transcription, reason, .. }) => {
            assert!(reason.contains("refused"), "{reason}");
        }
        other => panic!("reached: {other:?}"),
    }
}

#[tokio::test]
async fn dropping_the_request_aborts_it() {
    let mut fake = Fake::start([Reply::Silence]).await;
    let client = client(&fake.base_url, patient());
    let request = tokio::spawn(client.transcribe(vec![0; 800]));
    while fake.seen().is_empty() {
        tokio::task::yield_now().await;
    }
    request.abort();
    fake.given_up().await;
}
