//! Behaviour of the recorder, from block to file.
//! Nothing here runs outside tests.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tempfile::TempDir;
use tokio::sync::mpsc::UnboundedReceiver;

use super::journal::JournalWriter;
use super::*;
use crate::audio::g711::Law;

pub(crate) const CALL: &str = "0198-call";

pub(crate) fn meta(call_id: &str) -> RecordingMeta {
    RecordingMeta {
        call_id: call_id.to_owned(),
        started_at_ms: 1_700_000_000_000,
        from: "sip:caller@example.com".to_owned(),
        to: "sip:agent@example.com".to_owned(),
    }
}

fn block(id: RecordingId, offset_samples: u64, caller: u8, agent: u8, samples: usize) -> RecordBlock {
    let mut block = *RecordBlock::empty();
    block.begin(id, offset_samples, Law::Mu);
    assert_eq!(block.append(&vec![caller; samples], &vec![agent; samples]), samples);
    block
}

/// Length of a block.
const BLOCK: u64 = BLOCK_SAMPLES as u64;

/// Pushes a block of `caller` and `agent` bytes at `offset_samples`.
fn push(tap: &mut ShardTap, id: RecordingId, offset_samples: u64, caller: u8, agent: u8) {
    let mut empty = tap.try_block().expect("an empty block");
    *empty = block(id, offset_samples, caller, agent, BLOCK_SAMPLES);
    tap.push(empty);
}

pub(crate) fn start(dir: &Path, blocks_per_shard: usize) -> (Recorder, ShardTap, UnboundedReceiver<RecordingEvent>) {
    let config = RecorderConfig { blocks_per_shard, ..RecorderConfig::new(dir, 1) };
    let (recorder, mut taps, events) = Recorder::start(config).expect("recorder starts");
    (recorder, taps.remove(0), events)
}

pub(crate) fn ready(events: &mut UnboundedReceiver<RecordingEvent>) -> FinishedRecording {
    match events.blocking_recv() {
        Some(RecordingEvent::Ready(finished)) => finished,
        other => panic!("not ready: {other:?}"),
    }
}

/// Both channels of a file: caller, agent.
pub(crate) fn channels(path: &Path) -> (Vec<i16>, Vec<i16>) {
    let mut wav = hound::WavReader::open(path).expect("a WAV file");
    let spec = wav.spec();
    assert_eq!((spec.channels, spec.sample_rate, spec.bits_per_sample), (2, 8000, 16));
    let samples: Vec<i16> = wav.samples().map(|sample| sample.expect("a sample")).collect();
    (samples.iter().step_by(2).copied().collect(), samples.iter().skip(1).step_by(2).copied().collect())
}

fn journal_of_two_blocks(dir: &Path) -> PathBuf {
    let path = dir.join(CALL).with_extension("journal");
    let mut writer = JournalWriter::create(&path, &meta(CALL)).expect("journal");
    writer.write(&block(RecordingId(1), 0, 0x10, 0x20, BLOCK_SAMPLES), &mut Vec::new()).expect("first block");
    writer.write(&block(RecordingId(1), BLOCK, 0x30, 0x40, BLOCK_SAMPLES), &mut Vec::new()).expect("second block");
    path
}

#[test]
fn every_sample_lands_where_it_was_recorded_caller_left_agent_right() {
    let dir = TempDir::new().unwrap();
    let (recorder, mut tap, mut events) = start(dir.path(), 16);
    let id = recorder.handle().open(meta(CALL)).unwrap();
    let caller: Vec<u8> = (0..10_000u32).map(|i| (i % 251) as u8).collect();
    let agent: Vec<u8> = (0..10_000u32).map(|i| (i % 241) as u8).collect();
    for (index, (caller, agent)) in caller.chunks(BLOCK_SAMPLES).zip(agent.chunks(BLOCK_SAMPLES)).enumerate() {
        let mut block = tap.try_block().expect("an empty block");
        block.begin(id, index as u64 * BLOCK, Law::A);
        assert_eq!(block.append(caller, agent), caller.len());
        tap.push(block);
    }
    recorder.handle().finish(id).unwrap();

    let finished = ready(&mut events);
    assert_eq!(finished.meta, meta(CALL));
    assert_eq!(finished.path, dir.path().join("0198-call.wav"));
    assert_eq!(finished.duration_ms, 1250);
    assert_eq!(finished.bytes, fs::metadata(&finished.path).unwrap().len());
    let (left, right) = channels(&finished.path);
    assert_eq!(left, caller.iter().map(|byte| Law::A.decode(*byte)).collect::<Vec<_>>());
    assert_eq!(right, agent.iter().map(|byte| Law::A.decode(*byte)).collect::<Vec<_>>());
    assert!(!dir.path().join("0198-call.journal").exists());
}

#[test]
fn a_dropped_block_becomes_silence_of_the_same_length_on_both_tracks() {
    let dir = TempDir::new().unwrap();
    let (recorder, mut tap, mut events) = start(dir.path(), 16);
    let id = recorder.handle().open(meta(CALL)).unwrap();
    push(&mut tap, id, 0, 0x10, 0x20);
    push(&mut tap, id, 2 * BLOCK, 0x30, 0x40);
    recorder.handle().finish(id).unwrap();

    let (left, right) = channels(&ready(&mut events).path);
    let expected = |first: u8, third: u8| {
        [Law::Mu.decode(first), 0, Law::Mu.decode(third)].map(|sample| vec![sample; BLOCK_SAMPLES]).concat()
    };
    assert_eq!(left, expected(0x10, 0x30));
    assert_eq!(right, expected(0x20, 0x40));
}

#[test]
fn a_shard_that_holds_every_block_gets_none_and_the_drop_is_counted() {
    let dir = TempDir::new().unwrap();
    let (recorder, mut tap, _events) = start(dir.path(), 2);
    let held = [tap.try_block(), tap.try_block()];
    assert!(held.iter().all(Option::is_some));
    assert!(tap.try_block().is_none());
    assert_eq!(recorder.handle().counters().dropped_by_shards.load(Ordering::Relaxed), 1);
}

#[test]
fn a_shard_finds_empty_blocks_while_the_disk_takes_none_and_few_are_kept_after_it() {
    let (mut tap, mut pool) = tap::shard_tap(2000, Arc::default());
    for _ in 0..10 {
        for _ in 0..100 {
            let block = tap.try_block().expect("an empty block");
            tap.push(block);
        }
        pool.keep_ready(0);
    }
    let full = pool.take_full();
    assert_eq!(full.len(), 1000);
    full.into_iter().for_each(|block| pool.give_back(block, 0));
    let kept = std::iter::from_fn(|| tap.try_block()).count();
    assert!((1..500).contains(&kept), "what nobody needs is freed: {kept} were kept");
}

#[test]
fn blocks_are_recycled_through_many_more_than_there_are() {
    let dir = TempDir::new().unwrap();
    let (recorder, mut tap, mut events) = start(dir.path(), 4);
    let id = recorder.handle().open(meta(CALL)).unwrap();
    for index in 0..40 {
        let mut empty = loop {
            // Only this test's shard waits for the disk; a real one would go on without.
            match tap.try_block() {
                Some(block) => break block,
                None => std::thread::yield_now(),
            }
        };
        *empty = block(id, index * BLOCK, 0x10, 0x20, BLOCK_SAMPLES);
        tap.push(empty);
    }
    recorder.handle().finish(id).unwrap();
    assert_eq!(ready(&mut events).duration_ms, 40 * BLOCK / 8);
    assert_eq!(recorder.handle().counters().written.load(Ordering::Relaxed), 40);
}

#[test]
fn a_call_may_change_its_law_between_blocks() {
    let dir = TempDir::new().unwrap();
    let (recorder, mut tap, mut events) = start(dir.path(), 16);
    let id = recorder.handle().open(meta(CALL)).unwrap();
    for (offset, law) in [(0, Law::Mu), (160, Law::A)] {
        let mut block = tap.try_block().expect("an empty block");
        block.begin(id, offset, law);
        block.append(&[law.encode(8000); 160], &[law.silence(); 160]);
        tap.push(block);
    }
    recorder.handle().finish(id).unwrap();
    let (left, _) = channels(&ready(&mut events).path);
    assert_eq!(left.len(), 320);
    assert!(left.iter().all(|sample| (7600..8400).contains(sample)), "{:?}", &left[155..165]);
}

#[test]
fn stopping_finishes_what_is_open() {
    let dir = TempDir::new().unwrap();
    let (recorder, mut tap, mut events) = start(dir.path(), 16);
    let id = recorder.handle().open(meta(CALL)).unwrap();
    push(&mut tap, id, 0, 0x10, 0x20);
    recorder.stop();
    assert_eq!(ready(&mut events).duration_ms, BLOCK / 8);
}

#[test]
fn a_silent_channel_takes_no_room_in_the_journal_and_is_read_back_as_silence() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join(CALL).with_extension("journal");
    let mut writer = JournalWriter::create(&path, &meta(CALL)).unwrap();
    let header = fs::metadata(&path).unwrap().len();
    let silence = Law::Mu.silence();
    let written = [(silence, silence), (silence, 0x20), (0x10, silence), (0x10, 0x20)];
    for (index, (caller, agent)) in (0..).zip(written) {
        writer.write(&block(RecordingId(1), index * BLOCK, caller, agent, BLOCK_SAMPLES), &mut Vec::new()).unwrap();
    }
    assert_eq!(fs::metadata(&path).unwrap().len() - header, 4 * (4 + 8 + 2 + 1 + 4) + 4 * BLOCK);
    let journal = read_journal(&fs::read(&path).unwrap()).unwrap();
    let read: Vec<_> = journal.blocks.iter().map(|block| (block.caller[0], block.agent[BLOCK_SAMPLES - 1])).collect();
    assert_eq!(read, written);
    assert_eq!(journal.torn_bytes, 0);
}

#[test]
fn a_torn_last_block_is_dropped_and_everything_before_it_kept() {
    let dir = TempDir::new().unwrap();
    let whole = fs::read(journal_of_two_blocks(dir.path())).unwrap();
    let block_bytes = 4 + 8 + 2 + 1 + 2 * BLOCK_SAMPLES + 4;
    for cut in [1, 5, BLOCK_SAMPLES, block_bytes - 1] {
        let journal = read_journal(&whole[..whole.len() - cut]).unwrap();
        assert_eq!(journal.blocks.len(), 1, "cut {cut}");
        assert_eq!(journal.torn_bytes, block_bytes - cut);
    }
    assert_eq!(read_journal(&whole).unwrap().torn_bytes, 0);
}

#[test]
fn one_flipped_bit_in_a_block_hides_it() {
    let dir = TempDir::new().unwrap();
    let mut bytes = fs::read(journal_of_two_blocks(dir.path())).unwrap();
    let last_sample = bytes.len() - 5;
    bytes[last_sample] ^= 1;
    assert_eq!(read_journal(&bytes).unwrap().blocks.len(), 1);
}

#[test]
fn left_over_journals_become_files_at_the_next_start() {
    let dir = TempDir::new().unwrap();
    let journal = journal_of_two_blocks(dir.path());
    // As kill -9 may leave it: half of a block at the end, half of a file beside it.
    let mut bytes = fs::read(&journal).unwrap();
    bytes.extend_from_slice(b"BLK1 and then nothing");
    fs::write(&journal, bytes).unwrap();
    fs::write(dir.path().join("0198-call.wav.part"), b"RIFF").unwrap();

    let (_recorder, _tap, mut events) = start(dir.path(), 1);
    match events.blocking_recv() {
        Some(RecordingEvent::Recovered(finished)) => {
            assert_eq!(finished.meta, meta(CALL));
            assert_eq!(finished.duration_ms, 2 * BLOCK / 8);
            assert_eq!(channels(&finished.path).0.len(), 2 * BLOCK_SAMPLES);
        }
        other => panic!("not recovered: {other:?}"),
    }
    assert!(!journal.exists());
    assert!(!dir.path().join("0198-call.wav.part").exists());
}

#[test]
fn a_journal_that_is_none_is_reported_and_set_aside() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("strange.journal"), b"something else").unwrap();
    let (_recorder, _tap, mut events) = start(dir.path(), 1);
    match events.blocking_recv() {
        Some(RecordingEvent::Failed { call_id, error: RecorderError::Journal { source, .. } }) => {
            assert_eq!(call_id, "strange");
            assert!(matches!(source, JournalError::NotAJournal), "{source}");
        }
        other => panic!("not reported: {other:?}"),
    }
    assert!(dir.path().join("strange.damaged").exists());
}

#[test]
fn a_second_recorder_in_the_same_directory_is_turned_away() {
    let dir = TempDir::new().unwrap();
    let (_recorder, _tap, _events) = start(dir.path(), 1);
    let second = Recorder::start(RecorderConfig::new(dir.path(), 1));
    assert!(matches!(second, Err(RecorderError::Lock(LockError::InUse { .. }))));
}

#[test]
fn a_directory_that_cannot_be_is_named_in_the_error() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, b"").unwrap();
    let error = Recorder::start(RecorderConfig::new(file.join("recordings"), 1)).err().expect("no recorder");
    assert!(error.to_string().contains("file/recordings"), "{error}");
}

#[test]
fn a_call_whose_journal_cannot_be_made_goes_on_and_others_are_recorded() {
    let dir = TempDir::new().unwrap();
    let (recorder, mut tap, mut events) = start(dir.path(), 16);
    // Something else has the name already.
    fs::create_dir(dir.path().join("taken.journal")).unwrap();
    let lost = recorder.handle().open(meta("taken")).unwrap();
    let kept = recorder.handle().open(meta(CALL)).unwrap();
    push(&mut tap, lost, 0, 0x10, 0x20);
    push(&mut tap, kept, 0, 0x10, 0x20);
    recorder.handle().finish(lost).unwrap();
    recorder.handle().finish(kept).unwrap();

    match events.blocking_recv() {
        Some(RecordingEvent::Failed { call_id, error }) => {
            assert_eq!(call_id, "taken");
            assert!(error.to_string().contains("taken.journal"), "{error}");
        }
        other => panic!("not reported: {other:?}"),
    }
    assert_eq!(ready(&mut events).duration_ms, BLOCK / 8);
    assert_eq!(recorder.handle().counters().dropped_by_disk.load(Ordering::Relaxed), 1);
}

#[test]
fn a_call_id_that_leaves_the_directory_is_refused() {
    let dir = TempDir::new().unwrap();
    let (recorder, _tap, _events) = start(dir.path(), 1);
    for call_id in ["", "../escape", "a/b", "a.b", &"x".repeat(65)] {
        let opened = recorder.handle().open(meta(call_id));
        assert!(matches!(opened, Err(RecorderError::BadCallId { .. })), "{call_id:?}");
    }
}

#[test]
fn a_block_takes_only_what_fits_and_what_both_channels_have() {
    let mut block = RecordBlock::empty();
    block.begin(RecordingId(7), 0, Law::Mu);
    assert_eq!(block.append(&[1; 160], &[2; 100]), 100);
    assert_eq!(block.append(&[1; 5000], &[2; 5000]), BLOCK_SAMPLES - 100);
    assert!(block.is_full());
    assert_eq!(block.append(&[1; 160], &[2; 160]), 0);
    assert_eq!([block.caller(), block.agent()].map(|channel| channel.unwrap().len()), [BLOCK_SAMPLES; 2]);
}

#[test]
fn a_block_has_twice_the_room_for_one_channel_and_ends_where_another_is_heard() {
    let silence = [Law::Mu.silence(); 160];
    let mut block = RecordBlock::empty();
    block.begin(RecordingId(7), 0, Law::Mu);
    for _ in 0..6 {
        assert_eq!(block.append(&silence, &[2; 160]), 160);
    }
    assert_eq!((block.caller(), block.room()), (None, BLOCK_SAMPLES));
    assert_eq!(block.append(&[1; 160], &[2; 160]), 0, "there is no room for the caller");
    assert_eq!(block.append(&silence, &silence), 160, "a silence on the way is part of it");
    assert_eq!(block.agent().unwrap(), [&[2; 960][..], &silence].concat());

    block.begin(RecordingId(7), 1120, Law::Mu);
    for _ in 0..12 {
        assert_eq!(block.append(&[1; 160], &silence), 160);
    }
    assert!(block.is_full());
    assert_eq!((block.caller(), block.agent()), (Some(&[1; 1920][..]), None));

    block.begin(RecordingId(7), 3040, Law::Mu);
    assert_eq!(block.append(&[1; 160], &[2; 160]), 160);
    assert_eq!((block.caller(), block.agent()), (Some(&[1; 160][..]), Some(&[2; 160][..])));
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_never_more_than_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let _ = read_journal(&bytes);
        let mut disguised = b"TANDEMRJ\x01\x00".to_vec();
        disguised.extend_from_slice(&bytes);
        prop_assert!(read_journal(&disguised).is_err());
    }

    #[test]
    fn whatever_follows_the_whole_blocks_they_are_read_back(
        lengths in proptest::collection::vec(0usize..=600, 0..5),
        gaps in proptest::collection::vec(0u64..5000, 5),
        tail in proptest::collection::vec(any::<u8>(), 0..100),
    ) {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("call.journal");
        let mut writer = JournalWriter::create(&path, &meta("call")).unwrap();
        let mut offset = 0;
        let mut expected = Vec::new();
        for (length, gap) in lengths.iter().zip(&gaps) {
            offset += gap;
            writer.write(&block(RecordingId(1), offset, 0x11, 0x22, *length), &mut Vec::new()).unwrap();
            expected.push((offset, *length));
            offset += *length as u64;
        }
        let mut bytes = fs::read(&path).unwrap();
        bytes.extend_from_slice(&tail);

        let journal = read_journal(&bytes).unwrap();
        prop_assert_eq!(journal.meta, meta("call"));
        prop_assert_eq!(journal.torn_bytes, tail.len());
        let read: Vec<_> = journal.blocks.iter().map(|block| (block.offset_samples, block.caller.len())).collect();
        prop_assert_eq!(read, expected);
    }
}
