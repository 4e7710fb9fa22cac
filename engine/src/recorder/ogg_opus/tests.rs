//! A recording, compressed and decoded again with libopus.
//! Real speech comes from `tests/fixtures`.

use std::io::Cursor;

use hound::{WavSpec, WavWriter};
use ogg::PacketReader;
use opus::Decoder;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::audio::g711::Law;

const CALL: &str = "0198c0de-call";
const CALLER: &[u8] = include_bytes!("../../../tests/fixtures/speech_kal16.ul");
const AGENT: &[u8] = include_bytes!("../../../tests/fixtures/speech_rms.ul");

/// What a decoder makes of a file: both channels, and the granule position at the end.
struct Decoded {
    left: Vec<i16>,
    right: Vec<i16>,
    pages: Vec<u64>,
}

fn speech(law: &[u8], samples: usize) -> Vec<i16> {
    law.iter().cycle().take(samples).map(|byte| Law::Mu.decode(*byte)).collect()
}

fn write_wav(dir: &TempDir, caller: &[i16], agent: &[i16]) -> PathBuf {
    let path = dir.path().join(CALL).with_extension("wav");
    let spec = WavSpec { channels: 2, sample_rate: 8000, bits_per_sample: 16, sample_format: SampleFormat::Int };
    let mut wav = WavWriter::create(&path, spec).unwrap();
    for (caller, agent) in caller.iter().zip(agent) {
        wav.write_sample(*caller).unwrap();
        wav.write_sample(*agent).unwrap();
    }
    wav.finalize().unwrap();
    path
}

fn compressed(dir: &TempDir, caller: &[i16], agent: &[i16]) -> Vec<u8> {
    let wav = write_wav(dir, caller, agent);
    let ogg = wav.with_extension("ogg");
    assert_eq!(compress(&wav, &ogg, CALL, || false).unwrap(), Compressed { samples: caller.len() as u64 });
    fs::read(ogg).unwrap()
}

/// Decodes as a player does: `rate` Hz, pre-skip off the beginning, and cut where the last granule position says.
fn decode(bytes: &[u8], rate: u32) -> Decoded {
    let granules_a_sample = 48_000 / u64::from(rate);
    let mut packets = PacketReader::new(Cursor::new(bytes));
    let head = packets.read_packet().unwrap().unwrap();
    assert_eq!(&head.data[..10], b"OpusHead\x01\x02");
    assert_eq!(head.data[12..], [0x40, 0x1f, 0, 0, 0, 0, 0]);
    let pre_skip = u64::from(u16::from_le_bytes([head.data[10], head.data[11]]));
    assert!(head.first_in_stream() && head.last_in_page());
    let tags = packets.read_packet().unwrap().unwrap();
    assert_eq!(&tags.data[..8], b"OpusTags");
    assert!(tags.last_in_page());

    let mut decoder = Decoder::new(rate, Channels::Stereo).unwrap();
    let (mut samples, mut pages, mut ended) = (Vec::new(), Vec::new(), false);
    while let Some(packet) = packets.read_packet().unwrap() {
        let mut out = vec![0; 2 * 5760];
        let count = decoder.decode(&packet.data, &mut out, false).unwrap();
        samples.extend_from_slice(&out[..2 * count]);
        if packet.last_in_page() {
            pages.push(packet.absgp_page());
        }
        ended = packet.last_in_stream();
    }
    assert!(ended);
    let end = (pages.last().unwrap() / granules_a_sample) as usize;
    let begin = (pre_skip / granules_a_sample) as usize;
    let channel = |first| samples.iter().skip(first).step_by(2).take(end).skip(begin).copied().collect();
    Decoded { left: channel(0), right: channel(1), pages }
}

/// Normalised cross-correlation at lag 0, -1 to 1.
fn correlation(a: &[i16], b: &[i16]) -> f64 {
    let product = |a: &[i16], b: &[i16]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    product(a, b) / (product(a, a) * product(b, b)).sqrt()
}

fn energy(samples: &[i16]) -> f64 {
    samples.iter().map(|sample| f64::from(*sample).powi(2)).sum()
}

#[test]
fn both_voices_are_heard_again_at_the_same_moment_and_on_their_own_side() {
    let dir = TempDir::new().unwrap();
    let (caller, agent) = (speech(CALLER, 40_000), speech(AGENT, 40_000));
    let decoded = decode(&compressed(&dir, &caller, &agent), 8000);
    assert!(correlation(&caller, &decoded.left) > 0.97, "{}", correlation(&caller, &decoded.left));
    assert!(correlation(&agent, &decoded.right) > 0.97, "{}", correlation(&agent, &decoded.right));
    assert!(correlation(&caller, &decoded.right).abs() < 0.2);
    assert!(correlation(&agent, &decoded.left).abs() < 0.2);
}

#[test]
fn who_is_silent_stays_silent_while_the_other_talks() {
    let dir = TempDir::new().unwrap();
    let (caller, agent) = (speech(CALLER, 16_000), vec![0; 16_000]);
    let decoded = decode(&compressed(&dir, &caller, &agent), 8000);
    // 60 dB.
    assert!(energy(&decoded.right) * 1e6 < energy(&decoded.left));
}

#[test]
fn a_second_is_a_page_and_positions_are_in_48_khz() {
    let dir = TempDir::new().unwrap();
    let (caller, agent) = (speech(CALLER, 20_000), speech(AGENT, 20_000));
    let decoded = decode(&compressed(&dir, &caller, &agent), 48_000);
    assert_eq!(decoded.pages, [48_000, 96_000, 312 + 120_000]);
    assert_eq!(decoded.left.len(), 120_000);
}

#[test]
fn the_same_recording_gives_the_same_bytes_and_another_call_another_serial() {
    let dir = TempDir::new().unwrap();
    let (caller, agent) = (speech(CALLER, 8001), speech(AGENT, 8001));
    let first = compressed(&dir, &caller, &agent);
    assert_eq!(compressed(&dir, &caller, &agent), first);

    let (wav, other) = (dir.path().join(CALL).with_extension("wav"), dir.path().join("other.ogg"));
    compress(&wav, &other, "other", || false).unwrap();
    assert_ne!(fs::read(other).unwrap()[14..18], first[14..18]);
}

#[test]
fn speech_takes_about_32_kbit_a_second() {
    let dir = TempDir::new().unwrap();
    let bytes = compressed(&dir, &speech(CALLER, 80_000), &speech(AGENT, 80_000)).len();
    let bits_a_second = bytes * 8 / 10;
    assert!((24_000..40_000).contains(&bits_a_second), "{bits_a_second}");
}

#[test]
fn told_to_stop_it_leaves_the_wav_and_nothing_else() {
    let dir = TempDir::new().unwrap();
    let wav = write_wav(&dir, &speech(CALLER, 16_000), &speech(AGENT, 16_000));
    let stopped = compress(&wav, &wav.with_extension("ogg"), CALL, || true);
    assert!(matches!(stopped, Err(CompressError::Stopped)));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_wav_that_is_cut_short_or_is_no_recording_is_named_and_stays() {
    let dir = TempDir::new().unwrap();
    let wav = write_wav(&dir, &speech(CALLER, 16_000), &speech(AGENT, 16_000));
    let refused = |bytes: &[u8]| {
        fs::write(&wav, bytes).unwrap();
        let error = compress(&wav, &wav.with_extension("ogg"), CALL, || false).unwrap_err().to_string();
        assert!(error.contains("0198c0de-call.wav"), "{error}");
        assert_eq!(fs::read(&wav).unwrap(), bytes);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    };
    let whole = fs::read(&wav).unwrap();
    refused(&whole[..whole.len() / 2]);
    refused(&whole[..20]);
    refused(b"");
    let mut at_16_khz = whole;
    at_16_khz[24..28].copy_from_slice(&16_000u32.to_le_bytes());
    refused(&at_16_khz);
}

#[test]
fn a_full_disk_is_told_with_the_files_name_and_the_wav_stays() {
    let dir = TempDir::new().unwrap();
    let wav = write_wav(&dir, &speech(CALLER, 16_000), &speech(AGENT, 16_000));
    // The temporary file is the device that is always full.
    std::os::unix::fs::symlink("/dev/full", wav.with_extension("ogg.part")).unwrap();
    match compress(&wav, &wav.with_extension("ogg"), CALL, || false) {
        Err(error @ CompressError::Write { .. }) => assert!(error.to_string().contains("0198c0de-call.ogg"), "{error}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn however_long_the_call_the_file_is_as_long_to_the_sample(
        samples in prop_oneof![Just(0usize), Just(1), 2..400usize, 7_800..8_200usize, 0..20_000usize],
    ) {
        let dir = TempDir::new().unwrap();
        let bytes = compressed(&dir, &speech(CALLER, samples), &speech(AGENT, samples));
        let decoded = decode(&bytes, 48_000);
        prop_assert_eq!(decoded.left.len(), 6 * samples);
        prop_assert_eq!(decoded.right.len(), 6 * samples);
    }
}
