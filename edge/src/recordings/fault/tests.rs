//! Messages as R2 words them.

use super::*;

#[test]
fn an_upload_that_is_gone_is_known_by_its_number_or_words() {
    let gone = "completeMultipartUpload: The specified multipart upload does not exist.";
    assert_eq!(fault(&format!("{gone} (10024)")), Fault::Gone);
    assert_eq!(fault(gone), Fault::Gone);
}

#[test]
fn parts_r2_does_not_take_are_refused() {
    let invalid = "Error: completeMultipartUpload: One or more of the specified parts could not be found. (10025)";
    assert_eq!(fault(invalid), Fault::Refused);
    assert_eq!(fault("There was a problem with the multipart upload. (10048)"), Fault::Refused);
}

#[test]
fn what_another_try_may_mend_is_passing() {
    for message in [
        "We encountered an internal error. Please try again. (10001)",
        "Reduce your concurrent request rate (for the same object). (10058)",
        "Network connection lost.",
        "",
    ] {
        assert_eq!(fault(message), Fault::Passing, "{message}");
    }
}
