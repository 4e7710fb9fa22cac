//! Two handshakes against each other in virtual time: keys that fit, loss, garbage, and whoever is not who he should be.
//! Other people's DTLS is met end to end.

use super::*;
use crate::clock::Clock;

const START: Moment = Moment::from_millis(1000);

fn identity() -> Arc<Identity> {
    Arc::new(Identity::generate(Clock::start().zero()).expect("a certificate"))
}

fn pair() -> (Handshake, Handshake) {
    let (here, there) = (identity(), identity());
    let to = |identity: &Arc<Identity>| Fingerprint(identity.fingerprint().to_vec());
    let active = Terms { role: Role::Active, fingerprint: to(&there), identity: here.clone() };
    let passive = Terms { role: Role::Passive, fingerprint: to(&here), identity: there };
    (Handshake::new(active, START), Handshake::new(passive, START))
}

/// What `from` has to send, given to `to`; every datagram for which `lost` says so is not.
fn carry(
    from: &mut Handshake,
    to: &mut Handshake,
    now: Moment,
    mut lost: impl FnMut(&[u8]) -> bool,
) -> Option<ExportedKeys> {
    let mut keys = None;
    let mut datagram = [0; MAX_DATAGRAM_BYTES];
    while let Some(bytes) = from.next_datagram(&mut datagram) {
        assert!(is_dtls(&datagram[..bytes]));
        if !lost(&datagram[..bytes]) {
            keys = to.handle(now, &datagram[..bytes]).or(keys);
        }
    }
    keys
}

/// Runs both for `ms`; the keys either side got.
fn run(
    (active, passive): (&mut Handshake, &mut Handshake),
    ms: u64,
    mut lost: impl FnMut(&[u8]) -> bool,
) -> (Option<ExportedKeys>, Option<ExportedKeys>) {
    let mut keys = (None, None);
    for step in 0..ms / 20 {
        let now = START + Duration::from_millis(step * 20);
        active.tick(now);
        passive.tick(now);
        keys.1 = carry(active, passive, now, &mut lost).or(keys.1);
        keys.0 = carry(passive, active, now, &mut lost).or(keys.0);
    }
    keys
}

#[test]
fn both_sides_get_keys_that_fit() {
    let (mut active, mut passive) = pair();
    let (here, there) = run((&mut active, &mut passive), 400, |_| false);
    let (here, there) = (here.expect("keys"), there.expect("keys"));
    assert_eq!((&here.ours, &here.theirs), (&there.theirs, &there.ours));
    assert_ne!(here.ours, here.theirs);
    assert_eq!(here.ours.profile(), Profile::Aes128Gcm);
    assert_eq!((active.error(), passive.error()), (None, None));
}

#[test]
fn whatever_single_datagram_is_lost_the_keys_come() {
    for missing in 0..12 {
        let (mut active, mut passive) = pair();
        let mut count = 0;
        let (here, there) = run((&mut active, &mut passive), 3000, |_| {
            count += 1;
            count - 1 == missing
        });
        assert_eq!(here.expect("keys").ours, there.expect("keys").theirs, "datagram {missing} lost");
    }
}

#[test]
fn garbage_in_between_changes_nothing() {
    let (mut active, mut passive) = pair();
    for n in 0..200_u8 {
        let garbage: Vec<u8> = (0..n).map(|byte| if byte == 0 { 22 } else { byte.wrapping_mul(n) }).collect();
        assert_eq!(active.handle(START, &garbage), None);
        assert_eq!(passive.handle(START, &garbage), None);
    }
    let (here, there) = run((&mut active, &mut passive), 3000, |_| false);
    assert_eq!(here.expect("keys").ours, there.expect("keys").theirs);
}

#[test]
fn a_certificate_that_the_sdp_does_not_name_gives_no_keys() {
    let (mut active, mut passive) = pair();
    active.terms.fingerprint = Fingerprint(vec![7; 32]);
    let (here, _) = run((&mut active, &mut passive), 400, |_| false);
    assert_eq!((here, active.error()), (None, Some(&DtlsError::WrongCertificate)));
    let (mut active, mut passive) = pair();
    passive.terms.fingerprint = Fingerprint(vec![7; 32]);
    let (_, there) = run((&mut active, &mut passive), 400, |_| false);
    assert_eq!((there, passive.error()), (None, Some(&DtlsError::WrongCertificate)));
}

#[test]
fn a_fingerprint_by_a_longer_hash_is_compared_too() {
    let certificate = b"any";
    for digest in [
        Sha256::digest(certificate).to_vec(),
        Sha384::digest(certificate).to_vec(),
        Sha512::digest(certificate).to_vec(),
    ] {
        let fingerprint = Fingerprint(digest);
        assert!(fingerprint.is_of(certificate) && !fingerprint.is_of(b"other"));
    }
    assert!(!Fingerprint(Vec::new()).is_of(certificate));
}

#[test]
fn without_an_answer_the_handshake_is_given_up_and_says_why() {
    let (mut active, mut passive) = pair();
    run((&mut active, &mut passive), 10_100, |_| true);
    assert!(matches!(active.error(), Some(DtlsError::TimedOut { .. })));
    assert_eq!(passive.error(), Some(&DtlsError::TimedOut { last: "no answer".to_owned() }));
}
