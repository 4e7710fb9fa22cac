//! Offers as devices really write them, and properties over any text.
//! Not here: the SIP that carries them.

mod codecs;

use super::*;
use crate::Rejection;
use proptest::prelude::*;

const V4: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.5\r\ns=-\r\nc=IN IP4 192.0.2.5\r\nt=0 0\r\n";

fn local() -> Local {
    Local {
        addr: "192.0.2.1".parse().expect("an address"),
        codecs: Codec::ALL.to_vec(),
        port: 20000,
        rtcp_mux: true,
        session_id: 42,
        version: 3,
        security: Security::default(),
    }
}

fn take(offer: &str) -> (Negotiated, String) {
    answer(offer, &local()).unwrap_or_else(|error| panic!("{error}\n{offer}"))
}

fn refuse(offer: &str) -> SdpError {
    answer(offer, &local()).expect_err("must be refused")
}

#[test]
fn an_ordinary_offer_is_answered_with_its_first_law_of_g711() {
    let offer = format!(
        "{V4}m=audio 4000 RTP/AVP 18 8 0 96\r\na=rtpmap:18 G729/8000\r\na=rtpmap:8 PCMA/8000\r\n\
         a=rtpmap:0 PCMU/8000\r\na=rtpmap:96 telephone-event/8000\r\na=fmtp:96 0-16\r\na=ptime:30\r\n"
    );
    let (agreed, text) = take(&offer);
    assert_eq!(
        agreed,
        Negotiated {
            codec: Codec::Pcma,
            payload_type: 8,
            receive_payload_type: 8,
            telephone_event: Some(96),
            event_clock_hz: 8000,
            comfort_noise: None,
            ptime_ms: 30,
            opus: OpusWishes::default(),
            remote_rtp: "192.0.2.5:4000".parse().expect("an address"),
            remote_rtcp: "192.0.2.5:4001".parse().expect("an address"),
            rtcp_mux: false,
            direction: Direction::SendRecv,
            security: MediaSecurity::Plain,
        }
    );
    assert_eq!(
        text,
        "v=0\r\no=tandem 42 3 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
         m=audio 20000 RTP/AVP 8 96\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:96 telephone-event/8000\r\n\
         a=fmtp:96 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
    );
}

#[test]
fn static_payload_types_need_no_rtpmap() {
    assert_eq!(take(&format!("{V4}m=audio 4000 RTP/AVP 0\r\n")).0.codec, Codec::Pcmu);
    assert_eq!(take(&format!("{V4}m=audio 4000 RTP/AVP 8\r\n")).0.codec, Codec::Pcma);
}

#[test]
fn an_rtpmap_decides_what_a_payload_type_means() {
    let dynamic = take(&format!("{V4}m=audio 4000 RTP/AVP 97\r\na=rtpmap:97 pcmu/8000/1\r\n")).0;
    assert_eq!((dynamic.codec, dynamic.payload_type), (Codec::Pcmu, 97));
    let renamed = refuse(&format!("{V4}m=audio 4000 RTP/AVP 0\r\na=rtpmap:0 G726-32/8000\r\n"));
    assert_eq!(
        renamed,
        SdpError::NoCodec { offered: "G726-32".to_owned(), spoken: "PCMU, PCMA, opus, G722".to_owned() }
    );
    refuse(&format!("{V4}m=audio 4000 RTP/AVP 97\r\na=rtpmap:97 PCMU/16000\r\n"));
    refuse(&format!("{V4}m=audio 4000 RTP/AVP 97\r\na=rtpmap:97 PCMU/8000/2\r\n"));
}

#[test]
fn line_ends_and_blank_lines_of_real_devices_are_read() {
    let crlf = format!("{V4}m=audio 4000 RTP/AVP 0\r\n");
    let expected = take(&crlf).0;
    for odd in
        [crlf.replace("\r\n", "\n"), crlf.replace("\r\n", "\r"), format!("\r\n{crlf}\r\n\r\n"), crlf.replace('=', "= ")]
    {
        assert_eq!(take(&odd).0, expected, "{odd:?}");
    }
    assert_eq!(take(crlf.trim_end()).0, expected, "no line end at the end");
}

#[test]
fn a_section_s_own_address_goes_before_the_session_s() {
    let offer = format!("{V4}m=audio 4000/2 RTP/AVP 0\r\nc=IN IP4 192.0.2.77/127\r\n");
    assert_eq!(take(&offer).0.remote_rtp, "192.0.2.77:4000".parse().expect("an address"));
}

#[test]
fn ipv6_is_spoken_among_ipv6_only() {
    let offer = "v=0\r\no=- 1 1 IN IP6 ::1\r\ns=-\r\nc=IN IP6 2001:db8::5\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
    let six = Local { addr: "2001:db8::1".parse().expect("an address"), ..local() };
    let (agreed, text) = answer(offer, &six).expect("spoken");
    assert_eq!(agreed.remote_rtp, "[2001:db8::5]:4000".parse().expect("an address"));
    assert!(text.contains("c=IN IP6 2001:db8::1\r\n"));
    assert_eq!(refuse(offer).warn_code(), Some(301));
}

#[test]
fn other_sections_are_answered_with_port_0_in_their_places() {
    let offer = format!(
        "{V4}m=video 5000 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\nm=audio 0 RTP/AVP 0\r\nm=audio 4000 RTP/AVP 0\r\n\
         m=audio 4002 RTP/AVP 8\r\nm=image 6000 udptl t38\r\n"
    );
    let (agreed, text) = take(&offer);
    assert_eq!(agreed.remote_rtp.port(), 4000);
    let sections: Vec<&str> = text.lines().filter(|line| line.starts_with("m=")).collect();
    assert_eq!(
        sections,
        [
            "m=video 0 RTP/AVP 96",
            "m=audio 0 RTP/AVP 0",
            "m=audio 20000 RTP/AVP 0",
            "m=audio 0 RTP/AVP 8",
            "m=image 0 udptl t38"
        ]
    );
}

#[test]
fn the_second_audio_section_is_taken_when_the_first_cannot_be_spoken() {
    let (agreed, _) = take(&format!("{V4}m=audio 4000 RTP/SAVP 0\r\nm=audio 4002 RTP/AVP 0\r\n"));
    assert_eq!(agreed.remote_rtp.port(), 4002);
}

#[test]
fn hold_is_seen_from_our_side() {
    let audio = format!("{V4}m=audio 4000 RTP/AVP 0\r\n");
    for (theirs, ours) in [
        ("sendrecv", Direction::SendRecv),
        ("sendonly", Direction::RecvOnly),
        ("recvonly", Direction::SendOnly),
        ("inactive", Direction::Inactive),
    ] {
        let (agreed, text) = take(&format!("{audio}a={theirs}\r\n"));
        assert_eq!(agreed.direction, ours);
        assert!(text.ends_with(&format!("a={}\r\n", ours.attribute())));
        let session_level = take(&audio.replace("m=", &format!("a={theirs}\r\nm="))).0;
        assert_eq!(session_level.direction, ours);
    }
    let old_way = take(&format!("{audio}c=IN IP4 0.0.0.0\r\n")).0;
    assert_eq!(old_way.direction, Direction::RecvOnly);
}

#[test]
fn rtcp_goes_where_the_offer_says() {
    let audio = format!("{V4}m=audio 4000 RTP/AVP 0\r\n");
    let rtcp = |extra: &str| take(&format!("{audio}{extra}")).0.remote_rtcp.to_string();
    assert_eq!(rtcp(""), "192.0.2.5:4001");
    assert_eq!(rtcp("a=rtcp:5555\r\n"), "192.0.2.5:5555");
    assert_eq!(rtcp("a=rtcp:5555 IN IP4 192.0.2.6\r\n"), "192.0.2.6:5555");
    assert_eq!(rtcp("a=rtcp:5555\r\na=rtcp-mux\r\n"), "192.0.2.5:4000");
    let (agreed, text) = take(&format!("{audio}a=rtcp-mux\r\n"));
    assert!(agreed.rtcp_mux && text.contains("a=rtcp-mux\r\n"));
    let without = Local { rtcp_mux: false, ..local() };
    let (agreed, text) = answer(&format!("{audio}a=rtcp-mux\r\n"), &without).expect("spoken");
    assert!(!agreed.rtcp_mux && !text.contains("rtcp-mux"));
}

#[test]
fn a_packet_length_nobody_can_send_is_ignored() {
    let audio = format!("{V4}m=audio 4000 RTP/AVP 0\r\n");
    for (line, ms) in [("40", 40), ("0", 20), ("9999", 20), ("abc", 20), ("20.5", 20), ("-5", 20)] {
        assert_eq!(take(&format!("{audio}a=ptime:{line}\r\n")).0.ptime_ms, ms, "{line}");
    }
}

#[test]
fn the_answer_repeats_the_offer_s_time() {
    let offer = format!("{V4}m=audio 4000 RTP/AVP 0\r\n").replace("t=0 0", "t=2873397496 2873404696");
    assert!(take(&offer).1.contains("t=2873397496 2873404696\r\n"));
}

#[test]
fn refusals_name_what_was_offered_and_map_to_488_with_a_warning() {
    let cases = [
        (
            format!(
                "{V4}m=audio 4000 RTP/AVP 18 111 101\r\na=rtpmap:111 speex/16000\r\na=rtpmap:101 telephone-event/8000\r\n"
            ),
            305,
            "no codec in common: offered G729, speex/16000; spoken here PCMU, PCMA, opus, G722",
        ),
        (format!("{V4}m=video 4000 RTP/AVP 96\r\n"), 304, "no audio: offered video; spoken here audio"),
        (format!("{V4}m=audio 0 RTP/AVP 0\r\n"), 304, "no audio: offered audio (disabled); spoken here audio"),
        (V4.to_owned(), 304, "no audio: offered nothing; spoken here audio"),
        (format!("{V4}m=audio 4000 RTP/SAVP 0\r\n"), 302, "transport \"RTP/SAVP\" not spoken; spoken here RTP/AVP"),
        (
            format!("{V4}m=audio 4000 RTP/AVP 0\r\nc=IN IP4 phone.example.com\r\n"),
            301,
            "address \"IN IP4 phone.example.com\" cannot be reached from here",
        ),
        (
            "v=0\r\ns=-\r\nm=audio 4000 RTP/AVP 0\r\n".to_owned(),
            301,
            "address \"no c= line\" cannot be reached from here",
        ),
    ];
    for (offer, code, text) in cases {
        let error = refuse(&offer);
        let rejection = Rejection::from(&error);
        assert_eq!((error.warn_code(), error.to_string().as_str()), (Some(code), text));
        assert_eq!((rejection.code, rejection.warning), (488, Some((code, text.to_owned()))));
    }
}

#[test]
fn what_is_no_sdp_is_refused_with_400_and_the_line() {
    for text in [
        "",
        "hello",
        "o=- 1 1 IN IP4 1.2.3.4\r\n",
        "v=1\r\n",
        "v=0\r\nm=audio\r\n",
        "v=0\r\nm=audio x RTP/AVP 0\r\n",
        "v=0\r\nm=audio 70000 RTP/AVP 0\r\n",
        "v=0\r\nmm=1\r\n",
        "v=0\r\nc=IN IP4\r\n",
        "v=0\r\nm=audio 1 RTP/AVP 0\r\na=rtcp:x\r\n",
    ] {
        assert_eq!(Rejection::from(refuse(text)).code, 400, "{text:?}");
    }
    let SdpError::Malformed { line, text, .. } = refuse("v=0\r\ns=-\r\nm=audio\r\n") else { panic!("no line") };
    assert_eq!((line, text.as_str()), (3, "m=audio"));
}

#[test]
fn sizes_have_limits() {
    let huge = [
        format!("{V4}{}", "a=x\r\n".repeat(600)),
        format!("{V4}{}", "m=audio 1 RTP/AVP 0\r\n".repeat(17)),
        format!("{V4}a={}\r\n", "x".repeat(17000)),
    ];
    for text in huge {
        assert_eq!(Rejection::from(refuse(&text)).code, 413);
    }
    assert_eq!(Rejection::from(refuse(&format!("{V4}m=audio 1 RTP/AVP{}\r\n", " 0".repeat(65)))).code, 400);
}

#[test]
fn our_offer_is_answered_and_the_answer_read() {
    let caller = Local { port: 30000, ..local() };
    let (at_callee, text) = answer(&offer(&caller), &local()).expect("spoken");
    let at_caller = accept_answer(&text, &caller).expect("an answer");
    assert_eq!((at_callee.codec, at_callee.telephone_event), (Codec::Pcmu, Some(TELEPHONE_EVENT)));
    assert_eq!((at_caller.codec, at_caller.telephone_event), (Codec::Pcmu, Some(TELEPHONE_EVENT)));
    assert_eq!((at_callee.remote_rtp.port(), at_caller.remote_rtp.port()), (30000, 20000));
    assert!(at_callee.rtcp_mux && at_caller.rtcp_mux);
}

#[test]
fn an_answer_that_refuses_the_stream_is_an_error() {
    assert_eq!(accept_answer(&format!("{V4}m=audio 0 RTP/AVP 0\r\n"), &local()), Err(SdpError::Refused));
}

#[test]
fn a_new_version_keeps_the_session() {
    let mut ours = local();
    let first = offer(&ours);
    ours.bump_version();
    let second = offer(&ours);
    assert!(first.contains("o=tandem 42 3 ") && second.contains("o=tandem 42 4 "));
}

/// Offers that keep to the grammar: several sections, any codecs, addresses at either level.
fn any_offer() -> impl Strategy<Value = String> {
    let format = prop_oneof![Just(0_u8), Just(8), Just(9), Just(13), Just(18), 96..=127_u8];
    let map = (
        0..=127_u8,
        prop_oneof!["PCMU", "pcma", "opus", "CN", "telephone-event"],
        prop_oneof![Just(8000), Just(48000)],
    );
    let section = (
        prop_oneof![Just("audio"), Just("video")],
        0..=u16::MAX,
        prop_oneof![Just("RTP/AVP"), Just("RTP/SAVP"), Just("RTP/AVPF")],
        prop::collection::vec(format, 1..6),
        prop::collection::vec(map, 0..6),
        prop_oneof![
            Just(""),
            Just("a=sendonly\r\n"),
            Just("a=inactive\r\n"),
            Just("a=rtcp-mux\r\n"),
            Just("a=rtcp:9 IN IP4 192.0.2.8\r\n")
        ],
        prop_oneof![Just(""), Just("c=IN IP4 198.51.100.4\r\n"), Just("c=IN IP4 0.0.0.0\r\n")],
    );
    (any::<bool>(), prop::collection::vec(section, 0..5)).prop_map(|(session_address, sections)| {
        let mut text = "v=0\r\no=- 1 1 IN IP4 192.0.2.5\r\ns=-\r\n".to_owned();
        if session_address {
            text.push_str("c=IN IP4 192.0.2.5\r\n");
        }
        text.push_str("t=0 0\r\n");
        for (kind, port, proto, formats, maps, attribute, address) in sections {
            let formats: Vec<String> = formats.iter().map(u8::to_string).collect();
            text.push_str(&format!("m={kind} {port} {proto} {}\r\n{address}", formats.join(" ")));
            for (payload_type, name, rate) in maps {
                text.push_str(&format!("a=rtpmap:{payload_type} {name}/{rate}\r\n"));
            }
            text.push_str(attribute);
        }
        text
    })
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in any::<String>()) {
        let _ = answer(&text, &local());
        let _ = accept_answer(&text, &local());
    }

    #[test]
    fn no_lines_make_the_parser_panic(lines in prop::collection::vec("[vosctma]=[ -~]{0,60}", 0..40)) {
        let _ = answer(&format!("v=0\r\n{}", lines.join("\r\n")), &local());
    }

    #[test]
    fn no_damage_to_an_offer_makes_the_parser_panic(offer in any_offer(), at in any::<prop::sample::Index>(), with in any::<char>()) {
        let mut chars: Vec<char> = offer.chars().collect();
        let index = at.index(chars.len());
        if let Some(place) = chars.get_mut(index) {
            *place = with;
        }
        let _ = answer(&chars.into_iter().collect::<String>(), &local());
    }

    #[test]
    fn what_is_agreed_on_does_not_hang_on_our_port(offer in any_offer()) {
        let offer = Offer::parse(&offer).expect("a description");
        let later = Local { port: 20002, ..local() };
        prop_assert_eq!(offer.agree(&local()), offer.answer(&later).map(|(agreed, _)| agreed));
    }

    #[test]
    fn the_answer_to_any_offer_reads_back_as_what_was_agreed(offer in any_offer()) {
        if let Ok((agreed, text)) = answer(&offer, &local()) {
            let sections = |text: &str| text.lines().filter(|line| line.starts_with("m=")).count();
            prop_assert_eq!(sections(&offer), sections(&text));
            // Our own answer, read by the offerer, with the sections that were refused left out.
            let mut taken = false;
            let kept: String = text
                .lines()
                .filter(|line| {
                    taken = if line.starts_with("m=") { !line.contains(" 0 RTP/") } else { taken || !line.starts_with("a=") };
                    taken || !line.starts_with("m=")
                })
                .map(|line| format!("{line}\r\n"))
                .collect();
            let there = Local { addr: "192.0.2.5".parse().expect("an address"), ..local() };
            let read = accept_answer(&kept, &there).expect("our own answer");
            prop_assert_eq!(read.codec, agreed.codec);
            prop_assert_eq!(read.payload_type, agreed.payload_type);
            prop_assert_eq!(read.telephone_event, agreed.telephone_event);
            prop_assert_eq!(read.direction, agreed.direction.reversed());
            prop_assert_eq!(read.rtcp_mux, agreed.rtcp_mux);
            prop_assert_eq!(read.remote_rtp, "192.0.2.1:20000".parse().expect("an address"));
        }
    }
}
