//! Whose a datagram is when calls share a socket.
//! Real sockets are in the shard's tests.

use super::*;

const NOW: Moment = Moment::from_millis(1000);

fn addr(port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], port))
}

#[test]
fn a_call_is_found_by_the_source_its_sdp_names() {
    let mut demux = Demux::default();
    demux.join(1, Some(addr(1)));
    demux.learn(1, addr(1));
    demux.join(2, Some(addr(2)));
    assert_eq!(demux.call_for(addr(1), NOW), Some(1));
    assert_eq!(demux.call_for(addr(2), NOW), Some(2));
}

#[test]
fn an_unknown_source_is_the_one_call_whose_source_is_not_known() {
    let mut demux = Demux::default();
    demux.join(1, Some(addr(1)));
    assert!(!demux.has_room_for(Some(addr(2))));
    assert_eq!(demux.call_for(addr(9), NOW), Some(1));
    demux.learn(1, addr(9));
    assert!(demux.has_room_for(Some(addr(2))));
    assert!(!demux.has_room_for(Some(addr(9))), "two calls cannot have one source");
    assert_eq!(demux.call_for(addr(7), NOW), None);
}

#[test]
fn stragglers_of_a_call_that_is_over_are_not_the_next_calls() {
    let mut demux = Demux::default();
    demux.join(1, Some(addr(1)));
    demux.learn(1, addr(1));
    demux.leave(1, NOW);
    demux.join(2, Some(addr(2)));
    assert_eq!(demux.call_for(addr(1), NOW), None);
    assert_eq!(demux.call_for(addr(3), NOW), Some(2));
    assert_eq!(demux.call_for(addr(1), NOW + STRAGGLERS), Some(2));
}

#[test]
fn a_session_that_names_another_calls_address_does_not_take_its_packets() {
    let mut demux = Demux::default();
    demux.join(1, Some(addr(1)));
    demux.learn(1, addr(1));
    demux.join(2, Some(addr(1)));
    assert_eq!(demux.call_for(addr(1), NOW), Some(1));
}
