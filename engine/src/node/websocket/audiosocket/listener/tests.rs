use axum::extract::ws::Message;
use bytes::BytesMut;
use proptest::prelude::*;
use tokio_util::codec::{Decoder, Encoder};

use super::Packets;

proptest! {
    #[test]
    fn packets_in_pieces_of_any_length_are_the_same_packets(
        payloads in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..700)), 0..20),
        piece in 1_usize..900,
    ) {
        let mut wire = BytesMut::new();
        let packets: Vec<Vec<u8>> =
            payloads.into_iter().map(|(kind, payload)| [vec![kind], payload].concat()).collect();
        for packet in &packets {
            Packets.encode(Message::binary(packet.clone()), &mut wire).unwrap();
        }
        let (mut come, mut read) = (BytesMut::new(), Vec::new());
        for part in wire.chunks(piece) {
            come.extend_from_slice(part);
            while let Some(Message::Binary(packet)) = Packets.decode(&mut come).unwrap() {
                read.push(packet.to_vec());
            }
        }
        prop_assert_eq!(read, packets);
    }
}

#[test]
fn the_end_is_a_hangup_of_three_bytes() {
    let mut wire = BytesMut::new();
    Packets.encode(Message::Close(None), &mut wire).unwrap();
    Packets.encode(Message::text("nothing"), &mut wire).unwrap();
    assert_eq!(wire.as_ref(), [0, 0, 0]);
}
