//! SRTP and SRTCP of every profile: what was protected is read again once, anything else is refused.
//! Calls with keys are in the engine's tests.
#![no_main]

use engine::rtp::srtp::{MAX_TRAILER_BYTES, MasterKey, Profile, ReceiveContext, SendContext};
use libfuzzer_sys::fuzz_target;

const PROFILES: [Profile; 4] =
    [Profile::Aes128CmSha1_80, Profile::Aes128CmSha1_32, Profile::Aes128Gcm, Profile::Aes256Gcm];

fuzz_target!(|bytes: &[u8]| {
    let Some((first, bytes)) = bytes.split_first() else { return };
    let profile = PROFILES[usize::from(*first) % PROFILES.len()];
    let Ok(key) = MasterKey::new(profile, &vec![7; profile.key_bytes() + profile.salt_bytes()]) else { return };
    let (mut sender, mut receiver) = (SendContext::new(&key), ReceiveContext::new(&key, None));
    assert!(receiver.unprotect_rtp(bytes).is_err(), "nobody has the key");
    assert!(receiver.unprotect_rtcp(bytes).is_err(), "nobody has the key");
    let mut packet = bytes.to_vec();
    packet.resize(bytes.len() + MAX_TRAILER_BYTES, 0);
    if let Ok(protected) = sender.protect_rtp(&mut packet, bytes.len()) {
        let mut damaged = packet[..protected].to_vec();
        let at = usize::from(*first) % protected;
        damaged[at] ^= 1;
        assert!(receiver.unprotect_rtp(&damaged).is_err(), "a bit of byte {at} was flipped");
        if let Ok(plain) = receiver.unprotect_rtp(&packet[..protected]) {
            assert_eq!(plain, bytes);
            assert!(receiver.unprotect_rtp(&packet[..protected]).is_err(), "a replay");
        }
    }
});
