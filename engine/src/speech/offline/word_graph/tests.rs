//! Phrases merged into one graph.
//! That pocketsphinx reads it is tested in `tests/offline_speech`.

use super::*;

#[test]
fn shared_beginnings_and_ends_are_there_once() {
    let mut graph = WordGraph::default();
    let (start, end) = (graph.point(), graph.point());
    for sentence in ["are you open", "are you closed", "is it open"] {
        let last = sentence.split(' ').fold(start, |at, word| graph.say(at, word));
        graph.skip(last, end);
    }
    let fsg = graph.fsg(start, end);
    assert!(fsg.starts_with("FSG_BEGIN agent\nNUM_STATES 7\n") && fsg.ends_with("FSG_END\n"), "{fsg}");
    for (word, times) in [("are", 1), ("you", 1), ("open", 2), ("closed", 1), ("is", 1), ("it", 1)] {
        assert_eq!(fsg.matches(&format!(" 1.0 {word}\n")).count(), times, "{word} in {fsg}");
    }
}

#[test]
fn what_may_be_left_out_leads_straight_to_the_end() {
    let mut graph = WordGraph::default();
    let start = graph.point();
    let open = graph.say(start, "open");
    let end = graph.say(open, "now");
    graph.skip(open, end);
    let wanted = "FSG_BEGIN agent\nNUM_STATES 4\nSTART_STATE 2\nFINAL_STATE 3\nTRANSITION 0 3 1.0\n\
                  TRANSITION 1 0 1.0 now\nTRANSITION 1 3 1.0\nTRANSITION 2 1 1.0 open\nFSG_END\n";
    assert_eq!(graph.fsg(start, end), wanted);
}
