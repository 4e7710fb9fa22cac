use proptest::prelude::*;

use super::{Framer, forget_flushed};
use crate::call::Cue;
use crate::shard::ToCaller;

#[test]
fn a_client_that_is_behind_is_not_sent_what_it_would_have_to_drop() {
    let [early, late] = [1, 2].map(|n| ToCaller::Audio([n; 160]));
    let [says, flush] = [Cue::AgentSays("One.".to_owned()), Cue::Flush].map(ToCaller::Cue);
    let mut waiting = vec![says.clone(), early.clone(), ToCaller::Mark(1), early, flush.clone(), late.clone()];
    forget_flushed(&mut waiting);
    assert_eq!(waiting, [says, flush, late.clone()]);
    let mut waiting = vec![late.clone(), late];
    forget_flushed(&mut waiting);
    assert_eq!(waiting.len(), 2);
}

proptest! {
    #[test]
    fn audio_in_pieces_of_any_length_becomes_the_same_frames(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..700), 0..30)) {
        let mut framer = Framer::default();
        let mut framed = Vec::new();
        for piece in &pieces {
            framer.push(piece, |frame| {
                framed.extend_from_slice(&frame);
                true
            });
        }
        let whole = pieces.concat();
        prop_assert_eq!(&framed[..], &whole[..whole.len() / 160 * 160]);
    }
}
