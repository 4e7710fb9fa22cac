//! A node that is told to keep its recordings as Ogg-Opus: the call's WAV becomes one, as long as it was.
//! What the sound is like then is tested beside the encoder.

use std::fs;
use std::path::Path;
use std::time::Duration;

use edge_protocol::EventKind;

use crate::caller::Phone;
use crate::stack::Stack;

/// Granule positions count 48 kHz samples, and begin with what the decoder skips (RFC 7845 section 4).
const GRANULES_A_MS: u64 = 48;
const PRE_SKIP: u64 = 312;

#[tokio::test]
async fn after_the_call_and_before_the_node_ends_its_recording_is_compressed() {
    let mut stack = Stack::start_with(1, &vec![("TANDEM_RECORDING_FORMAT", "ogg".to_owned())]).await.expect("a node");
    let phone = Phone::of(&stack).await.expect("a phone");
    let mut call = phone.dial().await.expect("a call");
    assert!(call.greeting().await.expect("a call that stays up"), "the agent greets");
    let over = call.hang_up().await.expect("a recording");
    let ready = over.events.iter().find_map(|event| match event {
        EventKind::RecordingReady { path, duration_ms, .. } => Some((path.clone(), *duration_ms)),
        _ => None,
    });
    let (wav, duration_ms) = ready.expect("the recording is ready");

    let node = &mut stack.nodes[0];
    node.process.signal("TERM").expect("the node is told to stop");
    assert!(node.process.ended(Duration::from_secs(20)).await.expect("it stops").success());

    assert!(!Path::new(&wav).exists(), "{wav} is left");
    let ogg = fs::read(Path::new(&wav).with_extension("ogg")).expect("the compressed recording");
    let last_page = ogg.windows(4).rposition(|bytes| bytes == b"OggS").expect("an Ogg page");
    let granules = ogg[last_page + 6..last_page + 14].try_into().map(u64::from_le_bytes).expect("its position");
    assert_eq!((granules - PRE_SKIP) / GRANULES_A_MS, duration_ms);
    assert!(ogg.len() as u64 * 8 < duration_ms * 40, "{} bytes for {duration_ms} ms", ogg.len());
}
