//! Putting the other side on hold: the same description, in which only we send (RFC 3264 8.4).
//! Not here: being put on hold, which is a direction like any other (`answer`).

/// `offer` with the audio one way, from us to them. Without it, the call is taken up again.
pub fn on_hold(offer: &str) -> String {
    let is_direction = |line: &str| matches!(line, "a=sendrecv" | "a=sendonly" | "a=recvonly" | "a=inactive");
    let mut held: String =
        offer.lines().filter(|line| !is_direction(line)).fold(String::new(), |text, line| text + line + "\r\n");
    held.push_str("a=sendonly\r\n");
    held
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sdp::{Codec, Direction, Local, Security, accept_answer, answer, offer};

    #[test]
    fn a_held_side_answers_that_it_only_listens() {
        let local = |port| Local {
            addr: [127, 0, 0, 1].into(),
            codecs: Codec::ALL.to_vec(),
            port,
            rtcp_mux: true,
            session_id: 1,
            version: 2,
            security: Security::default(),
        };
        let held = on_hold(&offer(&local(4000)));
        let (theirs, reply) = answer(&held, &local(5000)).expect("an offer like any other");
        assert_eq!(theirs.direction, Direction::RecvOnly);
        let ours = accept_answer(&reply, &local(4000)).expect("its answer");
        assert_eq!(ours.direction, Direction::SendOnly);
    }
}
