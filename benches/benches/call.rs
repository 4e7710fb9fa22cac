//! What 20 ms of a whole call cost: one packet in, one tick, one packet out, in each state a call is in.
//! No socket and no thread: this is the work of the call itself.

use benches::{Bridged, QUIET, Running, SPEECH};
use criterion::{Criterion, criterion_group, criterion_main};

fn calls(c: &mut Criterion) {
    let states = [
        ("call listening to a quiet line", Running::listening(), QUIET),
        ("call listening to speech", Running::listening(), SPEECH),
        ("call in which the agent speaks", Running::speaking(), QUIET),
    ];
    for (name, mut running, audio) in states {
        c.bench_function(name, |b| b.iter(|| running.step(audio)));
    }
    let mut frames = Running::listening_to_frames();
    c.bench_function("call over a WebSocket, quiet line", |b| b.iter(|| frames.step_frames(QUIET)));
    let mut bridged = Bridged::new();
    c.bench_function("two bridged calls", |b| b.iter(|| bridged.step(SPEECH)));
}

criterion_group!(benches, calls);
criterion_main!(benches);
