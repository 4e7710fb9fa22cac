//! Keys the agent presses, where they go by SIP INFO: because it is set so, or because there is no better way.
//! Keys as events and tones are tested in the engine.

use serde_json::json;
use sip_bridge::DialogEvent;

use crate::api::SOON;
use crate::bare::BareCaller;
use crate::sip::offer_without_media;

#[tokio::test]
async fn keys_go_by_info_where_that_is_set_or_events_were_not_agreed_on() {
    let is_event = |line: &&str| line.contains("telephone-event") || line.starts_with("a=fmtp:101");
    let without_events =
        |offer: String| offer.lines().filter(|line| !is_event(line)).map(|line| format!("{line}\r\n")).collect();
    for (dtmf, offer) in [("info", offer_without_media()), ("auto", without_events(offer_without_media()))] {
        let mut caller = BareCaller::start(|_| vec![("TANDEM_DTMF", dtmf.to_owned())]).await;
        let (mut dialog, call_id) = caller.offer(offer).await;
        let path = format!("/v1/calls/{call_id}/dtmf");
        let pressed = caller.bench.api.post(&path, &json!({ "digits": "4#" })).await.expect("an answer");
        assert_eq!(pressed.0, 202, "{}", pressed.1);
        let mut keys = Vec::new();
        while keys.len() < 2 {
            match tokio::time::timeout(SOON, dialog.next_event()).await.expect("INFO").expect("a live call") {
                DialogEvent::Info { content_type, body } => {
                    assert_eq!(content_type, "application/dtmf-relay");
                    keys.push(String::from_utf8(body).expect("text"));
                }
                DialogEvent::Ended { cause } => panic!("{dtmf}: {cause:?}"),
                _ => {}
            }
        }
        assert_eq!(keys, ["Signal=4\r\nDuration=100\r\n", "Signal=#\r\nDuration=100\r\n"], "{dtmf}");
    }
}
