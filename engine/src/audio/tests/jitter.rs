//! The jitter buffer's target, and the parts that `Playout` is made of.
//! The whole is tested behind modelled networks in the crate's `tests/jitter_buffer.rs`.

use crate::audio::jitter::{DelayTarget, MAX_TARGET, MIN_TARGET};
use crate::audio::reorder::{CAPACITY, Reorder};
use crate::audio::sequence::{Order, SequenceTracker};
use proptest::prelude::*;

/// Packets of 20 ms, each as late as `excess` says (samples).
fn observe(target: &mut DelayTarget, packets: std::ops::Range<i64>, excess: impl Fn(i64) -> i64) {
    for n in packets {
        target.observe(n * 160 + excess(n), n * 160);
    }
}

#[test]
fn jitter_raises_the_target_within_half_a_second_and_calm_lowers_it_slowly() {
    let mut target = DelayTarget::new();
    observe(&mut target, 0..250, |_| 0);
    assert_eq!(target.target(), MIN_TARGET);
    // Every third packet 60 ms late.
    observe(&mut target, 250..275, |n| if n % 3 == 0 { 480 } else { 0 });
    assert!((480..800).contains(&target.target()), "{}", target.target());
    let peak = target.target();
    observe(&mut target, 275..300, |_| 0);
    assert!(target.target() > peak / 2, "not at once");
    observe(&mut target, 300..1200, |_| 0);
    assert_eq!(target.target(), MIN_TARGET);
}

#[test]
fn a_longer_way_is_the_new_floor_after_ten_seconds() {
    let mut target = DelayTarget::new();
    observe(&mut target, 0..100, |_| 400);
    assert_eq!(target.floor(), 400);
    observe(&mut target, 100..700, |_| 1000);
    assert_eq!(target.floor(), 1000);
    assert_eq!(target.excess(700 * 160 + 1000, 700 * 160), 0);
}

#[test]
fn the_target_never_leaves_its_bounds() {
    let mut target = DelayTarget::new();
    observe(&mut target, 0..500, |n| (n * 7919 % 13) * 500);
    assert_eq!(target.target(), MAX_TARGET);
}

#[test]
fn sequence_numbers_wrap_reorder_repeat_and_jump() {
    let mut tracker = SequenceTracker::default();
    assert_eq!(tracker.note(65_534), Order::Newer { missing: 0 });
    assert_eq!(tracker.note(1), Order::Newer { missing: 2 });
    assert_eq!(tracker.missing(), 2);
    assert_eq!(tracker.note(65_535), Order::Older);
    assert_eq!(tracker.note(65_535), Order::Duplicate);
    assert_eq!(tracker.note(1), Order::Duplicate);
    assert_eq!(tracker.missing(), 1);
    assert_eq!(tracker.note(30_000), Order::Stray);
    assert_eq!(tracker.note(2), Order::Newer { missing: 0 });
    assert_eq!(tracker.note(30_001), Order::Stray, "the stream went on in between");
    assert_eq!(tracker.note(30_002), Order::Jumped);
    assert_eq!(tracker.note(30_003), Order::Newer { missing: 0 });
    assert_eq!(tracker.missing(), 1);
}

proptest! {
    #[test]
    fn the_ring_knows_what_is_there(
        writes in prop::collection::vec((0i64..3000, 1usize..400), 1..20),
        later in prop::collection::vec((0i64..3000, 1usize..400), 0..10),
        origin in any::<i32>(),
        from in 0i64..3000,
        forgotten in 0i64..3000,
    ) {
        let origin = i64::from(origin);
        let mut ring = Reorder::new();
        let mut model = vec![None; CAPACITY];
        let write = |ring: &mut Reorder, model: &mut [Option<u8>], writes: Vec<(i64, usize)>, salt: usize| {
            for (at, length) in writes {
                let bytes: Vec<u8> = (0..length).map(|n| (at as usize * 31 + n + salt) as u8).collect();
                ring.write(origin + at, &bytes);
                for (slot, byte) in model[at as usize..].iter_mut().zip(&bytes) {
                    slot.get_or_insert(*byte);
                }
            }
        };
        write(&mut ring, &mut model, writes, 0);
        ring.forget(origin, origin + forgotten);
        model[..forgotten as usize].fill(None);
        write(&mut ring, &mut model, later, 7);
        let rest = &model[from as usize..];
        let limit = rest.len();
        let run = rest.iter().take_while(|slot| slot.is_some()).count();
        prop_assert_eq!(ring.run(origin + from, limit), run);
        prop_assert_eq!(ring.gap(origin + from, limit), rest.iter().position(Option::is_some));
        let there: Vec<u8> = ring.pieces(origin + from, run).flatten().copied().collect();
        let expected: Vec<u8> = rest.iter().take(run).flatten().copied().collect();
        prop_assert_eq!(there, expected);
    }
}
