//! baresip as the phone: a real user agent nobody here wrote, with a WAV file for a microphone.
//! It dials, speaks, records what it hears, and hangs up when its file is over or when told to.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::ports::free_port;
use crate::process::Process;

/// Sample rate of flite's kal16 voice; baresip brings it down to the codec's 8,000 Hz.
const VOICE_HZ: u32 = 16_000;

/// A 20 ms frame louder than this is taken for speech (root mean square of 16-bit samples).
const SPEECH_LEVEL: f64 = 200.0;

pub struct Phone {
    process: Process,
    dir: PathBuf,
}

impl Phone {
    /// Calls `uri`, speaking G.711. The microphone is the WAV file `speech`; the phone hangs up at its end.
    pub fn dial(dir: &Path, uri: &str, speech: &Path) -> Result<Self> {
        Self::start(dir, uri, speech, ";audio_codecs=PCMU/8000,PCMA/8000")
    }

    /// The same, speaking `codecs`, as baresip names them: `opus/48000/2`, `G722/16000/1`.
    pub fn dial_in(dir: &Path, uri: &str, speech: &Path, codecs: &str) -> Result<Self> {
        Self::start(dir, uri, speech, &format!(";audio_codecs={codecs}"))
    }

    /// The same with encrypted audio. `mediaenc`: how, in baresip's words (`srtp-mand`, `dtls_srtp`).
    pub fn dial_encrypted(dir: &Path, uri: &str, speech: &Path, mediaenc: &str) -> Result<Self> {
        Self::start(dir, uri, speech, &format!(";audio_codecs=PCMU/8000,PCMA/8000;mediaenc={mediaenc}"))
    }

    /// What the phone said on its console.
    pub fn console(&self) -> String {
        self.process.output()
    }

    fn start(dir: &Path, uri: &str, speech: &Path, account: &str) -> Result<Self> {
        let dir = dir.join("phone");
        fs::create_dir_all(&dir)?;
        let (sip, rtp) = (free_port()?, free_port()?);
        let config = [
            format!("sip_listen 127.0.0.1:{sip}"),
            "net_interface 127.0.0.1".to_owned(),
            format!("rtp_ports {rtp}-{}", rtp + 9),
            format!("audio_source aufile,{}", speech.display()),
            format!("audio_player aufile,{}", dir.join("speaker.wav").display()),
            format!("ausrc_srate {VOICE_HZ}"),
            "auplay_srate 8000".to_owned(),
            "audio_channels 1".to_owned(),
            format!("snd_path {}", dir.display()),
            format!("module_path {}", modules()?),
            "module g711.so\nmodule g722.so\nmodule opus.so\nmodule aufile.so\nmodule sndfile.so".to_owned(),
            "module srtp.so\nmodule dtls_srtp.so".to_owned(),
            "module_tmp account.so\nmodule_app menu.so\n".to_owned(),
        ];
        fs::write(dir.join("config"), config.join("\n"))?;
        fs::write(dir.join("accounts"), format!("<sip:phone@127.0.0.1>;regint=0{account}\n"))?;
        let mut command = Command::new("baresip");
        command.args(["-4", "-f"]).arg(&dir).args(["-e", &format!("/dial {uri}"), "-t", "120"]);
        let process = Process::spawn("baresip", &mut command, &dir)?;
        Ok(Self { process, dir })
    }

    /// Ends the call with BYE, and the phone.
    pub async fn hang_up(&mut self) -> Result<()> {
        self.process.signal("TERM")?;
        self.process.ended(Duration::from_secs(10)).await?;
        Ok(())
    }

    /// What came out of the phone's decoder, as 8,000 Hz mono; whole once the call is over.
    pub fn heard(&self) -> Result<Sound> {
        let recording = fs::read_dir(&self.dir)?
            .flatten()
            .map(|entry| entry.path())
            .find(|path| path.to_string_lossy().ends_with("-dec.wav"))
            .with_context(|| format!("the phone recorded nothing:\n{}", self.process.output()))?;
        Sound::channel(&recording, 0)
    }
}

/// baresip's plug-ins, which Debian keeps under the architecture's name or not, by release.
fn modules() -> Result<String> {
    let places = ["/usr/lib/baresip/modules", "/usr/lib/x86_64-linux-gnu/baresip/modules"];
    let place = places.into_iter().find(|place| Path::new(place).is_dir());
    Ok(place.context("baresip's modules are not installed: run deploy/setup.sh --test")?.to_owned())
}

/// Has flite say `text` into a WAV file, with so many seconds of silence before and after.
pub fn say(dir: &Path, text: &str, before_s: u32, after_s: u32) -> Result<PathBuf> {
    let (spoken, padded) = (dir.join("spoken.wav"), dir.join("speech.wav"));
    let flite = Command::new("flite").args(["-voice", "kal16", "-t", text, "-o"]).arg(&spoken).status()?;
    ensure!(flite.success(), "flite: {flite}");
    let mut reader = hound::WavReader::open(&spoken)?;
    ensure!(reader.spec().sample_rate == VOICE_HZ, "kal16 speaks at {} Hz", reader.spec().sample_rate);
    let mut writer = hound::WavWriter::create(&padded, reader.spec())?;
    let silence = |seconds: u32| (0..seconds * VOICE_HZ).map(|_| 0_i16);
    let samples: Vec<i16> = reader.samples().collect::<Result<_, _>>()?;
    for sample in silence(before_s).chain(samples).chain(silence(after_s)) {
        writer.write_sample(sample)?;
    }
    writer.finalize()?;
    Ok(padded)
}

/// The same sound on two channels, which baresip wants for Opus.
pub fn in_stereo(wav: &Path) -> Result<PathBuf> {
    let stereo = wav.with_extension("stereo.wav");
    let mut reader = hound::WavReader::open(wav)?;
    let mut writer = hound::WavWriter::create(&stereo, hound::WavSpec { channels: 2, ..reader.spec() })?;
    for sample in reader.samples::<i16>() {
        let sample = sample?;
        writer.write_sample(sample)?;
        writer.write_sample(sample)?;
    }
    writer.finalize()?;
    Ok(stereo)
}

/// One channel of a recording.
pub struct Sound {
    samples: Vec<i16>,
    hz: u32,
}

impl Sound {
    pub fn channel(wav: &Path, channel: usize) -> Result<Self> {
        let mut reader = hound::WavReader::open(wav).with_context(|| wav.display().to_string())?;
        let spec = reader.spec();
        let all: Vec<i16> = reader.samples().collect::<Result<_, _>>()?;
        let samples = all.into_iter().skip(channel).step_by(usize::from(spec.channels)).collect();
        Ok(Self { samples, hz: spec.sample_rate })
    }

    pub fn duration(&self) -> Duration {
        Duration::from_secs_f64(self.samples.len() as f64 / f64::from(self.hz))
    }

    /// How much of the time between two moments is speech.
    pub fn speech_between(&self, from: Duration, to: Duration) -> Duration {
        let index = |at: Duration| ((at.as_secs_f64() * f64::from(self.hz)) as usize).min(self.samples.len());
        let frame = self.hz as usize / 50;
        let loud = |frame: &&[i16]| {
            let energy: f64 = frame.iter().map(|sample| f64::from(*sample).powi(2)).sum();
            (energy / frame.len() as f64).sqrt() > SPEECH_LEVEL
        };
        let frames = self.samples[index(from)..index(to)].chunks_exact(frame).filter(loud).count();
        Duration::from_millis(20) * frames as u32
    }
}
