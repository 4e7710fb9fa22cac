//! An edge that only holds links, and what its commands do to calls over the socket.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{broadcast, watch};
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::Message;

use super::Served;
use super::admission::{SECRET, acceptance, signed, start};
use crate::node::Settings;
use crate::socket::Client;

const SOON: Duration = Duration::from_secs(15);

struct Edge {
    port: u16,
    commands: broadcast::Sender<String>,
    linked: watch::Receiver<bool>,
}

impl Edge {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (commands, _) = broadcast::channel(16);
        let (told, linked) = watch::channel(false);
        let sender = commands.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (mut commands, told) = (sender.subscribe(), told.clone());
                tokio::spawn(async move {
                    // What is no link (facts to be delivered) finds nobody.
                    let Ok(mut link) = accept_async(stream).await else { return };
                    told.send_replace(true);
                    loop {
                        tokio::select! {
                            command = commands.recv() => link.send(Message::text(command.unwrap())).await.unwrap(),
                            message = link.next() => if !matches!(message, Some(Ok(_))) { return },
                        }
                    }
                });
            }
        });
        Self { port, commands, linked }
    }

    fn settings(&self) -> Settings {
        let url = format!("http://127.0.0.1:{}", self.port);
        vec![("TANDEM_EDGE__URL", url), ("TANDEM_EDGE__SECRET", SECRET.to_owned())]
    }

    async fn tell(&mut self, command: Value) {
        let linked = self.linked.wait_for(|linked| *linked);
        drop(tokio::time::timeout(SOON, linked).await.expect("a link").unwrap());
        self.commands.send(command.to_string()).unwrap();
    }
}

#[tokio::test]
async fn the_edge_ends_one_call_and_not_the_other() {
    let mut edge = Edge::start().await;
    let served = Served::start("", "Yes.", edge.settings()).await.expect("a node");
    let mut clients = Vec::new();
    for call_id in ["0192f0c1-7d3e-7aaa-8bbb-000000000001", "0192f0c1-7d3e-7aaa-8bbb-000000000002"] {
        let headers = signed("/ws/tandem");
        let mut client = Client::connect(served.node.http, &headers).await.expect("a socket").expect("an upgrade");
        client.send(&start(Some(call_id), Some(acceptance())));
        client.until("started").await.expect("the call starts");
        clients.push((call_id, client));
    }
    let (other, mut stays) = clients.pop().unwrap();
    let (call_id, mut goes) = clients.pop().unwrap();
    edge.tell(json!({"command_id": "cmd_1", "type": "hang_up", "call_id": call_id})).await;
    assert_eq!(goes.until("ended").await.expect("the end"), json!({"type": "ended", "cause": "ended_by_edge"}));
    assert_eq!(goes.closed().await.expect("closed"), Some(1000));
    stays.until("audio").await.expect("the other call goes on");
    edge.tell(json!({"command_id": "cmd_2", "type": "hang_up", "call_id": other})).await;
    stays.until("ended").await.expect("the end of the other");
    served.node.until_idle(SOON).await.expect("no call holds a place");
}
