//! The ears: warm decoders on threads of their own, and what is believed of what they hear.
//! The C library is `sphinx`, the grammar `grammar`; HTTP is `api`.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use thiserror::Error;
use tokio::sync::oneshot;

use super::belief::{Doubt, Phones, Sentence};
use super::grammar::Grammar;
use super::pronunciation::Pronunciation;
use super::sound::{resample, speech};
use super::sphinx::{Decoder, Sphinx, SphinxError};

/// What the acoustic model wants.
const RATE_HZ: u32 = 16_000;

/// 150 ms before and after: the noise suppression takes the first sounds of an utterance cut close for noise.
const PAUSE_SAMPLES: usize = 2_400;

/// The grammar's decoder. Two of the four best Gaussians lose no word here; the penalty on each word
/// keeps a digit from being heard into the pause between two others.
const GRAMMAR_OPTIONS: [(&str, &str); 4] = [("-cmn", "batch"), ("-bestpath", "no"), ("-topn", "2"), ("-wip", "0.1")];
/// The phone loop's: it only sets the scale, so every third frame and single phones will do.
const PHONE_OPTIONS: [(&str, &str); 5] =
    [("-cmn", "batch"), ("-bestpath", "no"), ("-topn", "2"), ("-ds", "3"), ("-allphone_ci", "yes")];

#[derive(Debug, Error)]
pub enum EarsError {
    #[error(transparent)]
    Sphinx(#[from] SphinxError),
    #[error("the grammar and the dictionary for pocketsphinx: {0}")]
    File(std::io::Error),
    #[error("a decoder's thread cannot start: {0}")]
    Thread(std::io::Error),
    #[error("the decoders have stopped")]
    Stopped,
    #[error("{0} utterances are waiting already")]
    Busy(usize),
}

/// What was made out of an utterance.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// A sentence of the grammar.
    Sentence(String),
    /// Nobody spoke.
    Silence,
    /// Somebody spoke, but none of the agent's phrases, or not clearly.
    Unknown(Doubt),
}

impl Heard {
    pub fn into_text(self) -> String {
        match self {
            Self::Sentence(text) => text,
            Self::Silence | Self::Unknown(_) => String::new(),
        }
    }
}

struct Job {
    samples: Vec<i16>,
    rate_hz: u32,
    answer: oneshot::Sender<Result<Heard, EarsError>>,
}

/// A pool of decoders for one grammar. Dropping it ends the threads.
pub struct Ears {
    jobs: SyncSender<Job>,
    max_waiting: usize,
}

/// How many decoders, and how many utterances may wait for one.
#[derive(Debug, Clone, Copy)]
pub struct PoolSize {
    pub decoders: usize,
    pub max_waiting: usize,
}

impl Ears {
    /// Starts the threads, one after the other, and returns when all are warm.
    pub fn start(
        model: &Path,
        grammar: &Grammar,
        words: Vec<Pronunciation>,
        size: PoolSize,
    ) -> Result<Self, EarsError> {
        let sphinx = Sphinx::load()?;
        let plan = Arc::new(Plan { model: model.to_path_buf(), fsg: grammar.fsg.clone(), words });
        let (jobs, queue) = sync_channel(size.max_waiting);
        let queue = Arc::new(Mutex::new(queue));
        for number in 0..size.decoders {
            let (ready, warm) = sync_channel(1);
            let (sphinx, plan, queue) = (Arc::clone(&sphinx), Arc::clone(&plan), Arc::clone(&queue));
            thread::Builder::new()
                .name(format!("ear-{number}"))
                .spawn(move || {
                    let started = Listener::start(sphinx, &plan);
                    let mut listener = match started {
                        Ok(listener) => listener,
                        Err(error) => return drop(ready.send(Err(error))),
                    };
                    drop(ready.send(Ok(())));
                    while let Some(job) = next_job(&queue) {
                        // Whoever asked may have hung up while the job waited.
                        if !job.answer.is_closed() {
                            let heard = listener.hear(&job.samples, job.rate_hz);
                            drop(job.answer.send(heard));
                        }
                    }
                })
                .map_err(EarsError::Thread)?;
            warm.recv().map_err(|_| EarsError::Stopped)??;
        }
        Ok(Self { jobs, max_waiting: size.max_waiting })
    }

    /// What is said in `samples`, mono. Waits for a decoder; refuses if too many wait already.
    pub async fn hear(&self, samples: Vec<i16>, rate_hz: u32) -> Result<Heard, EarsError> {
        let (answer, heard) = oneshot::channel();
        self.jobs.try_send(Job { samples, rate_hz, answer }).map_err(|e| match e {
            TrySendError::Full(_) => EarsError::Busy(self.max_waiting),
            TrySendError::Disconnected(_) => EarsError::Stopped,
        })?;
        heard.await.map_err(|_| EarsError::Stopped)?
    }
}

fn next_job(queue: &Mutex<Receiver<Job>>) -> Option<Job> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

/// What every thread builds its decoders from.
struct Plan {
    model: PathBuf,
    fsg: String,
    words: Vec<Pronunciation>,
}

/// One thread's two decoders.
struct Listener {
    grammar: Decoder,
    phone_loop: Decoder,
    phones: Phones,
}

impl Listener {
    fn start(sphinx: Arc<Sphinx>, plan: &Plan) -> Result<Self, EarsError> {
        // Words that are added to a running decoder lack the sounds between them and their neighbours, so that some
        // sentences never end: they go in as a dictionary, which is read at once.
        let directory = tempfile::tempdir().map_err(EarsError::File)?;
        let words: String = plan.words.iter().map(|(word, phones)| format!("{word} {phones}\n")).collect();
        let file = |name: &str, text: &str| {
            let path = directory.path().join(name);
            std::fs::write(&path, text).map_err(EarsError::File)?;
            Ok::<_, EarsError>(path.display().to_string())
        };
        let (dictionary, sentences) = (file("words.dict", &words)?, file("sentences.fsg", &plan.fsg)?);
        let files = [("-dict", dictionary.as_str()), ("-fsg", sentences.as_str())];
        let options: Vec<_> = GRAMMAR_OPTIONS.into_iter().chain(files).collect();
        let grammar = Decoder::start(Arc::clone(&sphinx), &plan.model, &options)?;
        let mut phone_loop = Decoder::start(sphinx, &plan.model, &PHONE_OPTIONS)?;
        phone_loop.use_phone_loop()?;
        let split = |phones: &str| phones.split_whitespace().map(str::to_owned).collect();
        let phones = plan.words.iter().map(|(word, phones)| (word.clone(), split(phones))).collect();
        Ok(Self { grammar, phone_loop, phones })
    }

    fn hear(&mut self, samples: &[i16], rate_hz: u32) -> Result<Heard, EarsError> {
        let Some(spoken) = speech(samples, rate_hz) else { return Ok(Heard::Silence) };
        let pause = [0; PAUSE_SAMPLES];
        let spoken = [&pause[..], &resample(spoken, rate_hz, RATE_HZ), &pause[..]].concat();
        let words = self.grammar.decode(&spoken)?;
        let sentence = match Sentence::new(&words) {
            Ok(sentence) => sentence,
            Err(doubt) => return Ok(Heard::Unknown(doubt)),
        };
        let verdict = match sentence.at_first_sight() {
            Some(verdict) => verdict,
            None => sentence.beside(&self.phone_loop.decode(&spoken)?, &self.phones),
        };
        Ok(match verdict {
            Ok(text) => Heard::Sentence(text),
            Err(doubt) => Heard::Unknown(doubt),
        })
    }
}
