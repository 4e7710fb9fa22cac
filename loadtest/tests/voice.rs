//! The caller's voice as flite makes it; flite is one of the packages the set-up installs.

use std::time::Duration;

use loadtest::script::Script;
use loadtest::voice::Utterance;

#[tokio::test]
async fn a_sentence_takes_as_long_as_a_person_needs_for_it() {
    for voice in ["rms", "kal16"] {
        let utterance = Utterance::spoken("What are your opening hours?", voice).await.unwrap();
        let range = Duration::from_millis(1000)..Duration::from_millis(3000);
        assert!(range.contains(&utterance.duration()), "{voice}: {:?}", utterance.duration());
    }
}

#[tokio::test]
async fn a_voice_that_does_not_exist_is_named_with_the_line() {
    let script = Script::parse("voice = \"nobody\"\n[[line]]\nsay = \"Hello.\"", "test.toml").unwrap();
    let error = script.prepare("test.toml", None).await.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(error.contains("line 1") && error.contains("nobody"), "{error}");
}
