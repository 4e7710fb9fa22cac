//! The form, byte by byte.

use super::*;

#[test]
fn a_form_is_what_rfc_7578_says() {
    let form = Form::new("xyz", &[("model", "whisper-1")], "call.ogg", "audio/ogg");
    assert_eq!(form.content_type, "multipart/form-data; boundary=xyz");
    let whole = [&form.before[..], b"OggS", &form.after].concat();
    assert_eq!(
        String::from_utf8(whole.clone()).unwrap(),
        "--xyz\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n\
         --xyz\r\nContent-Disposition: form-data; name=\"file\"; filename=\"call.ogg\"\r\nContent-Type: audio/ogg\r\n\r\n\
         OggS\r\n--xyz--\r\n"
    );
    assert_eq!(form.bytes(4), whole.len() as u64);
}
