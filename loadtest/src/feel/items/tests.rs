//! The set is whole, and the same every time.
//! It needs the recordings that `deploy/setup.sh --test` installs.

use super::*;

const ALL: [Kind; 5] = [Kind::Answers, Kind::Pauses, Kind::CutIns, Kind::Words, Kind::Sounds];

fn count(items: &[Item], kind: Kind) -> usize {
    items.iter().filter(|item| item.kind == kind).count()
}

#[test]
fn the_set_is_large_enough_to_tell() {
    let items = items(&ALL, usize::MAX).expect("the recordings");
    for (kind, least) in ALL.into_iter().zip([40, 80, 60, 15, 90]) {
        assert!(count(&items, kind) >= least, "{kind:?}: {}", count(&items, kind));
    }
    for item in &items {
        assert!(item.question.duration() >= Duration::from_millis(300), "{}", item.name);
        let then = item.then.as_ref().map_or(Duration::MAX, Utterance::duration);
        assert!(then >= Duration::from_millis(100), "{}: {then:?}", item.name);
    }
}

#[test]
fn some_of_them_are_some_of_each() {
    let items = items(&ALL, 8).expect("the recordings");
    assert!(ALL.into_iter().all(|kind| (4..=8).contains(&count(&items, kind))));
    let long = |item: &&Item| item.kind == Kind::Pauses && item.after >= Duration::from_millis(600);
    assert!(items.iter().any(|item| long(&item)));
}
