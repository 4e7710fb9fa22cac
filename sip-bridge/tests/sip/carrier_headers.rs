//! What carriers say about a call beside From and To (RFC 3325, 5806, 7044, 7433, 3966).
//! Not here: whether it is true (`src/identity/tests.rs`).

use crate::bench::*;
use crate::raw_phone::RawPhone;
use sip_bridge::{CallInfo, Diversion, Party};

/// What an INVITE with these header lines says. `edit` may change the whole text.
async fn info(extra: &str, edit: impl Fn(String) -> String) -> CallInfo {
    let mut callee = endpoint().await;
    let mut phone = RawPhone::udp(callee.handle().local_addr()).await;
    let invite = edit(phone.request("INVITE", 1, "1", "", extra, &offer()));
    phone.send(&invite).await;
    let call = next_call(&mut callee).await;
    let info = call.info.clone();
    drop(call);
    let refused = phone.receive_code(480).await;
    phone.ack_refusal(1, "1", &refused.to_tag()).await;
    nothing_left(&[callee.handle()]).await;
    info
}

fn diversion(uri: &str, reason: Option<&str>) -> Diversion {
    Diversion { uri: uri.to_owned(), reason: reason.map(str::to_owned) }
}

#[tokio::test]
async fn asserted_identity_diversions_and_user_data_reach_the_application() {
    let extra = "P-Asserted-Identity: \"Doe, Jane\" <sip:+15550100@carrier.example;user=phone>, <tel:+15550100>\r\n\
                 Diversion: <sip:+15550102@c>;reason=no-answer;counter=1\r\n\
                 Diversion: \"B\" <tel:+15550101>;reason=\"user-busy\"\r\n\
                 User-to-User: 48656c6c6f;encoding=hex;purpose=isdn-uui\r\n\
                 X-Account: 7\r\nIdentity: a.b.c;info=<https://x>\r\n";
    let info = info(extra, |text| text).await;
    let uri = "sip:+15550100@carrier.example;user=phone".to_owned();
    assert_eq!(
        info.asserted,
        [
            Party { uri, display: Some("Doe, Jane".to_owned()) },
            Party { uri: "tel:+15550100".to_owned(), display: None }
        ]
    );
    assert_eq!(
        info.diversions,
        [diversion("sip:+15550102@c", Some("no-answer")), diversion("tel:+15550101", Some("user-busy"))]
    );
    assert_eq!(info.user_to_user.as_deref(), Some("48656c6c6f;encoding=hex;purpose=isdn-uui"));
    assert_eq!(info.identity, ["a.b.c;info=<https://x>"]);
    assert!(info.headers.contains(&("X-Account".to_owned(), "7".to_owned())));
}

#[tokio::test]
async fn without_diversion_the_history_tells_who_sent_the_call_on() {
    let extra = "History-Info: <sip:+15550101@c?Reason=SIP%3Bcause%3D302>;index=1,\
                 <sip:+15550102@c?Reason=SIP%3Bcause%3D408&Privacy=none>;index=1.1\r\n\
                 History-Info: <sip:reception@here>;index=1.1.1;mp=1.1\r\n";
    let info = info(extra, |text| text).await;
    assert_eq!(
        info.diversions,
        [diversion("sip:+15550102@c", Some("SIP;cause=408")), diversion("sip:+15550101@c", Some("SIP;cause=302"))]
    );
    assert!(info.asserted.is_empty() && info.user_to_user.is_none());
}

#[tokio::test]
async fn telephone_uris_are_kept_as_they_are() {
    let info = info("", |text| {
        text.replace("<sip:raw@example.com>", "<tel:+1-555-0100;phone-context=example.com>")
            .replace("To: <sip:reception@example.com>", "To: tel:+1(555)0199")
    })
    .await;
    assert_eq!(info.from, "tel:+1-555-0100;phone-context=example.com");
    assert_eq!(info.to, "tel:+1(555)0199");
    let info = self::info("", |text| {
        let start = text.split(' ').nth(1).map(str::to_owned).unwrap_or_default();
        text.replacen(&start, "tel:+1-555-0199;phone-context=+1", 1)
    })
    .await;
    assert_eq!(info.request_uri, "tel:+1-555-0199;phone-context=+1");
}
