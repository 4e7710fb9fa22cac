//! Two bounded rings between a call on a shard and the task that carries its frames, a WebSocket's.
//! Nobody waits on the shard's side: the rings take no lock, and the task is woken at most once a tick, by the runtime's
//! own short lock. What the frames mean is the call's and the task's business.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use futures::task::AtomicWaker;
use rtrb::{Consumer, Producer, RingBuffer};

use crate::audio::dtmf::Digit;
use crate::call::{Call, Cue, LawFrame};
use crate::clock::Moment;

/// Room of each ring: 2.5 s of frames. The shard empties one every 20 ms; a task that leaves the other full has
/// lost its client.
const RING: usize = 128;

/// Length a key is taken to be pressed where only the press is told, ms.
const KEY_MS: u32 = 100;

/// From the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FromCaller {
    Audio(LawFrame),
    /// A key was pressed.
    Key(char),
    /// All that was sent before this mark was played.
    Played(u32),
}

/// To the caller, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToCaller {
    Audio(LawFrame),
    Cue(Cue),
    /// To come back once what was sent before it is played.
    Mark(u32),
}

/// The task's end. Dropping it ends the call.
pub struct FramePort {
    to_call: Producer<FromCaller>,
    from_call: Consumer<ToCaller>,
    waker: Arc<AtomicWaker>,
}

/// The shard's end.
pub(super) struct FrameLink {
    to_caller: Producer<ToCaller>,
    from_caller: Consumer<FromCaller>,
    // The last field: the task is woken when the ring is gone already.
    waker: WakeOnDrop,
}

struct WakeOnDrop(Arc<AtomicWaker>);

pub(super) fn frame_link() -> (FrameLink, FramePort) {
    let (to_call, from_caller) = RingBuffer::new(RING);
    let (to_caller, from_call) = RingBuffer::new(RING);
    let waker = Arc::new(AtomicWaker::new());
    (FrameLink { to_caller, from_caller, waker: WakeOnDrop(waker.clone()) }, FramePort { to_call, from_call, waker })
}

// === impl FramePort ===

impl FramePort {
    /// Hands something to the call. False if there is no room: the shard is far behind, and it is dropped.
    pub fn push(&mut self, input: FromCaller) -> bool {
        self.to_call.push(input).is_ok()
    }

    /// The next thing for the caller; `None` once the call is gone. Nothing is lost if it is not waited for.
    pub async fn next(&mut self) -> Option<ToCaller> {
        poll_fn(|context| {
            if let Some(next) = self.try_next() {
                return Poll::Ready(Some(next));
            }
            self.waker.register(context.waker());
            // Whatever was pushed before the waker was there.
            let gone = self.from_call.is_abandoned();
            match self.try_next() {
                Some(next) => Poll::Ready(Some(next)),
                None if gone => Poll::Ready(None),
                None => Poll::Pending,
            }
        })
        .await
    }

    /// What has come already.
    pub fn try_next(&mut self) -> Option<ToCaller> {
        self.from_call.pop().ok()
    }
}

// === impl FrameLink ===

impl FrameLink {
    /// The task is gone, and with it the caller.
    pub fn is_abandoned(&self) -> bool {
        self.from_caller.is_abandoned()
    }

    /// Gives the call what came since the last tick.
    pub fn take_in(&mut self, now: Moment, call: &mut Call) {
        while let Ok(input) = self.from_caller.pop() {
            match input {
                FromCaller::Audio(frame) => call.handle_frame(now, &frame),
                FromCaller::Key(key) => call.handle_key(now, Digit { char: key, duration_ms: KEY_MS }),
                FromCaller::Played(mark) => call.handle_played(now, mark),
            }
        }
    }

    /// Hands over what the last tick brought. Cues wait for room; audio that finds none is dropped, as the client is
    /// behind by all the ring holds.
    pub fn hand_over(&mut self, call: &mut Call) {
        let mut told = false;
        while !self.to_caller.is_full()
            && let Some(cue) = call.pop_cue()
        {
            told |= self.to_caller.push(ToCaller::Cue(cue)).is_ok();
        }
        if let Some(frame) = call.frame_to_send() {
            told |= self.to_caller.push(ToCaller::Audio(*frame)).is_ok();
        }
        if let Some(mark) = call.mark_to_send() {
            told |= self.to_caller.push(ToCaller::Mark(mark)).is_ok();
        }
        if told {
            self.waker.0.wake();
        }
    }
}

// === impl WakeOnDrop ===

impl Drop for WakeOnDrop {
    fn drop(&mut self) {
        self.0.wake();
    }
}

#[cfg(test)]
mod tests;
