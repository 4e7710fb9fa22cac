//! Offers with keys, as devices write them: what is chosen, what is refused and why, what our own say.
//! What keys do to packets is the engine's.

use super::super::{Codec, Negotiated, accept_answer, answer, offer};
use super::*;
use crate::Rejection;

const HEAD: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.5\r\ns=-\r\nc=IN IP4 192.0.2.5\r\nt=0 0\r\n";

/// 30 bytes, as AES_CM_128_HMAC_SHA1_80 takes them (from RFC 4568 section 4.1).
const KEY: &str = "inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";

const SHA_256: &str = "sha-256 00:01:02:03:04:05:06:07:08:09:0a:0b:0c:0d:0e:0f:\
                       10:11:12:13:14:15:16:17:18:19:1A:1B:1C:1D:1E:1F";

fn local(policy: SrtpPolicy, offer: OfferedKeying) -> Local {
    let mut keys = SdesKeys::default();
    keys.0.iter_mut().enumerate().for_each(|(n, key)| key.fill(n as u8 + 1));
    let fingerprint = Some(Fingerprint { hash: super::super::HashFunction::Sha256, digest: vec![0xAB; 32] });
    Local {
        addr: "192.0.2.1".parse().expect("an address"),
        codecs: Codec::ALL.to_vec(),
        port: 20000,
        rtcp_mux: true,
        session_id: 1,
        version: 1,
        security: Security { policy, offer, keys, fingerprint, role: None },
    }
}

fn optional() -> Local {
    local(SrtpPolicy::Optional, OfferedKeying::Sdes)
}

fn take(media: &str, local: &Local) -> (Negotiated, String) {
    answer(&format!("{HEAD}{media}"), local).unwrap_or_else(|error| panic!("{error}\n{media}"))
}

fn refuse(media: &str, local: &Local) -> SdpError {
    answer(&format!("{HEAD}{media}"), local).expect_err("must be refused")
}

fn crypto(line: &str) -> String {
    format!("m=audio 4000 RTP/SAVP 0\r\na=crypto:{line}\r\n")
}

#[test]
fn a_key_is_taken_and_answered_with_ours_under_its_tag() {
    let media = crypto(&format!("7 AES_CM_128_HMAC_SHA1_80 {KEY}|2^20|1:4 WSH=128 -mine=1"));
    let (agreed, text) = take(&media, &optional());
    let MediaSecurity::Sdes { suite, ours, theirs, mki } = agreed.security else { panic!("no keys: {text}") };
    assert_eq!((suite, mki), (Suite::AesCm128HmacSha1_80, Some(Mki { value: 1, bytes: 4 })));
    assert_eq!((theirs.as_bytes(), ours.as_bytes()), (&b"YS___semctl () {\t220;}\n}\nunles"[..], &[1_u8; 30][..]));
    assert!(text.contains("m=audio 20000 RTP/SAVP 0\r\n"));
    assert!(text.contains("a=crypto:7 AES_CM_128_HMAC_SHA1_80 inline:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB\r\n"));
}

#[test]
fn the_first_suite_we_speak_is_taken() {
    let key = |bytes: usize| base64::Engine::encode(&base64::engine::general_purpose::STANDARD, vec![9; bytes]);
    let media = format!(
        "m=audio 4000 RTP/SAVPF 0\r\na=crypto:1 F8_128_HMAC_SHA1_80 {KEY}\r\n\
         a=crypto:2 AEAD_AES_256_GCM inline:{}\r\na=crypto:3 AES_CM_128_HMAC_SHA1_32 {KEY}\r\n",
        key(44)
    );
    let (agreed, text) = take(&media, &optional());
    assert!(matches!(agreed.security, MediaSecurity::Sdes { suite: Suite::AeadAes256Gcm, .. }));
    assert!(text.contains("a=crypto:2 AEAD_AES_256_GCM inline:"));
    assert_eq!(text.matches("a=crypto").count(), 1);
    let short = crypto(&format!("1 AEAD_AES_128_GCM inline:{}", key(28).trim_end_matches('=')));
    assert!(take(&short, &optional()).0.security.is_encrypted(), "base64 without padding is read");
}

#[test]
fn what_cannot_be_spoken_is_refused_by_name_and_without_the_key() {
    let cases = [
        (format!("1 AES_CM_128_HMAC_SHA1_80 {KEY} UNENCRYPTED_SRTP"), "session parameter UNENCRYPTED_SRTP"),
        (format!("1 AES_CM_128_HMAC_SHA1_80 {KEY} KDR=1"), "session parameter KDR=1"),
        (format!("1 AES_CM_128_HMAC_SHA1_80 {KEY};{KEY}"), "several keys"),
        (format!("1 AES_CM_128_HMAC_SHA1_80 {KEY}|2^49"), "a bad lifetime"),
        (format!("1 AES_CM_128_HMAC_SHA1_80 {KEY}|2^20|1:129"), "a bad MKI"),
        (format!("1 AES_CM_128_HMAC_SHA1_80 {KEY}|2^20|256:1"), "a bad MKI"),
        (format!("1 AES_CM_128_HMAC_SHA1_80 {KEY}|1:4|2^20"), "a bad key"),
        (format!("1 AEAD_AES_128_GCM {KEY}"), "a key of another length"),
        ("1 AES_CM_128_HMAC_SHA1_80 inline:@@@".to_owned(), "a key of another length"),
        ("1 AES_CM_128_HMAC_SHA1_80 uri:x".to_owned(), "a key method that is not inline"),
        ("1 AES_CM_128_HMAC_SHA1_80".to_owned(), "no key"),
        ("1 NULL_AUTH inline:x".to_owned(), "NULL_AUTH"),
        ("x AES_CM_128_HMAC_SHA1_80 inline:x".to_owned(), "no tag"),
    ];
    for (line, why) in cases {
        let error = refuse(&crypto(&line), &optional());
        let rejection = Rejection::from(&error);
        assert_eq!((rejection.code, error.warn_code()), (488, Some(399)), "{line}");
        assert!(error.to_string().contains(why), "{error} for {line}");
        assert!(!error.to_string().contains("WVNfX19"), "{error}");
    }
    assert!(!format!("{:?}", take(&crypto(&format!("1 AES_CM_128_HMAC_SHA1_80 {KEY}")), &optional())).contains("YS__"));
}

#[test]
fn without_srtp_encrypted_media_is_refused_and_keys_beside_plain_media_are_passed_over() {
    let off = local(SrtpPolicy::Off, OfferedKeying::Plain);
    let error = refuse(&crypto(&format!("1 AES_CM_128_HMAC_SHA1_80 {KEY}")), &off);
    assert_eq!(error.to_string(), "transport \"RTP/SAVP\" not spoken; spoken here RTP/AVP");
    let plain = format!("m=audio 4000 RTP/AVP 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 {KEY}\r\n");
    let (agreed, text) = take(&plain, &off);
    assert!(!agreed.security.is_encrypted() && !text.contains("crypto"));
}

#[test]
fn where_srtp_is_required_media_in_the_clear_is_refused_with_a_warning() {
    let required = local(SrtpPolicy::Required, OfferedKeying::Sdes);
    let error = refuse("m=audio 4000 RTP/AVP 0\r\n", &required);
    assert_eq!((Rejection::from(&error).code, error.warn_code()), (488, Some(302)));
    assert_eq!(error.to_string(), "transport \"RTP/AVP\" not spoken; spoken here RTP/SAVP, UDP/TLS/RTP/SAVP");
    let with_keys = format!("m=audio 4000 RTP/AVP 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 {KEY}\r\n");
    assert!(take(&with_keys, &required).0.security.is_encrypted());
}

#[test]
fn keys_beside_plain_media_are_taken_up_and_bad_ones_leave_it_plain() {
    let media = |line: &str| format!("m=audio 4000 RTP/AVP 0\r\na=crypto:{line}\r\n");
    let (agreed, text) = take(&media(&format!("1 AES_CM_128_HMAC_SHA1_32 {KEY}")), &optional());
    assert!(agreed.security.is_encrypted());
    assert!(text.contains("m=audio 20000 RTP/AVP 0\r\n") && text.contains("a=crypto:1 AES_CM_128_HMAC_SHA1_32 "));
    let (agreed, text) = take(&media(&format!("1 AES_CM_128_HMAC_SHA1_80 {KEY} FEC_KEY=x")), &optional());
    assert!(!agreed.security.is_encrypted() && !text.contains("crypto"));
}

#[test]
fn of_two_sections_for_one_call_the_encrypted_one_is_taken() {
    let plain = "m=audio 4000 RTP/AVP 0\r\n";
    let secure = format!("m=audio 4002 RTP/SAVP 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 {KEY}\r\n");
    for (media, place) in [(format!("{plain}{secure}"), 1), (format!("{secure}{plain}"), 0)] {
        let (agreed, text) = take(&media, &optional());
        assert_eq!(agreed.remote_rtp.port(), 4002);
        let sections: Vec<&str> = text.lines().filter(|line| line.starts_with("m=")).collect();
        assert_eq!(sections[place], "m=audio 20000 RTP/SAVP 0");
        assert_eq!(sections[1 - place], "m=audio 0 RTP/AVP 0");
    }
    let (agreed, _) = take(&format!("{plain}{secure}"), &local(SrtpPolicy::Off, OfferedKeying::Plain));
    assert_eq!(agreed.remote_rtp.port(), 4000);
}

#[test]
fn dtls_is_answered_with_our_fingerprint_and_the_fitting_role() {
    for (setup, role, answered) in [
        ("a=setup:actpass\r\n", DtlsRole::Active, "active"),
        ("a=setup:active\r\n", DtlsRole::Passive, "passive"),
        ("a=setup:passive\r\n", DtlsRole::Active, "active"),
        ("", DtlsRole::Passive, "passive"),
    ] {
        for proto in ["UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF", "RTP/SAVP", "RTP/AVP"] {
            let media = format!("m=audio 4000 {proto} 0\r\n{setup}a=fingerprint:{SHA_256}\r\n");
            let (agreed, text) = take(&media, &optional());
            let MediaSecurity::Dtls { role: ours, fingerprint } = agreed.security else { panic!("no DTLS: {text}") };
            assert_eq!((ours, fingerprint.digest), (role, (0..32).collect::<Vec<u8>>()));
            assert!(text.contains(&format!("a=setup:{answered}\r\na=fingerprint:sha-256 AB:AB:")), "{text}");
            assert!(text.contains(&format!("m=audio 20000 {proto} 0\r\n")));
        }
    }
}

#[test]
fn a_new_offer_does_not_turn_a_dtls_association_around() {
    let mut passive = optional();
    passive.security.role = Some(DtlsRole::Passive);
    let media = format!("a=setup:actpass\r\na=fingerprint:{SHA_256}\r\nm=audio 4000 UDP/TLS/RTP/SAVP 0\r\n");
    let MediaSecurity::Dtls { role, .. } = take(&media, &passive).0.security else { panic!("no DTLS") };
    assert_eq!(role, DtlsRole::Passive);
}

#[test]
fn a_fingerprint_that_proves_nothing_is_refused() {
    let media = |line: &str| format!("m=audio 4000 UDP/TLS/RTP/SAVP 0\r\na=setup:actpass\r\n{line}");
    for (line, why) in [
        ("a=fingerprint:sha-1 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB\r\n", "sha-1 4A:AD"),
        ("a=fingerprint:sha-256 00:01\r\n", "sha-256"),
        ("", "neither a=crypto nor a=fingerprint"),
    ] {
        let error = refuse(&media(line), &optional());
        assert!(error.to_string().contains(why), "{error}");
        assert_eq!(Rejection::from(&error).code, 488);
    }
    let both = media(&format!("a=fingerprint:sha-1 4A:AD\r\na=fingerprint:{SHA_256}\r\n"));
    assert!(take(&both, &optional()).0.security.is_encrypted());
    let held = media(&format!("a=setup:holdconn\r\na=fingerprint:{SHA_256}\r\n"));
    assert!(refuse(&held, &optional()).to_string().contains("holdconn"));
}

#[test]
fn our_offers_are_answered_and_the_answers_read() {
    for (policy, keying, proto) in [
        (SrtpPolicy::Optional, OfferedKeying::Sdes, "RTP/AVP"),
        (SrtpPolicy::Required, OfferedKeying::Sdes, "RTP/SAVP"),
        (SrtpPolicy::Optional, OfferedKeying::Dtls, "UDP/TLS/RTP/SAVP"),
        (SrtpPolicy::Required, OfferedKeying::Dtls, "UDP/TLS/RTP/SAVP"),
    ] {
        let caller = local(policy, keying);
        let text = offer(&caller);
        assert!(text.contains(&format!("m=audio 20000 {proto} ")), "{text}");
        let mut callee = optional();
        callee.security.keys.0.iter_mut().for_each(|key| key.fill(0xEE));
        let (there, text) = answer(&text, &callee).expect("spoken");
        let here = accept_answer(&text, &caller).expect("an answer");
        match (there.security, here.security) {
            (MediaSecurity::Sdes { ours, theirs, .. }, MediaSecurity::Sdes { ours: o, theirs: t, .. }) => {
                assert_ne!(ours, theirs);
                assert_eq!((ours, theirs), (t, o));
            }
            (MediaSecurity::Dtls { role: there, .. }, MediaSecurity::Dtls { role: here, .. }) => {
                assert_eq!((there, here), (DtlsRole::Active, DtlsRole::Passive));
            }
            other => panic!("{other:?}"),
        }
        // Somebody who speaks no SRTP takes it in the clear, if he may.
        let plain = answer(&offer(&caller), &local(SrtpPolicy::Off, OfferedKeying::Plain));
        assert_eq!(plain.is_ok(), proto == "RTP/AVP");
        let refused = plain.ok().map(|(_, text)| accept_answer(&text, &caller));
        assert!(refused.is_none_or(|read| read.is_ok_and(|agreed| !agreed.security.is_encrypted())));
    }
}

#[test]
fn an_answer_with_a_key_nobody_offered_is_refused() {
    let caller = local(SrtpPolicy::Required, OfferedKeying::Sdes);
    let answered = |line: &str| accept_answer(&format!("{HEAD}{}", crypto(line)), &caller);
    assert!(answered(&format!("1 AES_CM_128_HMAC_SHA1_80 {KEY}")).is_ok());
    let wrong = answered(&format!("2 AES_CM_128_HMAC_SHA1_80 {KEY}")).expect_err("another tag");
    assert!(wrong.to_string().contains("not what was offered"), "{wrong}");
}

proptest::proptest! {
    #[test]
    fn no_key_lines_make_the_parser_panic(
        lines in proptest::collection::vec("a=(crypto|fingerprint|setup):[ -~]{0,80}", 0..40),
        proto in "(RTP/S?AVPF?|UDP/TLS/RTP/SAVP)",
    ) {
        let media = format!("{HEAD}m=audio 4000 {proto} 0\r\n{}\r\n", lines.join("\r\n"));
        let _ = answer(&media, &optional());
        let _ = accept_answer(&media, &local(SrtpPolicy::Required, OfferedKeying::Dtls));
    }
}
