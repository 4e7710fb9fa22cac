//! Parts that add up, keys that can be found by hand.

use proptest::prelude::*;

use super::*;

fn request() -> UploadRequest {
    let text = include_str!("../../../protocol/examples/upload_request/request.json");
    serde_json::from_str(text).unwrap()
}

const CALL: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

#[test]
fn the_contracts_example_is_taken() {
    assert_eq!(check(&request(), CALL), Ok(()));
    assert_eq!(check(&request(), "call_7"), Ok(()));
    assert_eq!(check(&UploadRequest { content_type: "audio/ogg; codecs=opus".into(), ..request() }, CALL), Ok(()));
}

#[test]
fn an_upload_that_cannot_be_is_named() {
    let refused = |request: UploadRequest| check(&request, CALL).unwrap_err();
    assert_eq!(refused(UploadRequest { v: 99, ..request() }), UploadError::Version(99));
    assert_eq!(refused(UploadRequest { bytes: 0, ..request() }), UploadError::Size(0));
    let bytes = MAX_RECORDING_BYTES + 1;
    assert_eq!(refused(UploadRequest { bytes, ..request() }), UploadError::Size(bytes));
    assert!(matches!(refused(UploadRequest { sha256: "AB".repeat(32), ..request() }), UploadError::Sha256(_)));
    assert!(matches!(
        refused(UploadRequest { content_type: "text/html".into(), ..request() }),
        UploadError::ContentType(_)
    ));
    for call_id in ["../secrets", "a/b", "a b", "é", "", &"a".repeat(65)] {
        assert_eq!(check(&request(), call_id), Err(UploadError::CallId(call_id.into())));
    }
}

#[test]
fn the_key_names_account_day_call_and_upload() {
    let key = |started_at_ms| object_key("acc_1", started_at_ms, CALL, "upl_1");
    assert_eq!(key(1_767_225_599_999), format!("recordings/acc_1/2025-12-31/{CALL}/upl_1.ogg"));
    assert_eq!(key(1_767_225_600_000), format!("recordings/acc_1/2026-01-01/{CALL}/upl_1.ogg"));
}

#[test]
fn an_upload_id_belongs_to_one_call_and_one_content() {
    let id = upload_id(CALL, &request().sha256);
    assert_eq!(id, upload_id(CALL, &request().sha256));
    assert_ne!(id, upload_id("another", &request().sha256));
    assert_ne!(id, upload_id(CALL, &"0".repeat(64)));
}

proptest! {
    #[test]
    fn parts_add_up_to_the_file_and_only_the_last_is_shorter(bytes in 1..=MAX_RECORDING_BYTES) {
        let count = part_count(bytes);
        let sizes: Vec<u64> = (1..=count).filter_map(|part| part_bytes(bytes, part)).collect();
        prop_assert_eq!(sizes.len(), usize::from(count));
        prop_assert_eq!(sizes.iter().sum::<u64>(), bytes);
        prop_assert!(sizes.iter().rev().skip(1).all(|size| *size == PART_BYTES));
        prop_assert_eq!(part_bytes(bytes, 0), None);
        prop_assert_eq!(part_bytes(bytes, count + 1), None);
    }
}
