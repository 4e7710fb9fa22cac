//! What becomes of the edge's values, the good and the bad ones.
//! Nothing here runs outside tests.

use edge_protocol::accounts::AgentSpec;

use super::*;

fn acceptance() -> Acceptance {
    Acceptance {
        account_id: "acc_1".to_owned(),
        profile_id: "prf_1".to_owned(),
        agent: AgentSpec {
            name: "reception".to_owned(),
            instructions: "Be kind.".to_owned(),
            greeting: "Hello.".to_owned(),
            voice: Some("rms".to_owned()),
            silence_prompts: vec!["Hello?".to_owned(), " ".to_owned()],
            goodbye: "Bye.".to_owned(),
            fallback: "Sorry.".to_owned(),
            endpointing_ms: 600,
            silence_after_ms: 8000,
            rtp_timeout_s: 15,
            tools: Vec::new(),
            pipeline: None,
            replies: Vec::new(),
            keep_voice: None,
            chat_provider: None,
        },
        max_call_s: 90,
        record: true,
    }
}

#[test]
fn a_call_gets_the_agent_the_owner_and_the_voice_the_edge_names() {
    let admitted = Admitted::try_from(acceptance()).unwrap();
    assert_eq!(admitted.tenant, Some(Tenant { account_id: "acc_1".to_owned(), profile_id: "prf_1".to_owned() }));
    assert!(admitted.record);
    let agent = &admitted.agent;
    assert_eq!((agent.name.as_str(), agent.voice.as_deref()), ("reception", Some("rms")));
    assert_eq!((agent.max_call, agent.endpointing.finished), (Duration::from_secs(90), Duration::from_millis(600)));
    assert_eq!(agent.silence_prompts, ["Hello?"]);
}

#[test]
fn times_a_call_cannot_live_with_are_brought_into_range() {
    let mut extreme = acceptance();
    (extreme.agent.endpointing_ms, extreme.agent.silence_after_ms, extreme.agent.rtp_timeout_s) = (0, 0, 0);
    extreme.max_call_s = u32::MAX;
    let agent = Admitted::try_from(extreme).unwrap().agent;
    assert_eq!(agent.endpointing.finished, Duration::from_millis(100));
    assert_eq!(agent.silence_after, Duration::from_secs(1));
    assert_eq!(agent.rtp_timeout, Duration::from_secs(2));
    assert_eq!(agent.max_call, Duration::from_secs(86_400));
}

#[test]
fn an_agent_without_words_to_end_a_call_gets_ours() {
    let mut mute = acceptance();
    (mute.agent.goodbye, mute.agent.fallback, mute.agent.name) = (String::new(), " ".to_owned(), String::new());
    mute.agent.voice = Some(String::new());
    let agent = Admitted::try_from(mute).unwrap().agent;
    let own = AgentSettings::default();
    assert_eq!((&agent.goodbye, &agent.fallback, &agent.name), (&own.goodbye, &own.fallback, &own.name));
    assert_eq!(agent.voice, None);
}

#[test]
fn an_acceptance_without_time_or_owner_cannot_be_carried_out() {
    assert_eq!(Admitted::try_from(Acceptance { max_call_s: 0, ..acceptance() }), Err(BadAcceptance::NoTime));
    let nobody = Acceptance { account_id: String::new(), ..acceptance() };
    assert_eq!(Admitted::try_from(nobody), Err(BadAcceptance::Missing("account_id")));
}

#[test]
fn the_edge_chooses_how_the_agent_hears_and_what_needs_no_model() {
    let mut chosen = acceptance();
    chosen.agent.pipeline = Some(accounts::Pipeline::Realtime);
    chosen.agent.keep_voice = Some(false);
    chosen.agent.chat_provider = Some("groq".to_owned());
    let reply = |question: &str, text: &str| FixedReply { questions: vec![question.to_owned()], text: text.to_owned() };
    chosen.agent.replies = vec![reply("are you open", "We are."), reply("*", "It would answer everything.")];
    let agent = Admitted::try_from(chosen).unwrap().agent;
    assert_eq!((agent.pipeline, agent.keep_voice), (Pipeline::SpeechToSpeech, false));
    assert_eq!(agent.chat_provider.as_deref(), Some("groq"));
    assert_eq!(agent.replies, [Reply::new(&["are you open".to_owned()], "We are.".to_owned()).unwrap()]);
}
