//! People's voices from Debian's packages, at 8 kHz and one level, trimmed to the speech, with what they say.
//! `deploy/setup.sh --test` installs them. What is done with them is the scenes' business.

use std::path::Path;

use engine::audio::resample::Resampler;
use engine::audio::vad::level_dbov;

const ALLISON: &str = "/usr/share/asterisk/sounds/en_US_f_Allison";
const SPHINX: &str = "/usr/share/pocketsphinx/test/data";

/// Level recordings are brought to, dBov over their loud frames.
const LEVEL_DBOV: f32 = -22.0;
/// A frame this much quieter than the loudest is silence around the speech, dB.
const SILENCE_DB: f32 = 24.0;

/// Whole sentences, as a transcription would write them.
const SENTENCES: &[(&str, &str)] = &[
    ("agent-alreadyon", "That agent is already logged on. Please enter your agent number followed by the pound key."),
    ("all-circuits-busy-now", "All circuits are busy now."),
    ("cannot-complete-as-dialed", "Your call cannot be completed as dialed."),
    ("check-number-dial-again", "Please check the number and dial again."),
    ("conf-getconfno", "Please enter your conference number followed by the pound key."),
    ("conf-invalid", "That is not a valid conference number. Please try again."),
    ("conf-locked", "This conference is locked."),
    ("conf-onlyperson", "You are currently the only person in this conference."),
    ("conf-waitforleader", "The conference will begin when the leader arrives."),
    ("demo-nogo", "I was not able to find that extension."),
    ("feature-not-avail-line", "That feature is not available on this line."),
    ("goodbye", "Goodbye."),
    ("hello-world", "Hello world."),
    ("im-sorry", "I'm sorry."),
    ("info-about-last-call", "Information about the last call."),
    ("invalid", "I am sorry, that is not a valid extension."),
    ("number-not-answering", "The number is not answering."),
    ("one-moment-please", "One moment please."),
    ("please-try-again", "Please try again."),
    ("please-try-call-later", "Please try your call later."),
    ("pls-hold-while-try", "Please hold while I try to locate that person."),
    ("privacy-incorrect", "I am sorry, that number is not valid."),
    ("queue-thankyou", "Thank you for your patience."),
    ("something-terribly-wrong", "Something is terribly wrong."),
    ("tt-weasels", "Weasels have eaten our phone system."),
    ("vm-goodbye", "Goodbye."),
    ("vm-incorrect", "Login incorrect."),
    ("vm-mailboxfull", "The mailbox is full."),
    ("vm-msgsaved", "Your message has been saved."),
    ("vm-nobodyavail", "Nobody is available to take your call at the moment."),
    ("vm-passchanged", "Your passwords have been changed."),
    ("vm-tooshort", "Your message is too short."),
];

const SPHINX_SENTENCES: &[(&str, &str)] = &[
    (
        "librivox/sense_and_sensibility_01_austen_64kb-0870.wav",
        "And Mr. John Dashwood had then leisure to consider how much there might be prudently in his power to do for them.",
    ),
    ("librivox/sense_and_sensibility_01_austen_64kb-0880.wav", "He was not an ill-disposed young man."),
    (
        "librivox/sense_and_sensibility_01_austen_64kb-0890.wav",
        "Unless to be rather cold hearted and rather selfish is to be ill-disposed.",
    ),
    (
        "librivox/sense_and_sensibility_01_austen_64kb-0920.wav",
        "Had he married a more amiable woman, he might have been made still more respectable than he was.",
    ),
    ("librivox/sense_and_sensibility_01_austen_64kb-0930.wav", "He might even have been made amiable himself."),
    ("cards/001.wav", "Ten of clubs."),
    ("cards/002.wav", "Four queen of clubs."),
    ("cards/003.wav", "Seven of clubs."),
    ("cards/004.wav", "Five five."),
    ("cards/005.wav", "Eight of spades, four of clubs, seven of hearts."),
];

/// Words in passing: single short ones.
const WORDS: &[&str] = &[
    "digits/1",
    "digits/2",
    "digits/3",
    "digits/4",
    "digits/5",
    "digits/6",
    "digits/7",
    "digits/8",
    "digits/9",
    "digits/10",
    "letters/a",
    "letters/b",
    "letters/d",
    "letters/e",
    "letters/g",
    "letters/i",
    "letters/k",
    "letters/l",
    "letters/m",
    "letters/n",
    "letters/o",
    "letters/p",
    "letters/t",
    "letters/u",
    "letters/y",
    "is",
    "with",
    "vm-and",
    "vm-no",
    "for",
    "digits/a-m",
    "digits/oclock",
];
const LONGEST_WORD_MS: usize = 400;

/// Somebody saying something.
#[derive(Debug, Clone)]
pub struct Recording {
    pub name: String,
    pub text: String,
    /// 8 kHz, from the first to the last frame of speech.
    pub samples: Vec<i16>,
}

// === impl Recording ===

impl Recording {
    pub fn ms(&self) -> usize {
        self.samples.len() / 8
    }

    /// What is said before the quietest place of the middle third, to its last frame of speech.
    pub fn before_a_pause(&self) -> &[i16] {
        let frames = self.samples.len() / 160;
        let third = frames / 3..frames * 2 / 3;
        let level = |at: &usize| level_dbov(&self.samples[at * 160..(at + 2) * 160]);
        trimmed(&self.samples[..(third.min_by(|a, b| level(a).total_cmp(&level(b))).unwrap() + 1) * 160])
    }
}

/// Sentences by three voices and more.
pub fn sentences() -> Vec<Recording> {
    let allison = SENTENCES.iter().map(|(name, text)| load(&format!("{ALLISON}/{name}.wav"), text));
    let others = SPHINX_SENTENCES.iter().map(|(name, text)| load(&format!("{SPHINX}/{name}"), text));
    allison.chain(others).collect()
}

/// Sentences that are long enough to have a middle.
pub fn long_sentences() -> Vec<Recording> {
    sentences().into_iter().filter(|s| s.ms() >= 1300 && s.text.split(' ').count() >= 5).collect()
}

/// Words of at most 400 ms.
pub fn words() -> Vec<Recording> {
    let all = WORDS.iter().map(|name| load(&format!("{ALLISON}/{name}.wav"), "Okay."));
    all.filter(|word| word.ms() <= LONGEST_WORD_MS).collect()
}

/// Half a minute of a friendly voice: what the agent says.
pub fn long_reply() -> Recording {
    load(&format!("{ALLISON}/demo-congrats.wav"), "Congratulations.")
}

pub fn gained(samples: &[i16], db: f32) -> Vec<i16> {
    let gain = 10f32.powf(db / 20.0);
    samples.iter().map(|sample| (f32::from(*sample) * gain) as i16).collect()
}

fn load(path: &str, text: &str) -> Recording {
    let shown = Path::new(path).display();
    let mut wav = hound::WavReader::open(path).unwrap_or_else(|error| {
        panic!("{shown}: {error}. Recordings come with pocketsphinx-testdata and asterisk-core-sounds-en-wav")
    });
    let samples: Vec<i16> = wav.samples::<i16>().map(Result::unwrap).collect();
    let mut at_8k = Vec::new();
    let mut resampler = Resampler::new(wav.spec().sample_rate, 8000).unwrap();
    resampler.process(&samples, &mut at_8k);
    resampler.flush(&mut at_8k);
    Recording { name: path.to_owned(), text: text.to_owned(), samples: levelled(trimmed(&at_8k)) }
}

fn trimmed(samples: &[i16]) -> &[i16] {
    let levels: Vec<f32> = samples.as_chunks::<160>().0.iter().map(|frame| level_dbov(frame)).collect();
    let loud = levels.iter().copied().fold(f32::MIN, f32::max) - SILENCE_DB;
    let first = levels.iter().position(|level| *level > loud).unwrap();
    let last = levels.iter().rposition(|level| *level > loud).unwrap();
    &samples[first * 160..(last + 1) * 160]
}

fn levelled(samples: &[i16]) -> Vec<i16> {
    let mut levels: Vec<f32> = samples.as_chunks::<160>().0.iter().map(|frame| level_dbov(frame)).collect();
    levels.sort_by(f32::total_cmp);
    let loud = levels[levels.len() * 4 / 5];
    gained(samples, LEVEL_DBOV - loud)
}
