//! What people say on the phone is understood and rightly answered; what the agent has no phrase for is asked again.
//! Spoken with two synthetic voices and by people, over G.711, Kamailio and a node with its own ears.

use std::fs;
use std::path::Path;

use loadtest::report::TalkReport;
use loadtest::script::{Line, Phrase};
use serde::Deserialize;

use crate::caller::Phone;
use crate::node::root;
use crate::stack::Stack;

/// A question and words of its right answer; `|` parts alternatives, for what depends on the day.
type Question = (&'static str, &'static str);

/// One call each: a flite voice and what it asks. Questions that end the conversation, or make the next line a
/// message, are last.
const CALLS: [(&str, &[Question]); 8] = [
    (
        "kal16",
        &[
            ("can you repeat that please", "I said: Hello, this is Blue Door Books"),
            ("when are you open", "Monday to Friday from 9 a.m. to 6 p.m."),
            ("what time is it", "It is"),
            ("where are you located", "12 Mill Street"),
            ("my number is five five five one two three four", "5 5 5 1 2 3 4"),
            ("can i leave a message", "Please say your message now"),
        ],
    ),
    (
        "rms",
        &[
            ("what are your opening hours", "Monday to Friday from 9 a.m. to 6 p.m."),
            ("are you open on sunday", "closed"),
            ("excuse me do you know what time it is", "It is"),
            ("what is your address", "12 Mill Street"),
            ("please read back four zero seven nine", "4 0 7 9"),
            ("i'd like to leave a message for the manager", "Please say your message now"),
        ],
    ),
    (
        "kal16",
        &[
            ("can you tell me your opening hours please", "Monday to Friday from 9 a.m. to 6 p.m."),
            ("what time do you open tomorrow", "Tomorrow"),
            ("what is today's date", "Today is"),
            ("sorry what did you say", "I said: Today is"),
            ("can i speak to a person please", "nobody can take your call right now"),
            ("can you take a message please", "Please say your message now"),
        ],
    ),
    (
        "rms",
        &[
            ("which days are you open", "Saturday from 10 a.m. to 2 p.m."),
            ("how late are you open today", "Today"),
            ("what day is it today", "Today is"),
            ("could you say that again", "I said: Today is"),
            ("i would like to talk to someone", "nobody can take your call right now"),
            ("could you ask someone to call me back", "Please say your message now"),
        ],
    ),
    (
        "kal16",
        &[
            ("when do you close on saturday", "from 10 a.m. to 2 p.m."),
            ("are you open right now", "open|closed"),
            ("what's the time please", "It is"),
            ("connect me to a human", "nobody can take your call right now"),
            ("nine eight seven six", "9 8 7 6"),
            ("who am i talking to", "the answering machine of Blue Door Books"),
            ("goodbye", "Goodbye"),
        ],
    ),
    (
        "rms",
        &[
            ("can i come by on monday", "from 9 a.m. to 6 p.m."),
            ("is the shop open tomorrow", "Tomorrow"),
            ("can you tell me the time", "It is"),
            ("please put me through to the manager", "nobody can take your call right now"),
            ("my phone number is two one eight six oh three", "2 1 8 6 0 3"),
            ("do you have a website", "blue door books dot example"),
            ("no thank you that's all", "Goodbye"),
        ],
    ),
    (
        "kal16",
        &[
            ("what about wednesday", "from 9 a.m. to 6 p.m."),
            ("what's the date", "Today is"),
            ("how do i get there", "12 Mill Street"),
            ("are you a robot", "answering machine of Blue Door Books"),
            ("thank you very much", "You are welcome"),
            ("can you help me please", "I can also take a message"),
        ],
    ),
    (
        "rms",
        &[
            ("could you tell me the date please", "Today is"),
            ("i didn't catch that", "I said: Today is"),
            ("do you have the time", "It is"),
            ("what can you do", "I can also take a message"),
            ("hello how are you", "Hello"),
            ("have a nice day", "Goodbye"),
        ],
    ),
];

/// What no phrase of the reception is for.
const UNKNOWN: [(&str, &[&str]); 4] = [
    (
        "kal16",
        &[
            "my dog ate the newspaper this morning",
            "i think the weather will be better in july",
            "the train to london was delayed again",
            "please turn off the kitchen light",
            "do you like music",
        ],
    ),
    (
        "rms",
        &[
            "can you order me a large pizza with mushrooms",
            "i am looking for a pair of running shoes",
            "is there a swimming pool in the hotel",
            "how tall is the eiffel tower",
            "never mind",
        ],
    ),
    (
        "kal16",
        &[
            "tell me a joke about elephants",
            "i forgot my umbrella on the bus",
            "what is the capital of australia",
            "i have a headache",
            "can i bring my cat",
        ],
    ),
    (
        "rms",
        &[
            "my computer does not start any more",
            "what colour is the sky",
            "when is the next flight to paris",
            "what time does the movie start",
            "where did you buy that hat",
        ],
    ),
];

/// People naming cards, as Debian's pocketsphinx-testdata has them.
const CARDS: [(&str, &str); 5] = [
    ("001", "ten of clubs"),
    ("002", "four queen of clubs"),
    ("003", "seven of clubs"),
    ("004", "five five"),
    ("005", "eight of spades four of clubs seven of hearts"),
];

const RECORDINGS: &str = "/usr/share/pocketsphinx/test/data/cards";

#[tokio::test]
async fn fifty_spoken_questions_are_understood_and_answered() {
    let stack = Stack::start(1).await.expect("Kamailio and a node");
    let calls = CALLS.map(|(voice, questions)| {
        let line = |&(question, answer): &Question| Line {
            agent_hangs_up: answer == "Goodbye",
            ..expecting(Line::saying(question), question, answer)
        };
        (voice, questions.iter().map(line).collect())
    });
    let reports = talks(&stack, calls).await;
    let (asked, right) = tally(&reports);
    let latencies: Vec<f64> = sorted(reports.iter().flat_map(TalkReport::latencies_ms));
    println!("{right} of {asked} questions understood and rightly answered; {}", p50_and_most(&latencies));
    assert_eq!(asked, 50);
    assert!(right * 100 >= asked * 95, "{right} of {asked}");
}

#[tokio::test]
async fn sentences_without_a_phrase_are_asked_again() {
    let asks = ways_to_ask_again();
    let stack = Stack::start(1).await.expect("Kamailio and a node");
    let calls = UNKNOWN.map(|(voice, lines)| (voice, lines.iter().map(|line| Line::saying(line)).collect()));
    let reports = talks(&stack, calls).await;
    let (mut said, mut again) = (0, 0);
    for verdict in reports.iter().flat_map(|report| &report.verdicts) {
        said += 1;
        if asks.iter().any(|ask| verdict.reply.contains(ask)) {
            again += 1;
        } else {
            println!("{:?} was taken for {:?} and answered {:?}", verdict.line, verdict.transcript, verdict.reply);
        }
    }
    println!("{again} of {said} sentences without a phrase were asked again");
    assert_eq!(said, 20);
    assert!(again >= 16, "{again} of {said}");
}

#[tokio::test]
async fn people_naming_cards_are_all_understood() {
    let agent = vec![("TANDEM_AGENT", "agents/cards.toml".to_owned())];
    let stack = Stack::start_with(1, &agent).await.expect("Kamailio and a node");
    let line = |(file, words): (&str, &'static str)| {
        let recording = Path::new(RECORDINGS).join(file).with_extension("wav");
        expecting(Line::playing(&recording), words, words)
    };
    let (asked, right) = tally(&talks(&stack, [("rms", CARDS.map(line).to_vec())]).await);
    println!("{right} of {asked} human recordings understood");
    assert_eq!((asked, right), (5, 5));
}

fn expecting(line: Line, transcript: &str, reply: &str) -> Line {
    Line {
        expect_transcript: vec![Phrase::from(transcript.to_owned())],
        expect_reply: vec![Phrase::from(reply.to_owned())],
        ..line
    }
}

/// Holds the calls, eight at a time.
async fn talks<const N: usize>(stack: &Stack, calls: [(&str, Vec<Line>); N]) -> Vec<TalkReport> {
    use futures::StreamExt;
    let phone = Phone::of(stack).await.expect("a phone");
    let talk = |(voice, lines)| {
        let phone = &phone;
        async move { phone.talk(voice, lines).await.expect("a call") }
    };
    futures::stream::iter(calls).map(talk).buffered(8).collect().await
}

/// How many lines were said, and how many were understood and rightly answered; tells of the others.
fn tally(reports: &[TalkReport]) -> (usize, usize) {
    for report in reports {
        for problem in report.problems() {
            println!("{problem}");
        }
    }
    (reports.iter().map(|report| report.lines.len()).sum(), reports.iter().map(TalkReport::understood).sum())
}

/// The sentences with which the reception asks again.
fn ways_to_ask_again() -> Vec<String> {
    #[derive(Deserialize)]
    struct Agent {
        unclear: Vec<String>,
        still_unclear: Vec<String>,
    }
    let file = fs::read_to_string(root().join("agents/reception.toml")).expect("the agent file");
    let agent: Agent = toml::from_str(&file).expect("the agent's sentences");
    [agent.unclear, agent.still_unclear].concat()
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

fn p50_and_most(sorted_ms: &[f64]) -> String {
    match (sorted_ms.get(sorted_ms.len() / 2), sorted_ms.last()) {
        (Some(p50), Some(most)) => format!("answered after p50 {p50:.0}, max {most:.0} ms"),
        _ => "no latency measured".to_owned(),
    }
}
