//! Packet spacing, gaps and jumps from arrival times.
//! No clock here.

use super::*;

fn packet(at_ms: u64, sequence: u16, timestamp: u32) -> Arrival {
    Arrival {
        at: Moment::from_millis(at_ms),
        marker: false,
        sequence,
        timestamp,
        ssrc: 7,
        duration: 160,
        clock_hz: 8000,
    }
}

fn counts(packets: &[Arrival]) -> SpacingCounts {
    let mut meter = SpacingMeter::default();
    for each in packets {
        meter.on_packet(*each);
    }
    meter.into_counts()
}

#[test]
fn an_even_stream_is_all_within_tolerance() {
    let counts = counts(&[packet(0, 65_534, 0), packet(20, 65_535, 160), packet(43, 0, 320), packet(60, 1, 480)]);
    assert_eq!((counts.packets, counts.even, counts.gaps, counts.lost, counts.timestamp_jumps), (4, 3, 0, 0, 0));
    assert!((counts.even_share() - 1.0).abs() < f64::EPSILON);
}

#[test]
fn a_late_packet_is_uneven_and_a_pause_over_forty_ms_is_a_gap() {
    let counts = counts(&[packet(0, 1, 0), packet(24, 2, 160), packet(65, 3, 320)]);
    assert_eq!((counts.even, counts.gaps), (0, 1));
    assert_eq!(counts.longest_pause, Duration::from_millis(41));
}

#[test]
fn missing_sequence_numbers_are_lost_packets() {
    assert_eq!(counts(&[packet(0, 10, 0), packet(60, 13, 480)]).lost, 2);
}

#[test]
fn an_overtaken_packet_is_out_of_order_and_not_lost() {
    let counts = counts(&[packet(0, 10, 0), packet(40, 12, 320), packet(41, 11, 160), packet(60, 13, 480)]);
    assert_eq!((counts.lost, counts.out_of_order, counts.timestamp_jumps), (0, 1, 0));
}

#[test]
fn a_duplicate_is_out_of_order() {
    let counts = counts(&[packet(0, 10, 0), packet(1, 10, 0), packet(20, 11, 160)]);
    assert_eq!((counts.out_of_order, counts.even), (1, 1));
}

#[test]
fn a_timestamp_step_that_does_not_fit_the_sequence_is_a_jump() {
    assert_eq!(counts(&[packet(0, 1, 0), packet(20, 2, 1600)]).timestamp_jumps, 1);
}

#[test]
fn a_pause_announced_by_the_marker_is_no_gap() {
    let mut resumed = packet(500, 2, 4000);
    resumed.marker = true;
    let counts = counts(&[packet(0, 1, 0), resumed]);
    assert_eq!((counts.gaps, counts.timestamp_jumps, counts.spacing.count()), (0, 0, 0));
}

#[test]
fn a_marker_does_not_hide_a_late_packet() {
    let mut late = packet(90, 2, 160);
    late.marker = true;
    assert_eq!(counts(&[packet(0, 1, 0), late]).gaps, 1);
}

#[test]
fn a_new_source_restarts_the_sequence() {
    let mut other = packet(20, 40_000, 9);
    other.ssrc = 8;
    let counts = counts(&[packet(0, 1, 0), other]);
    assert_eq!((counts.ssrc_changes, counts.lost, counts.timestamp_jumps), (1, 0, 0));
}

#[test]
fn merged_counts_are_sums_and_the_longest_pause() {
    let mut sum = counts(&[packet(0, 1, 0), packet(20, 2, 160)]);
    sum.merge(&counts(&[packet(0, 1, 0), packet(50, 3, 320)]));
    assert_eq!((sum.packets, sum.lost, sum.gaps, sum.spacing.count()), (4, 1, 1, 2));
    assert_eq!(sum.longest_pause, Duration::from_millis(50));
}

#[test]
fn a_packet_is_late_by_the_time_of_the_first_of_its_stretch() {
    let counts = counts(&[packet(0, 1, 0), packet(22, 2, 160), packet(39, 3, 320), packet(67, 4, 480)]);
    let lateness = counts.lateness.percentiles();
    assert_eq!((lateness.count, lateness.min_ms), (3, 0.0));
    assert!((lateness.max_ms - 7.0).abs() < 0.1, "{lateness:?}");
    // After a pause that was announced it counts anew.
    let later = Arrival { marker: true, ..packet(1007, 5, 8480) };
    let counts = self::counts(&[packet(0, 1, 0), later, packet(1028, 6, 8640)]);
    let lateness = counts.lateness.percentiles();
    assert_eq!(lateness.count, 1);
    assert!((lateness.max_ms - 1.0).abs() < 0.1, "{lateness:?}");
}
