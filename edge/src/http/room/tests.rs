//! Bodies that share a room, and those that never leave it.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

#[test]
fn what_one_body_gives_back_another_may_take() {
    let mut room = Room::new();
    let (first, second) = (room.enter(0), room.enter(0));
    assert!(room.take(first, MOST));
    assert!(!room.take(second, 1));
    room.leave(first);
    assert!(room.take(second, MOST));
}

#[test]
fn a_body_that_never_left_is_forgotten_in_time() {
    let mut room = Room::new();
    let lost = room.enter(0);
    assert!(room.take(lost, MOST));
    let early = room.enter(LIFE_MS - 1);
    assert!(!room.take(early, 1));
    let late = room.enter(LIFE_MS);
    assert!(room.take(late, MOST));
    assert!(!room.take(lost, 1));
}

proptest! {
    #[test]
    fn never_more_is_taken_than_there_is_room(chunks in vec((0_usize..8, 0..MOST), 0..60)) {
        let mut room = Room::new();
        let bodies: Vec<u64> = (0..8).map(|_| room.enter(0)).collect();
        let mut taken = 0;
        for (body, bytes) in chunks {
            if room.take(bodies[body], bytes) {
                taken += bytes;
            }
            prop_assert!(taken <= MOST);
        }
    }
}
