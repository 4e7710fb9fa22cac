//! The shapes of the offline speech's HTTP: formats in and out, and what is refused, with which status and words.
//! How well it hears is `accuracy`.

use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::phone::{over_the_phone, wav};
use crate::server::Server;

/// A form for the transcriptions endpoint.
fn form(wav: Vec<u8>, format: &str) -> Form {
    let file = Part::bytes(wav).file_name("speech.wav").mime_str("audio/wav").expect("a type");
    Form::new().part("file", file).text("model", "whisper-1").text("response_format", format.to_owned())
}

async fn transcription(server: &Server, form: Form) -> reqwest::Response {
    let request = server.client.post(server.url("/v1/audio/transcriptions")).multipart(form);
    request.send().await.expect("an answer")
}

/// The status, and the message and parameter of the error.
async fn refusal(response: reqwest::Response) -> (u16, String, Value) {
    let status = response.status().as_u16();
    let body: Value = response.json().await.expect("JSON");
    (status, body["error"]["message"].as_str().expect("a message").to_owned(), body["error"]["param"].clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn speech_at_24_khz_is_transcribed_in_every_format() {
    let server = Server::start("reception.toml").await;
    let samples = server.speak("rms", "when are you open").await;
    let speech = wav(&samples, 24_000);

    let json: Value = transcription(&server, form(speech.clone(), "json")).await.json().await.expect("JSON");
    assert_eq!(json, json!({ "text": "when are you open" }));

    let text = transcription(&server, form(speech.clone(), "text")).await.text().await.expect("a text");
    assert_eq!(text, "when are you open\n");

    let verbose: Value = transcription(&server, form(speech, "verbose_json")).await.json().await.expect("JSON");
    assert_eq!(verbose["text"], "when are you open");
    assert_eq!((&verbose["task"], &verbose["language"]), (&json!("transcribe"), &json!("english")));
    let seconds = verbose["duration"].as_f64().expect("a duration");
    assert!((seconds - samples.len() as f64 / 24_000.0).abs() < 0.001, "{seconds}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_a_request_is_named() {
    let server = Server::start("reception.toml").await;
    let silence = wav(&[0; 800], 8_000);

    let (status, message, param) = refusal(transcription(&server, form(silence.clone(), "srt")).await).await;
    assert_eq!((status, &param), (400, &json!("response_format")), "{message}");
    assert!(message.contains("\"srt\""), "{message}");

    let (status, message, param) = refusal(transcription(&server, form(b"no sound".to_vec(), "json")).await).await;
    assert_eq!((status, &param), (400, &json!("file")), "{message}");

    let (status, message, _) = refusal(transcription(&server, form(wav(&[0; 800], 44_100), "json")).await).await;
    assert!(status == 400 && message.contains("44100 Hz"), "{status} {message}");

    let (status, message, param) = refusal(transcription(&server, Form::new().text("model", "whisper-1")).await).await;
    assert_eq!((status, &param), (400, &json!("file")), "{message}");

    let body = json!({ "model": "tts-1", "voice": "nobody", "input": "hello", "response_format": "pcm" });
    let (status, message, param) = refusal(server.post("/v1/audio/speech", &body).await).await;
    assert_eq!((status, &param), (400, &json!("voice")));
    assert!(message.contains("\"nobody\"") && message.contains("kal16"), "{message}");

    let (status, message, _) = refusal(server.post("/v1/nothing", &json!({})).await).await;
    assert!(status == 404 && message.contains("/v1/nothing"), "{status} {message}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_utterances_than_may_wait_are_refused_and_the_others_answered() {
    let server = Server::start("reception.toml").await;
    let speech = over_the_phone(&server.speak("rms", "when are you open").await, 3, 0);
    let requests = (0..300).map(|_| transcription(&server, form(speech.clone(), "json")));
    let (mut answered, mut refused) = (0, 0);
    for response in futures::future::join_all(requests).await {
        if response.status() == 200 {
            let json: Value = response.json().await.expect("JSON");
            assert_eq!(json["text"], "when are you open");
            answered += 1;
        } else {
            assert_eq!(response.headers()["retry-after"], "1");
            let (status, message, _) = refusal(response).await;
            assert_eq!((status, message.as_str()), (503, "64 utterances are waiting already"));
            refused += 1;
        }
    }
    assert!(answered >= 64 && refused > 0, "{answered} answered, {refused} refused");
    server.stop().await;
}
