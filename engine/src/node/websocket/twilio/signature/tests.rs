use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha1::Sha1;

use super::Verifier;

fn sign(token: &str, text: &str) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(token.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

fn asked_for(host: &str) -> HeaderMap {
    [("host".parse().unwrap(), host.parse().unwrap())].into_iter().collect()
}

#[test]
fn the_mac_is_the_one_twilio_makes() {
    // The example of its documentation: the URL, then the form's fields sorted and put together.
    let url = "https://mycompany.com/myapp.php?foo=1&bar=2";
    let form = "CallSidCA1234567890ABCDECaller+14158675310Digits1234From+14158675310To+18005551212";
    assert_eq!(sign("12345", &format!("{url}{form}")), "GvWf1cFY/Q7PnoempGyD5oXAezc=");
}

#[test]
fn the_url_is_known_by_the_host_that_was_asked_for() {
    let verifier = Verifier { auth_token: b"12345", url: "" };
    for signed in [
        "wss://voice.example.com/ws/twilio",
        "wss://voice.example.com/ws/twilio/",
        "wss://voice.example.com:443/ws/twilio",
    ] {
        let signature = sign("12345", signed);
        assert!(verifier.verifies(&signature, "/ws/twilio", &asked_for("voice.example.com:443")), "{signed}");
    }
    let signature = sign("12345", "wss://voice.example.com/ws/twilio?a=1");
    assert!(verifier.verifies(&signature, "/ws/twilio?a=1", &asked_for("voice.example.com")));
    assert!(!verifier.verifies(&signature, "/ws/twilio?a=2", &asked_for("voice.example.com")));
    assert!(!verifier.verifies(&signature, "/ws/twilio?a=1", &asked_for("elsewhere.example.com")));
    assert!(!verifier.verifies("no base64!", "/ws/twilio?a=1", &asked_for("voice.example.com")));
    let other = Verifier { auth_token: b"54321", url: "" };
    assert!(!other.verifies(&signature, "/ws/twilio?a=1", &asked_for("voice.example.com")));
}

#[test]
fn behind_a_proxy_the_url_is_a_setting() {
    let verifier = Verifier { auth_token: b"t", url: "wss://calls.example.com/stream" };
    let headers = asked_for("10.0.0.1:8080");
    assert!(verifier.verifies(&sign("t", "wss://calls.example.com/stream"), "/ws/twilio", &headers));
    assert!(!verifier.verifies(&sign("t", "wss://10.0.0.1:8080/ws/twilio"), "/ws/twilio", &headers));
}
