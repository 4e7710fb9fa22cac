//! The edge as a process: the built Worker in workerd, started, killed and started again on its own data.
//! What a test asks it goes through the API, as people, engines and admins do.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use edge_protocol::signature::{SIGNATURE_HEADER, TIMESTAMP_HEADER, sign};
use serde_json::Value;
use tempfile::TempDir;

use crate::node::{Settings, root};
use crate::ports::free_port;
use crate::process::{POLL, Process};

/// Secrets of the development environment (`edge/dev/options.mjs`).
pub const ENGINE_SECRET: &str = "dev-engine-secret";
const ADMIN_SECRET: &str = "dev-admin-secret";

/// workerd starts, opens its databases and applies migrations.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// What happened is at the edge within this time.
const KNOWN_WITHIN: Duration = Duration::from_secs(15);

pub struct Edge {
    pub url: String,
    port: u16,
    dir: PathBuf,
    process: Process,
    client: reqwest::Client,
    /// Last, so that it outlives the process that writes into it.
    data: TempDir,
}

impl Edge {
    /// Starts the edge with its log in `dir`, and the demo account in it. Its data are in memory where that can be: a
    /// process that is killed loses nothing there either, and workerd waits for a disk on its only thread.
    pub async fn start(dir: &Path) -> Result<Self> {
        ensure!(root().join("edge/build/index.js").exists(), "the Worker is not built: run `make edge`");
        let port = free_port()?;
        let memory = Path::new("/dev/shm");
        let place = if memory.is_dir() { memory } else { dir };
        let data = tempfile::Builder::new().prefix("tandem-edge").tempdir_in(place)?;
        let process = spawn(port, dir, data.path())?;
        let client = reqwest::Client::builder().timeout(Duration::from_secs(10)).build()?;
        let mut edge =
            Self { url: format!("http://127.0.0.1:{port}"), port, dir: dir.to_owned(), process, client, data };
        edge.ready().await?;
        let seed = node().arg("edge/dev/seed.mjs").args(["--url", &edge.url]).stdin(Stdio::null()).output()?;
        ensure!(seed.status.success(), "seed.mjs: {}", String::from_utf8_lossy(&seed.stderr));
        Ok(edge)
    }

    /// What a node needs to know of this edge.
    pub fn settings(&self) -> Settings {
        vec![("TANDEM_EDGE__URL", self.url.clone()), ("TANDEM_EDGE__SECRET", ENGINE_SECRET.to_owned())]
    }

    /// `kill -9` of everything, workerd included, at whatever instant this is.
    pub fn kill(&mut self) -> Result<()> {
        let workers = self.process.children();
        crate::process::send_signal("KILL", &workers)?;
        self.process.kill()
    }

    /// Starts the edge again, on the same port and data.
    pub async fn restart(&mut self) -> Result<()> {
        self.process = spawn(self.port, &self.dir, self.data.path())?;
        self.ready().await
    }

    /// A session token of the person that owns the demo account.
    pub async fn token(&self) -> Result<String> {
        let person = serde_json::json!({ "subject": "demo", "email": "demo@example.test" });
        let answer = self.client.post(format!("{}/dev/token", self.url)).body(person.to_string()).send().await?;
        let answer: Value = answer.error_for_status()?.json().await?;
        answer["token"].as_str().map(str::to_owned).context("no token")
    }

    /// `GET` as the holder of `token`.
    pub async fn get(&self, token: &str, path: &str) -> Result<Value> {
        let answer = self.client.get(format!("{}{path}", self.url)).bearer_auth(token).send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        ensure!(status.is_success(), "{path}: {status} {text}");
        Ok(serde_json::from_str(&text)?)
    }

    /// `POST` without a body as the holder of `token`.
    pub async fn post(&self, token: &str, path: &str) -> Result<Value> {
        let answer = self.client.post(format!("{}{path}", self.url)).bearer_auth(token).send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        ensure!(status.is_success(), "{path}: {status} {text}");
        Ok(serde_json::from_str(&text)?)
    }

    /// Waits until commands and sessions reach the node.
    pub async fn until_linked(&self, token: &str, node: &str) -> Result<()> {
        let linked = |answer: &Value| {
            let nodes = answer["nodes"].as_array().cloned().unwrap_or_default();
            nodes.iter().any(|its| its["node"] == node && its["linked"] == true)
        };
        self.until(token, "/v1/nodes", "the link", linked).await.map(drop)
    }

    /// Waits until the edge knows of a call what `wanted` asks for.
    pub async fn until_call(&self, token: &str, call_id: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        self.until(token, &format!("/v1/calls/{call_id}"), "the call's state", wanted).await
    }

    /// What `path` answers, once `wanted` holds for it.
    pub async fn until(&self, token: &str, path: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        self.until_by(Instant::now() + KNOWN_WITHIN, token, path, what, wanted).await
    }

    /// As [`Self::until`], with another deadline.
    pub async fn until_by(
        &self,
        deadline: Instant,
        token: &str,
        path: &str,
        what: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        loop {
            let answer = self.get(token, path).await;
            if let Some(answer) = answer.as_ref().ok().filter(|answer| wanted(answer)) {
                return Ok(answer.clone());
            }
            if Instant::now() > deadline {
                bail!("{what} did not come: {path} answers {answer:?}");
            }
            tokio::time::sleep(POLL * 5).await;
        }
    }

    /// The bytes behind a link.
    pub async fn download(&self, url: &str) -> Result<Vec<u8>> {
        Ok(self.client.get(url).send().await?.error_for_status()?.bytes().await?.to_vec())
    }

    /// A signed request of an admin.
    pub async fn admin(&self, method: reqwest::Method, path: &str, body: &Value) -> Result<Value> {
        let body = body.to_string();
        let now = u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
        let signature = sign(ADMIN_SECRET.as_bytes(), now, body.as_bytes());
        let request = self.client.request(method, format!("{}{path}", self.url)).body(body);
        let signed = request.header(TIMESTAMP_HEADER, now.to_string()).header(SIGNATURE_HEADER, signature);
        let answer = signed.send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        ensure!(status.is_success(), "{path}: {status} {text}");
        Ok(serde_json::from_str(&text)?)
    }

    async fn ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + READY_WITHIN;
        let line = format!("edge: {}", self.url);
        loop {
            // The log is one for all starts: the line of this one is there once it also answers.
            let health = self.client.get(format!("{}/health", self.url)).send().await;
            if health.is_ok() && self.process.output().contains(&line) {
                return Ok(());
            }
            if self.process.has_ended()? {
                bail!("the edge ended at once:\n{}", self.process.output());
            }
            if Instant::now() > deadline {
                bail!("the edge is not ready after {READY_WITHIN:?}:\n{}", self.process.output());
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

/// Node.js in the repository's root, also where it came from `deploy/setup.sh`.
fn node() -> Command {
    let mut command = Command::new("node");
    let cache = std::env::var("TANDEM_CACHE")
        .unwrap_or_else(|_| format!("{}/.cache/tandem", std::env::var("HOME").unwrap_or_default()));
    let path = format!("{cache}/tools/bin:{}", std::env::var("PATH").unwrap_or_default());
    command.current_dir(root()).env("PATH", path);
    command
}

fn spawn(port: u16, dir: &Path, data: &Path) -> Result<Process> {
    let mut command = node();
    command.arg("edge/dev/serve.mjs").args(["--port", &port.to_string()]).arg("--persist").arg(data);
    command.args(["--var", "REQUESTS_PER_MINUTE=1000000"]);
    Process::spawn("edge", &mut command, dir)
}
