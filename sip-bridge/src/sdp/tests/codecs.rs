//! Which codec a call gets, by which number it goes, and how long its packets are.
//! Not here: sections, addresses, refusals, which `tests` has.

use super::*;

fn audio(formats: &str, lines: &[&str]) -> String {
    let attributes: String = lines.iter().map(|line| format!("a={line}\r\n")).collect();
    format!("{V4}m=audio 4000 RTP/AVP {formats}\r\n{attributes}")
}

fn speaking(codecs: &[Codec]) -> Local {
    Local { codecs: codecs.to_vec(), ..local() }
}

/// As a WebRTC gateway writes it.
const OPUS: [&str; 4] = [
    "rtpmap:111 opus/48000/2",
    "fmtp:111 minptime=10; useinbandfec=1; usedtx=1; maxaveragebitrate=24000;maxplaybackrate=16000",
    "rtpmap:110 telephone-event/48000",
    "rtpmap:126 telephone-event/8000",
];

#[test]
fn what_costs_least_is_taken_whatever_the_offer_likes_best() {
    for (formats, codec) in
        [("111 9 0", Codec::Pcmu), ("9 111 8 0", Codec::Pcma), ("9 111", Codec::Opus), ("18 9", Codec::G722)]
    {
        assert_eq!(take(&audio(formats, &OPUS)).0.codec, codec, "{formats}");
    }
}

#[test]
fn our_order_of_codecs_decides_and_what_is_not_in_it_is_not_spoken() {
    let ours = speaking(&[Codec::Opus, Codec::Pcma]);
    let agreed = |formats: &str| answer(&audio(formats, &OPUS), &ours).map(|(agreed, _)| agreed.codec);
    assert_eq!(agreed("0 8 111"), Ok(Codec::Opus));
    assert_eq!(agreed("0 8"), Ok(Codec::Pcma));
    assert_eq!(
        agreed("0 9"),
        Err(SdpError::NoCodec { offered: "payload 0, G722".to_owned(), spoken: "opus, PCMA".to_owned() })
    );
}

#[test]
fn opus_is_answered_by_the_offer_s_number_with_events_at_its_clock() {
    let (agreed, text) = take(&audio("111 110 126 13", &OPUS));
    assert_eq!((agreed.codec, agreed.payload_type, agreed.receive_payload_type), (Codec::Opus, 111, 111));
    assert_eq!((agreed.telephone_event, agreed.comfort_noise), (Some(110), None));
    let wishes = OpusWishes { max_playback_rate_hz: 16_000, max_average_bitrate: Some(24_000), fec: true, dtx: true };
    assert_eq!(agreed.opus, wishes);
    assert!(
        text.contains(
            "m=audio 20000 RTP/AVP 111 110\r\na=rtpmap:111 opus/48000/2\r\n\
             a=fmtp:111 maxplaybackrate=8000;sprop-maxcapturerate=8000;stereo=0;sprop-stereo=0;useinbandfec=1\r\n\
             a=rtpmap:110 telephone-event/48000\r\na=fmtp:110 0-15\r\n"
        ),
        "{text}"
    );
}

#[test]
fn events_at_8000_hz_are_taken_beside_opus_when_there_are_no_others() {
    let (agreed, text) = take(&audio("111 126", &OPUS));
    assert_eq!(agreed.telephone_event, Some(126));
    assert!(text.contains("a=rtpmap:126 telephone-event/8000\r\n"), "{text}");
    assert_eq!(take(&audio("0 110", &OPUS)).0.telephone_event, None, "48,000 Hz beside G.711");
}

#[test]
fn g722_says_8000_hz() {
    let (agreed, text) = take(&audio("9", &[]));
    assert_eq!((agreed.codec, agreed.payload_type), (Codec::G722, 9));
    assert!(text.contains("a=rtpmap:9 G722/8000\r\n"), "{text}");
    refuse(&audio("97", &["rtpmap:97 G722/16000"]));
}

#[test]
fn comfort_noise_is_agreed_to_with_or_without_its_rtpmap() {
    for (formats, lines) in [("0 13", &[][..]), ("0 13", &["rtpmap:13 CN/8000"]), ("0 98", &["rtpmap:98 CN/8000"])] {
        let (agreed, text) = take(&audio(formats, lines));
        let number = formats.split(' ').next_back().and_then(|n| n.parse().ok());
        assert_eq!(agreed.comfort_noise, number);
        assert!(text.contains(&format!("m=audio 20000 RTP/AVP {formats}\r\n")), "{text}");
    }
    assert_eq!(take(&audio("0 13", &["rtpmap:13 G726-32/8000"])).0.comfort_noise, None);
}

#[test]
fn an_answer_may_use_numbers_of_its_own_and_its_first_codec_is_the_one() {
    let read = |text: &str| accept_answer(text, &local()).expect("an answer");
    let agreed = read(&audio("111 0 110", &OPUS));
    assert_eq!((agreed.codec, agreed.payload_type, agreed.receive_payload_type), (Codec::Opus, 111, 96));
    assert_eq!(agreed.telephone_event, Some(110));
    let agreed = read(&audio("0 111", &OPUS));
    assert_eq!((agreed.codec, agreed.receive_payload_type), (Codec::Pcmu, 0));
}

#[test]
fn an_offer_names_what_is_spoken_and_no_more() {
    let text = offer(&local());
    assert!(text.contains("m=audio 20000 RTP/AVP 0 8 96 9 13 101 100\r\n"), "{text}");
    assert!(text.contains("a=rtpmap:96 opus/48000/2\r\n") && text.contains("a=rtpmap:9 G722/8000\r\n"), "{text}");
    assert!(offer(&speaking(&[Codec::Pcma])).contains("m=audio 20000 RTP/AVP 8 13 101\r\n"));
    assert!(offer(&speaking(&[Codec::Opus])).contains("m=audio 20000 RTP/AVP 96 100\r\n"));
}

#[test]
fn a_packet_is_no_longer_than_maxptime() {
    for (lines, ms) in [
        (&["ptime:40", "maxptime:30"][..], 30),
        (&["maxptime:10"], 10),
        (&["ptime:10", "maxptime:60"], 10),
        (&["maxptime:150"], 20),
        (&["maxptime:nonsense"], 20),
    ] {
        assert_eq!(take(&audio("0", lines)).0.ptime_ms, ms, "{lines:?}");
    }
}

#[test]
fn a_fax_is_refused_without_dropping_the_call() {
    let (agreed, text) = take(&format!("{}m=image 6000 udptl t38\r\na=T38FaxVersion:0\r\n", audio("8", &[])));
    assert_eq!((agreed.codec, agreed.direction), (Codec::Pcma, Direction::SendRecv));
    assert!(text.ends_with("m=image 0 udptl t38\r\n"), "{text}");
    let only_fax = refuse(&format!("{V4}m=audio 0 RTP/AVP 8\r\nm=image 6000 udptl t38\r\n"));
    let rejection = Rejection::from(&only_fax);
    assert_eq!((rejection.code, rejection.warning.map(|(code, _)| code)), (488, Some(304)));
}

#[test]
fn names_in_settings_are_read_in_any_case() {
    assert_eq!(
        ["pcmu", "PCMA", "g722", "Opus"].map(str::parse),
        [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus].map(Ok)
    );
    assert_eq!("G729".parse::<Codec>(), Err(UnknownCodec("G729".to_owned())));
}

proptest! {
    #[test]
    fn no_parameters_of_opus_make_the_parser_panic(parameters in any::<String>()) {
        let offer = audio("111", &["rtpmap:111 opus/48000/2", &format!("fmtp:111 {parameters}")]);
        let _ = answer(&offer, &local());
    }
}
