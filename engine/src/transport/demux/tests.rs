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
    demux.learn(1, addr(1), 100);
    demux.join(2, Some(addr(2)));
    assert_eq!(demux.call_for(addr(1), None, NOW), Some(1));
    assert_eq!(demux.call_for(addr(2), None, NOW), Some(2));
}

#[test]
fn an_unknown_source_is_the_one_call_whose_source_is_not_known() {
    let mut demux = Demux::default();
    demux.join(1, Some(addr(1)));
    assert!(!demux.has_room_for(Some(addr(2))));
    assert_eq!(demux.call_for(addr(9), None, NOW), Some(1));
    demux.learn(1, addr(9), 100);
    assert!(demux.has_room_for(Some(addr(2))));
    assert!(!demux.has_room_for(Some(addr(9))), "two calls cannot have one source");
    assert_eq!(demux.call_for(addr(7), None, NOW), Some(1), "the only one there is may know of it");
    demux.join(2, Some(addr(2)));
    demux.learn(2, addr(2), 200);
    assert_eq!(demux.call_for(addr(7), None, NOW), None);
}

#[test]
fn stragglers_of_a_call_that_is_over_are_not_the_next_calls() {
    let mut demux = Demux::default();
    demux.join(1, Some(addr(1)));
    demux.learn(1, addr(1), 100);
    demux.leave(1, NOW);
    demux.join(2, Some(addr(2)));
    assert_eq!(demux.call_for(addr(1), None, NOW), None);
    assert_eq!(demux.call_for(addr(3), None, NOW), Some(2));
    assert_eq!(demux.call_for(addr(1), None, NOW + STRAGGLERS), Some(2));
}

#[test]
fn a_session_that_names_another_calls_address_does_not_take_its_packets() {
    let mut demux = Demux::default();
    demux.join(1, Some(addr(1)));
    demux.learn(1, addr(1), 100);
    demux.join(2, Some(addr(1)));
    assert_eq!(demux.call_for(addr(1), None, NOW), Some(1));
}

#[test]
fn a_stream_that_goes_on_from_an_unknown_source_finds_its_call() {
    let mut demux = Demux::default();
    for call in 1..=2 {
        demux.join(call, Some(addr(call as u16)));
        demux.learn(call, addr(call as u16), call * 100);
    }
    assert_eq!(demux.call_for(addr(9), Some(200), NOW), Some(2));
    assert_eq!(demux.call_for(addr(9), Some(300), NOW), None);
    // The stream began anew under another name.
    demux.learn(2, addr(2), 300);
    assert_eq!(demux.call_for(addr(9), Some(200), NOW), None);
    assert_eq!(demux.call_for(addr(9), Some(300), NOW), Some(2));
    demux.leave(2, NOW);
    assert_eq!(demux.call_for(addr(9), Some(300), NOW), Some(1), "the only one left");
}

#[test]
fn where_two_sources_are_not_known_yet_a_stranger_is_neither_calls() {
    let mut demux = Demux::default();
    demux.join(1, Some(addr(1)));
    demux.join(2, Some(addr(2)));
    assert_eq!(demux.call_for(addr(9), None, NOW), None);
    assert_eq!(demux.call_for(addr(1), None, NOW), Some(1));
    assert_eq!(demux.call_for(addr(2), None, NOW), Some(2));
    demux.learn(1, addr(1), 100);
    assert_eq!(demux.call_for(addr(9), None, NOW), Some(2));
}

#[test]
fn a_call_with_a_new_sdp_may_come_from_elsewhere_unless_another_may() {
    let mut demux = Demux::default();
    for call in 1..=2 {
        demux.join(call, Some(addr(call as u16)));
        demux.learn(call, addr(call as u16), call * 100);
    }
    demux.join(1, Some(addr(5)));
    demux.join(2, Some(addr(6)));
    assert_eq!(demux.call_for(addr(9), None, NOW), Some(1));
}

#[test]
fn a_stream_whose_number_another_call_took_stays_the_other_calls() {
    let mut demux = Demux::default();
    for (call, port) in [(1, 1), (2, 2)] {
        demux.join(call, Some(addr(port)));
        demux.learn(call, addr(port), 100);
    }
    demux.learn(1, addr(1), 101);
    assert_eq!(demux.call_for(addr(9), Some(100), NOW), Some(2));
}
