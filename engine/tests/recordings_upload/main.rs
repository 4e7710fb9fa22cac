//! Recordings on their way to an edge that is right, ill, gone or forgetful, from a node that dies at any moment.
//! In the end each is there, byte for byte and once; `edge` is the edge.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod edge;
mod killed;
mod node;

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use edge::{Edge, Mood, PART_BYTES, SECRET};
use engine::audio::g711::Law;
use engine::control::SignedClient;
use engine::recorder::archive::{Archive, ArchiveConfig, Pace, left_over};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tempfile::TempDir;

/// Nothing here takes so long.
const PATIENCE: Duration = Duration::from_secs(120);

fn config(dir: &Path, url: &str) -> ArchiveConfig {
    ArchiveConfig {
        dir: dir.to_owned(),
        edge: Some(Arc::new(SignedClient::new(url, SECRET, "node-1").unwrap())),
        days: 30,
        pace: Pace {
            part_bytes: PART_BYTES,
            first_pause: Duration::from_millis(1),
            longest_pause: Duration::from_millis(4),
            disk_rest: Duration::from_millis(1),
            ..Pace::default()
        },
    }
}

/// A recording as the recorder leaves it: `ms` of two voices.
fn record(dir: &Path, call_id: &str, ms: usize) {
    let spec =
        hound::WavSpec { channels: 2, sample_rate: 8000, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let (caller, agent) = (include_bytes!("../fixtures/speech_kal16.ul"), include_bytes!("../fixtures/speech_rms.ul"));
    let mut wav = hound::WavWriter::create(dir.join(call_id).with_extension("wav"), spec).unwrap();
    for (caller, agent) in caller.iter().cycle().zip(agent.iter().cycle()).take(ms * 8) {
        wav.write_sample(Law::Mu.decode(*caller)).unwrap();
        wav.write_sample(Law::Mu.decode(*agent)).unwrap();
    }
    wav.finalize().unwrap();
}

fn marker(dir: &Path, call_id: &str) -> serde_json::Value {
    serde_json::from_slice(&fs::read(dir.join(call_id).with_extension("upload.json")).unwrap()).unwrap()
}

fn exists(dir: &Path, call_id: &str, extension: &str) -> bool {
    dir.join(call_id).with_extension(extension).exists()
}

/// Each recording is at the edge once, as it is here, marked done, and its WAV is gone.
fn assert_uploaded(dir: &Path, edge: &Edge, call_ids: &[String]) {
    let local = |id: &String| Bytes::from(fs::read(dir.join(id).with_extension("ogg")).unwrap());
    let expected: HashMap<_, _> = call_ids.iter().map(|id| (id.clone(), (1, local(id)))).collect();
    assert!(edge.stored() == expected, "not what is here: {:?}", edge.stored().keys());
    for call_id in call_ids {
        assert_eq!(marker(dir, call_id)["state"], "done");
        assert!(!exists(dir, call_id, "wav"), "{call_id}");
    }
    assert_eq!(edge.wrongs(), Vec::<String>::new());
}

/// Until the edge has a recording, its WAV is here.
fn assert_nothing_lost(dir: &Path, edge: &Edge, call_ids: &[String]) {
    let stored = edge.stored();
    let lost: Vec<_> = call_ids.iter().filter(|id| !exists(dir, id, "wav") && !stored.contains_key(*id)).collect();
    assert!(lost.is_empty(), "{lost:?}");
}

/// Starts on what the directory holds and waits until nothing is left to do.
async fn run_to_the_end(config: ArchiveConfig) -> Archive {
    let call_ids = left_over(&config.dir).unwrap();
    let archive = Archive::start(config).unwrap();
    archive.handle().take_up(call_ids);
    assert!(tokio::time::timeout(PATIENCE, archive.handle().settled()).await.is_ok(), "not done in time");
    archive
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_the_edge_does_and_whenever_the_node_dies_every_recording_arrives_once() {
    for seed in 0..6 {
        let dir = TempDir::new().unwrap();
        let mut rng = StdRng::seed_from_u64(seed);
        let call_ids: Vec<String> = (0..6).map(|n| format!("call-{seed}-{n}")).collect();
        for call_id in &call_ids {
            record(dir.path(), call_id, rng.random_range(0..2500));
        }
        let mut edge = Edge::start(seed, 300).await;
        for _ in 0..12 {
            let deadline = edge.requests() + rng.random_range(1..20);
            let archive = Archive::start(config(dir.path(), &edge.url)).unwrap();
            archive.handle().take_up(left_over(dir.path()).unwrap());
            let handle = archive.handle();
            tokio::select! {
                () = edge.until_request(deadline) => {}
                () = handle.settled() => {}
            }
            if rng.random_bool(0.3) {
                edge.go_away().await;
                handle.edge_is_away_or_settled().await;
                edge.come_back().await;
            }
            // Dies here.
            tokio::task::spawn_blocking(move || drop(archive)).await.unwrap();
            assert_nothing_lost(dir.path(), &edge, &call_ids);
        }
        run_to_the_end(config(dir.path(), &edge.url)).await;
        assert_uploaded(dir.path(), &edge, &call_ids);

        // And another start has nothing to do.
        let requests = edge.requests();
        let archive = run_to_the_end(config(dir.path(), &edge.url)).await;
        assert_eq!((edge.requests(), archive.handle().counters().compressed.load(Relaxed)), (requests, 0));
    }
}

#[tokio::test]
async fn a_recording_handed_over_twice_is_uploaded_once_and_its_parts_are_not_sent_again() {
    let dir = TempDir::new().unwrap();
    record(dir.path(), "call", 2000);
    let edge = Edge::start(1, 0).await;
    let archive = Archive::start(config(dir.path(), &edge.url)).unwrap();
    let handle = archive.handle();
    handle.take("call");
    handle.take("call");
    assert_eq!(handle.waiting(), 1);
    handle.settled().await;
    handle.take("call");
    handle.settled().await;
    assert_uploaded(dir.path(), &edge, &["call".to_owned()]);
    let parts = fs::metadata(dir.path().join("call.ogg")).unwrap().len().div_ceil(PART_BYTES);
    assert!(parts > 3);
    assert_eq!(edge.requests(), parts + 2);
    assert_eq!(handle.counters().uploaded.load(Relaxed), 1);
    assert_eq!(handle.waiting(), 0);
}

#[tokio::test]
async fn what_the_edge_will_never_take_stays_with_the_reason_and_the_next_start_tries_again() {
    let dir = TempDir::new().unwrap();
    record(dir.path(), "call", 500);
    let edge = Edge::start(1, 0).await;
    edge.set_mood(Mood::Refuses(413));
    let archive = run_to_the_end(config(dir.path(), &edge.url)).await;
    let handle = archive.handle();
    assert_eq!((handle.waiting(), handle.counters().failed.load(Relaxed)), (0, 1));
    let marker = marker(dir.path(), "call");
    assert_eq!(marker["state"], "failed");
    assert!(marker["error"].as_str().unwrap().contains("413"), "{marker}");
    assert!(exists(dir.path(), "call", "wav") && exists(dir.path(), "call", "ogg"));

    edge.set_mood(Mood::Honest);
    run_to_the_end(config(dir.path(), &edge.url)).await;
    assert_uploaded(dir.path(), &edge, &["call".to_owned()]);
}

#[tokio::test]
async fn a_wrong_key_is_put_right_by_people_and_meanwhile_the_recording_waits() {
    let dir = TempDir::new().unwrap();
    record(dir.path(), "call", 500);
    let edge = Edge::start(1, 0).await;
    edge.set_mood(Mood::Refuses(401));
    let archive = Archive::start(config(dir.path(), &edge.url)).unwrap();
    archive.handle().take("call");
    edge.until_request(5).await;
    assert_eq!(archive.handle().waiting(), 1);
    edge.set_mood(Mood::Honest);
    archive.handle().settled().await;
    assert_uploaded(dir.path(), &edge, &["call".to_owned()]);
}

#[tokio::test]
async fn a_call_the_edge_has_not_heard_of_is_waited_for_but_not_for_ever() {
    let dir = TempDir::new().unwrap();
    record(dir.path(), "call", 500);
    let edge = Edge::start(1, 0).await;
    edge.set_unknown(&["call"]);
    let archive = Archive::start(config(dir.path(), &edge.url)).unwrap();
    archive.handle().take("call");
    edge.until_request(4).await;
    assert_eq!(archive.handle().waiting(), 1);
    drop(archive);

    let mut impatient = config(dir.path(), &edge.url);
    impatient.pace.unknown_call = Duration::ZERO;
    let archive = run_to_the_end(impatient).await;
    assert_eq!(archive.handle().counters().failed.load(Relaxed), 1);
    assert_eq!(marker(dir.path(), "call")["state"], "failed");
}

#[tokio::test]
async fn calls_the_edge_has_not_heard_of_keep_no_other_waiting() {
    let dir = TempDir::new().unwrap();
    let edge = Edge::start(1, 0).await;
    let unknown = ["a", "b", "c"];
    edge.set_unknown(&unknown);
    let mut slow = config(dir.path(), &edge.url);
    // Longer than this test may take: whoever waits for it has lost.
    slow.pace.first_pause = PATIENCE * 2;
    slow.pace.longest_pause = PATIENCE * 2;
    let archive = Archive::start(slow).unwrap();
    for call_id in unknown {
        record(dir.path(), call_id, 100);
        archive.handle().take(call_id);
    }
    edge.until_request(3).await;
    record(dir.path(), "known", 100);
    archive.handle().take("known");
    assert!(tokio::time::timeout(PATIENCE, edge.until_stored(1)).await.is_ok(), "not done in time");
    assert!(edge.stored().contains_key("known"));
    assert!(unknown.iter().all(|call_id| exists(dir.path(), call_id, "wav")));
}

#[tokio::test]
async fn a_wav_that_cannot_be_read_stays_and_keeps_nobody_waiting() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("broken.wav"), b"RIFF").unwrap();
    record(dir.path(), "call", 500);
    let edge = Edge::start(1, 0).await;
    let archive = run_to_the_end(config(dir.path(), &edge.url)).await;
    assert_eq!(archive.handle().counters().failed.load(Relaxed), 1);
    assert_eq!(fs::read(dir.path().join("broken.wav")).unwrap(), b"RIFF");
    assert!(!exists(dir.path(), "broken", "ogg") && !exists(dir.path(), "broken", "upload.json"));
    assert_uploaded(dir.path(), &edge, &["call".to_owned()]);
}

#[tokio::test]
async fn a_full_disk_delays_a_recording_and_loses_nothing() {
    let dir = TempDir::new().unwrap();
    record(dir.path(), "call", 500);
    // The temporary file is the device that is always full; the failed attempt removes it.
    let full = dir.path().join("call.ogg.part");
    std::os::unix::fs::symlink("/dev/full", &full).unwrap();
    let edge = Edge::start(1, 0).await;
    let archive = run_to_the_end(config(dir.path(), &edge.url)).await;
    assert!(fs::symlink_metadata(full).is_err());
    assert_eq!(archive.handle().counters().failed.load(Relaxed), 0);
    assert_uploaded(dir.path(), &edge, &["call".to_owned()]);
}

#[tokio::test]
async fn a_node_that_died_in_the_middle_sends_only_what_the_edge_lacks() {
    let dir = TempDir::new().unwrap();
    record(dir.path(), "call", 4000);
    let edge = Edge::start(1, 0).await;
    let archive = Archive::start(config(dir.path(), &edge.url)).unwrap();
    archive.handle().take("call");
    edge.until_request(6).await;
    tokio::task::spawn_blocking(move || drop(archive)).await.unwrap();
    run_to_the_end(config(dir.path(), &edge.url)).await;
    assert_uploaded(dir.path(), &edge, &["call".to_owned()]);
    let parts = fs::metadata(dir.path().join("call.ogg")).unwrap().len().div_ceil(PART_BYTES);
    // Each part once, begun twice, completed once; and what was under way at the death, perhaps once more.
    assert!(parts > 10 && edge.requests() <= parts + 4, "{} requests for {parts} parts", edge.requests());
}

#[tokio::test]
async fn without_an_edge_recordings_are_compressed_and_stay_until_there_is_one() {
    let dir = TempDir::new().unwrap();
    record(dir.path(), "call", 500);
    let edge = Edge::start(1, 0).await;
    run_to_the_end(ArchiveConfig { edge: None, ..config(dir.path(), &edge.url) }).await;
    assert!(exists(dir.path(), "call", "ogg") && !exists(dir.path(), "call", "wav"));
    assert_eq!(marker(dir.path(), "call")["state"], "compressed");
    assert_eq!(edge.requests(), 0);

    run_to_the_end(config(dir.path(), &edge.url)).await;
    assert_uploaded(dir.path(), &edge, &["call".to_owned()]);
}

#[tokio::test]
async fn a_recording_the_edge_spoils_is_sent_once_more_and_then_given_up() {
    for (spoilt, state) in [(1, "done"), (2, "failed")] {
        let dir = TempDir::new().unwrap();
        record(dir.path(), "one", 1000);
        let edge = Edge::start(1, 0).await;
        edge.set_mood(Mood::Spoils(spoilt));
        let archive = Archive::start(config(dir.path(), &edge.url)).unwrap();
        archive.handle().take("one");
        tokio::time::timeout(PATIENCE, archive.handle().settled()).await.unwrap();
        assert_eq!(marker(dir.path(), "one")["state"], state);
        assert_eq!(edge.stored().len(), usize::from(state == "done"));
    }
}

#[tokio::test]
async fn stopping_waits_for_uploads_but_not_for_an_edge_that_is_away() {
    let dir = TempDir::new().unwrap();
    record(dir.path(), "one", 1000);
    let mut edge = Edge::start(1, 0).await;
    let archive = Archive::start(config(dir.path(), &edge.url)).unwrap();
    archive.handle().take("one");
    archive.finish(PATIENCE).await;
    assert_uploaded(dir.path(), &edge, &["one".to_owned()]);

    record(dir.path(), "two", 1000);
    edge.go_away().await;
    let archive = Archive::start(config(dir.path(), &edge.url)).unwrap();
    let handle = archive.handle();
    handle.take("two");
    tokio::time::timeout(PATIENCE / 2, archive.finish(PATIENCE)).await.unwrap();
    assert_eq!(handle.waiting(), 1);
    assert!(exists(dir.path(), "two", "wav"));
}
