//! What is said often: an answer that comes again is synthesised no more, and a foreseen question needs no model.
//! The provider is the stub; what was asked of it is on the call's usage.

use std::fs;

use edge_protocol::{EventKind, ProviderUsage, UsageStage};
use loadtest::voice::Utterance;
use tempfile::TempDir;

use crate::caller::Phone;
use crate::provider::Provider;
use crate::stack::Stack;

const QUESTION: &str = "when are you open";
const GREETING: &str = "Hello, this is the shop.";
const REPLY: &str = "I will look that up.";

#[tokio::test]
async fn a_sentence_that_is_said_again_is_kept_and_not_charged() {
    let usage = usage_of_three_questions("").await;
    let synthesis = at(&usage, UsageStage::Synthesis);
    // The first two times it was synthesised; the greeting too, if the node had not come to it when the call came.
    assert!(synthesis.kept >= 1, "{synthesis:?}");
    assert!(at(&usage, UsageStage::Chat).requests >= 3, "the model is asked all the same: {usage:#?}");
    let all = (GREETING.len() + 3 * REPLY.len()) as u64;
    assert!(synthesis.characters < all, "what was kept is not counted: {synthesis:?}");
}

#[tokio::test]
async fn a_foreseen_question_is_answered_by_the_agents_own_text() {
    let replies = format!("[[replies]]\nquestions = [\"{QUESTION}\"]\ntext = \"{REPLY}\"\n");
    let usage = usage_of_three_questions(&replies).await;
    assert!(!usage.iter().any(|used| used.stage == UsageStage::Chat), "{usage:#?}");
    assert!(at(&usage, UsageStage::Synthesis).kept >= 3, "{usage:#?}");
}

/// The answer is `REPLY` each time.
async fn usage_of_three_questions(agent: &str) -> Vec<ProviderUsage> {
    let dir = TempDir::new().expect("a directory");
    let text = format!("name = \"Shop\"\ninstructions = \"Be brief.\"\ngreeting = \"{GREETING}\"\n{agent}");
    let file = dir.path().join("shop.toml");
    fs::write(&file, text).expect("an agent file");
    let options = ["--reply", REPLY, "--transcript", QUESTION];
    let provider = Provider::start(dir.path(), &options).await.expect("a provider");
    let mut settings = provider.settings();
    settings.push(("TANDEM_AGENT", file.display().to_string()));
    let stack = Stack::start_with(1, &settings).await.expect("Kamailio and a node");
    let phone = Phone::of(&stack).await.expect("a phone");
    let question = Utterance::spoken(QUESTION, "rms").await.expect("a question");
    let mut call = phone.dial().await.expect("a call");
    assert!(call.greeting().await.expect("a call that stays up"));
    for _ in 0..3 {
        assert!(call.ask(QUESTION, &question).await.expect("a call that stays up").answered);
    }
    let over = call.hang_up().await.expect("a recording");
    let answers = over
        .events
        .iter()
        .filter(|event| matches!(event, EventKind::TurnCompleted { heard_text, .. } if heard_text == REPLY));
    assert_eq!(answers.count(), 3, "{:#?}", over.events);
    let usage = over.events.into_iter().find_map(|event| match event {
        EventKind::CallEnded { usage, .. } => Some(usage),
        _ => None,
    });
    usage.expect("the call's end")
}

fn at(usage: &[ProviderUsage], stage: UsageStage) -> &ProviderUsage {
    usage.iter().find(|used| used.stage == stage).unwrap_or_else(|| panic!("nothing at {stage:?}: {usage:#?}"))
}
