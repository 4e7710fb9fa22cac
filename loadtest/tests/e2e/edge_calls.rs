//! Calls that the edge knows of: admitted, live, settled, recorded, hung up from afar, and answered while it is away.
//! What happens when processes die in the middle is `edge_deaths`.

use anyhow::Result;
use serde_json::{Value, json};

use crate::edge::Edge;
use crate::sipp::{Sipp, UAC, UAC_3_S, calls};
use crate::stack::Stack;

struct World {
    edge: Edge,
    stack: Stack,
    token: String,
    /// Last, so that it outlives the processes that write into it.
    _dir: tempfile::TempDir,
}

impl World {
    async fn start() -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let edge = Edge::start(dir.path()).await?;
        let stack = Stack::start_with(1, &edge.settings()).await?;
        let token = edge.token().await?;
        Ok(Self { edge, stack, token, _dir: dir })
    }

    /// The newest call, once `wanted` holds for it.
    async fn newest_call(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        let newest = |answer: &Value| answer["calls"].get(0).cloned().unwrap_or_default();
        let path = "/v1/calls?limit=1";
        let answer = self.edge.until(&self.token, path, what, |answer| wanted(&newest(answer))).await?;
        Ok(newest(&answer))
    }

    async fn balance(&self) -> Result<Value> {
        Ok(self.edge.get(&self.token, "/v1/account").await?["balance"].clone())
    }
}

#[tokio::test]
async fn a_call_is_admitted_settled_and_its_recording_plays() {
    let world = World::start().await.expect("the edge, Kamailio and a node");
    let before = world.balance().await.expect("the balance");
    let tally = calls("one", world.stack.dir.path(), UAC_3_S, world.stack.port, 1, 1).await.expect("SIPp");
    assert_eq!((tally.successful, tally.failed), (1, 0), "{}", tally.errors);

    let done = |call: &Value| call["recorded"] == true && !call["cost_microcredits"].is_null();
    let call = world.newest_call("a settled, recorded call", done).await.expect("the call");
    assert_eq!((&call["status"], &call["cause"]), (&json!("ended"), &json!("caller_hung_up")), "{call}");
    let after = world.balance().await.expect("the balance");
    assert_eq!(after["held_microcredits"], 0, "{after}");
    let paid = before["total_microcredits"].as_i64().unwrap_or(0) - after["total_microcredits"].as_i64().unwrap_or(0);
    assert_eq!(Some(paid), call["cost_microcredits"].as_i64());
    assert!(paid > 0);

    let path = format!("/v1/calls/{}/recording", call["call_id"].as_str().expect("an id"));
    let link = world.edge.get(&world.token, &path).await.expect("a link")["url"].as_str().expect("a URL").to_owned();
    let recording = world.edge.download(&link).await.expect("the recording");
    assert!(recording.starts_with(b"OggS"), "{} bytes", recording.len());
}

#[tokio::test]
async fn a_suspended_account_is_refused_at_invite_and_nothing_is_held() {
    let world = World::start().await.expect("the edge, Kamailio and a node");
    let account = world.edge.get(&world.token, "/v1/account").await.expect("the account");
    let path = format!("/v1/admin/accounts/{}", account["account_id"].as_str().expect("its id"));
    let patch = reqwest::Method::PATCH;
    world.edge.admin(patch, &path, &json!({ "status": "suspended" })).await.expect("suspended");
    let tally = calls("refused", world.stack.dir.path(), UAC, world.stack.port, 1, 1).await.expect("SIPp");
    assert_eq!((tally.successful, tally.failed), (0, 1));
    assert!(tally.errors.contains("403"), "{}", tally.errors);
    assert_eq!(world.balance().await.expect("the balance")["held_microcredits"], 0);
}

#[tokio::test]
async fn a_live_call_is_hung_up_from_the_edge() {
    let world = World::start().await.expect("the edge, Kamailio and a node");
    let long: &[&str] = &["-sn", "uac", "-d", "30000"];
    let _call = Sipp::start("long", world.stack.dir.path(), long, world.stack.port, 1, 1).expect("SIPp");
    let live = world.newest_call("a live call", |call| call["status"] == "active").await.expect("the call");
    let path = format!("/v1/calls/{}/hang-up", live["call_id"].as_str().expect("an id"));
    world.edge.post(&world.token, &path).await.expect("the command is taken");
    let ended = world.newest_call("its end", |call| call["status"] == "ended").await.expect("the call");
    assert_eq!(ended["cause"], "ended_by_edge", "{ended}");
}

#[tokio::test]
async fn while_the_edge_is_away_a_known_trunk_is_answered_and_paid_for_later() {
    let mut world = World::start().await.expect("the edge, Kamailio and a node");
    let dir = world.stack.dir.path().to_owned();
    calls("known", &dir, UAC_3_S, world.stack.port, 1, 1).await.expect("SIPp");
    let settled = |call: &Value| !call["cost_microcredits"].is_null();
    let first = world.newest_call("a settled call", settled).await.expect("the first call");

    world.edge.kill().expect("the edge is gone");
    let tally = calls("away", &dir, UAC_3_S, world.stack.port, 1, 1).await.expect("SIPp");
    assert_eq!((tally.successful, tally.failed), (1, 0), "{}", tally.errors);
    world.edge.restart().await.expect("the edge is back");
    let other = |call: &Value| call["call_id"] != first["call_id"] && settled(call) && call["recorded"] == true;
    let second = world.newest_call("a second one, settled and recorded", other).await.expect("the second call");
    assert!(second["cost_microcredits"].as_i64() > Some(0), "{second}");
}
