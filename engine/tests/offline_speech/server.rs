//! An offline server for a test, and a client of its three endpoints.
//! What is asked of it is in the tests.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use engine::speech::offline::{AgentFile, OfflineSpeech, ScriptedAgent};
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Friday, 20 November 2026, 10:30 in the time zone of the agent.
pub const NOW: &str = "2026-11-20T10:30:00Z";

/// Longest wait for an answer of the server.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Server {
    address: SocketAddr,
    pub client: reqwest::Client,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Server {
    /// Serves one of the files in `agents/`, at [`NOW`].
    pub async fn start(agent: &str) -> Self {
        let filter = tracing_subscriber::EnvFilter::from_default_env();
        drop(tracing_subscriber::fmt().with_env_filter(filter).with_test_writer().without_time().try_init());
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../agents").join(agent);
        let text = std::fs::read_to_string(&path).expect("the agent file");
        let agent = AgentFile::parse(&format!("timezone = \"UTC\"\n{text}"), &path).expect("a correct agent file");
        let agent = ScriptedAgent::new(agent).with_clock(Arc::new(|| NOW.parse().expect("a time")));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let shutdown = async move { drop(stopped.await) };
            let speech = OfflineSpeech::start(agent).await.expect("voice and ears");
            speech.serve(listener, shutdown).await.expect("the server runs until it is stopped");
        });
        let client = reqwest::Client::builder().timeout(PATIENCE).build().expect("a client");
        Self { address, client, stop, task }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub async fn stop(self) {
        self.stop.send(()).expect("a running server");
        drop(self.client);
        self.task.await.expect("a clean end");
    }

    pub async fn post(&self, path: &str, body: &Value) -> reqwest::Response {
        self.client.post(self.url(path)).json(body).send().await.expect("an answer")
    }

    /// 24 kHz samples.
    pub async fn speak(&self, voice: &str, text: &str) -> Vec<i16> {
        let body = json!({ "model": "tts-1", "voice": voice, "input": text, "response_format": "pcm" });
        let answer = self.post("/v1/audio/speech", &body).await;
        assert_eq!(answer.status(), 200, "{text}");
        let pcm = answer.bytes().await.expect("a body");
        pcm.chunks_exact(2).map(|s| i16::from_le_bytes([s[0], s[1]])).collect()
    }

    pub async fn transcribe(&self, wav: Vec<u8>) -> String {
        let file = Part::bytes(wav).file_name("speech.wav").mime_str("audio/wav").expect("a type");
        let form = Form::new().part("file", file).text("model", "whisper-1").text("response_format", "json");
        let request = self.client.post(self.url("/v1/audio/transcriptions")).multipart(form);
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        let json: Value = answer.json().await.expect("JSON");
        json["text"].as_str().expect("a text").to_owned()
    }

    /// The answer to one line of the caller's.
    pub async fn ask(&self, line: &str) -> String {
        let body = json!({ "model": "script", "messages": [{ "role": "user", "content": line }] });
        let answer: Value = self.post("/v1/chat/completions", &body).await.json().await.expect("JSON");
        answer["choices"][0]["message"]["content"].as_str().expect("a text").to_owned()
    }
}
