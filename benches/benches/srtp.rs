//! What encrypting and decrypting a 20 ms G.711 packet cost, and a DTLS handshake, both sides of it.
//! The packet's way through a call is in `call`.

use std::sync::Arc;

use benches::Sealed;
use criterion::{Criterion, criterion_group, criterion_main};
use engine::clock::{Clock, Moment};
use engine::rtp::dtls::{Fingerprint, Handshake, Identity, MAX_DATAGRAM_BYTES, Role, Terms};
use engine::rtp::srtp::Profile;

fn packets(c: &mut Criterion) {
    for profile in [Profile::Aes128CmSha1_80, Profile::Aes128Gcm, Profile::Aes256Gcm] {
        let Ok(mut sealed) = Sealed::new(profile) else { continue };
        c.bench_function(&format!("srtp {profile:?}: protect and unprotect"), |b| b.iter(|| sealed.round_trip()));
    }
}

fn handshakes(c: &mut Criterion) {
    let zero = Clock::start().zero();
    let (Ok(here), Ok(there)) = (Identity::generate(zero), Identity::generate(zero)) else { return };
    let (here, there) = (Arc::new(here), Arc::new(there));
    let terms = |identity: &Arc<Identity>, role, other: &Identity| Terms {
        identity: identity.clone(),
        role,
        fingerprint: Fingerprint(other.fingerprint().to_vec()),
    };
    c.bench_function("dtls: a whole handshake, both sides", |b| {
        b.iter(|| {
            let mut active = Handshake::new(terms(&here, Role::Active, &there), Moment::default());
            let mut passive = Handshake::new(terms(&there, Role::Passive, &here), Moment::default());
            let mut keys = 0;
            while keys < 2 {
                for (from, to) in [(0, 1), (1, 0)] {
                    let sides = [&mut active, &mut passive];
                    let mut datagram = [0; MAX_DATAGRAM_BYTES];
                    while let Some(bytes) = sides[from].next_datagram(&mut datagram) {
                        keys += u32::from(sides[to].handle(Moment::default(), &datagram[..bytes]).is_some());
                    }
                }
            }
        });
    });
}

criterion_group!(benches, packets, handshakes);
criterion_main!(benches);
