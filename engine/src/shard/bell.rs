//! Wakes a shard that sleeps because it has no calls; one that has some looks at its commands every millisecond.
//! What it is woken for are the commands themselves.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use mio::{Registry, Token, Waker};

#[derive(Debug)]
pub struct Bell {
    waker: Waker,
    /// The shard sleeps, or is about to.
    asleep: AtomicBool,
}

// === impl Bell ===

impl Bell {
    pub fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        Ok(Self { waker: Waker::new(registry, token)?, asleep: AtomicBool::new(false) })
    }

    /// To be called after a command was sent.
    pub fn ring(&self) -> io::Result<()> {
        // In one order with `sleep` for all: either this sees that the shard sleeps, or the shard sees the command.
        if self.asleep.load(Ordering::SeqCst) { self.waker.wake() } else { Ok(()) }
    }

    /// To be called before the shard looks for commands a last time, and sleeps if there are none.
    pub fn sleep(&self) {
        self.asleep.store(true, Ordering::SeqCst);
    }

    pub fn awake(&self) {
        self.asleep.store(false, Ordering::SeqCst);
    }
}
