//! Whatever a call and a server do, in whatever order: what a session must never do.

use proptest::prelude::*;

use super::*;

/// Something that happens to a session, with small numbers so that things meet.
#[derive(Debug, Clone)]
enum Happens {
    Hears,
    Wants { words: bool },
    Says,
    Heard { ms: u64 },
    Cancel,
    Over,
    Connected,
    Lost,
    Silence { ms: u64 },
    Server(Value),
}

fn happens() -> impl Strategy<Value = Happens> {
    let id = || prop::sample::select(vec!["a", "b", "c"]);
    let status = prop::sample::select(vec!["completed", "cancelled", "failed", "incomplete", "new"]);
    let audio = prop::sample::select(vec!["fv8=", "", "?"]);
    let event_id =
        prop::sample::select(vec![json!(null), json!("turn_1_response"), json!("turn_2_commit"), json!("item_1")]);
    let server = prop_oneof![
        id().prop_map(|id| json!({"type": "input_audio_buffer.committed", "item_id": id})),
        id().prop_map(|id| json!({"type": "conversation.item.input_audio_transcription.completed", "item_id": id,
            "transcript": "When?"})),
        id().prop_map(|id| json!({"type": "response.created", "response": {"id": id, "status": "in_progress"}})),
        (id(), id()).prop_map(|(response, id)| json!({"type": "response.output_item.done", "response_id": response,
            "item": {"id": id, "type": "function_call", "name": "f", "call_id": "c", "arguments": "{}"}})),
        (id(), id(), audio).prop_map(|(response, id, delta)| json!({"type": "response.output_audio.delta",
            "response_id": response, "item_id": id, "delta": delta})),
        (id(), id()).prop_map(|(response, id)| json!({"type": "response.output_audio_transcript.delta",
            "response_id": response, "item_id": id, "delta": "Yes. "})),
        (id(), status)
            .prop_map(|(id, status)| json!({"type": "response.done", "response": {"id": id, "status": status}})),
        event_id.prop_map(|id| json!({"type": "error", "error": {"message": "no", "event_id": id}})),
    ];
    prop_oneof![
        2 => Just(Happens::Hears),
        2 => any::<bool>().prop_map(|words| Happens::Wants { words }),
        1 => Just(Happens::Says),
        1 => (0_u64..3000).prop_map(|ms| Happens::Heard { ms }),
        1 => Just(Happens::Cancel),
        1 => Just(Happens::Over),
        3 => Just(Happens::Connected),
        1 => Just(Happens::Lost),
        1 => (0_u64..4000).prop_map(|ms| Happens::Silence { ms }),
        12 => server.prop_map(Happens::Server),
    ]
}

proptest! {
    /// Whatever comes in whatever order: nothing is sent without a connection, one response at a time is asked for, and
    /// once nothing is wanted nothing is waited for.
    #[test]
    fn a_session_stays_in_order(all in prop::collection::vec(happens(), 0..60)) {
        let mut bench = Bench::new();
        // What is connected, or being connected, and responses that may be under way.
        let (mut connects, mut closes, mut open, mut asked) = (0, 0, false, 0_u32);
        let mut number = 0;
        for one in all {
            number += 1;
            match one {
                Happens::Hears => bench.hears(number, vec![system()]),
                Happens::Wants { words } => bench.wants(number, vec![system(), user(if words { "When?" } else { "[pressed 1]" })]),
                Happens::Says => {
                    let text = "Hello.".to_owned();
                    bench.command(SpeechCommand::Say { utterance: number, law: Law::Mu, voice: None, text, urgent: false });
                }
                Happens::Heard { ms } => {
                    bench.command(SpeechCommand::Heard { utterance: number - 1, ms, text: "Yes.".to_owned() });
                }
                Happens::Cancel => bench.command(SpeechCommand::Cancel),
                Happens::Over => bench.command(SpeechCommand::Over),
                Happens::Connected if bench.connects > connects => {
                    (open, connects) = (true, bench.connects);
                    bench.session.connected(bench.now);
                    bench.drain();
                }
                Happens::Lost if open || bench.connects > connects => {
                    (open, asked, connects) = (false, 0, bench.connects);
                    bench.lost();
                }
                Happens::Server(event) if open => {
                    if event["type"] == "response.done" {
                        asked = 0;
                    }
                    bench.server(event);
                }
                Happens::Silence { ms } => bench.silence(Duration::from_millis(ms)),
                Happens::Connected | Happens::Lost | Happens::Server(_) => {}
            }
            let sent = bench.sent();
            prop_assert!(open || sent.is_empty(), "{sent:?} without a connection");
            asked += sent.iter().filter(|kind| *kind == "response.create").count() as u32;
            prop_assert!(asked <= 1, "{asked} responses at a time");
            if bench.closes > closes {
                (open, asked, closes, connects) = (false, 0, bench.closes, bench.connects.max(connects));
            }
        }
        bench.command(SpeechCommand::Cancel);
        prop_assert_eq!(bench.session.poll_timeout(), None);
    }
}
