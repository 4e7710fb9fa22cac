//! Load is what happened since the last look, and nothing else.
//! Nothing here runs outside tests.

use super::*;

#[test]
fn load_is_told_for_the_time_since_the_last_look() {
    let start = Instant::now();
    let look = |s, cpu_ms, slots, late| Look {
        at: start + Duration::from_secs(s),
        cpu: Duration::from_millis(cpu_ms),
        slots,
        late,
    };
    let meter = LoadMeter { last: Mutex::new(look(0, 1000, 0, 0)) };
    assert_eq!(meter.since_last(look(5, 3500, 500, 50)), Load { late_slots: 0.1, cpu_cores: 0.5 });
    assert_eq!(meter.since_last(look(10, 3500, 500, 50)), Load { late_slots: 0.0, cpu_cores: 0.0 });
    assert_eq!(meter.since_last(look(10, 3500, 500, 50)), Load::default());
}

#[test]
fn resident_memory_is_read_from_what_the_kernel_tells() {
    assert_eq!(resident("Name:\ttandem\nVmRSS:\t   12345 kB\nThreads:\t9\n"), Some(12_345 * 1024));
    assert_eq!(resident("Name:\ttandem\n"), None);
    assert!(memory_bytes() > 0);
}
