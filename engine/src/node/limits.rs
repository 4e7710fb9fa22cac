//! What the operating system lets this process have: open files, as many as it may ask for.
//! What they are used for (a socket and a journal a call, at worst) is decided elsewhere.

use std::io::stderr;

use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Most files there is room for from the start; beyond it the table grows as it is needed.
const ROOM: u64 = 65_536;

/// Raises the soft limit of open files to the hard one, and has the kernel make room for them at once: while its table
/// grows, every thread that opens a file waits for an RCU grace period, tens of milliseconds on a busy machine.
pub fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let wanted = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, wanted) {
        tracing::warn!(%error, ?limit, "the limit of open files stays as it is");
    }
    let most = getrlimit(Resource::Nofile).current.unwrap_or(ROOM).min(ROOM);
    // The file is closed again; the room for it stays.
    if let Ok(last) = i32::try_from(most.saturating_sub(1))
        && let Err(error) = fcntl_dupfd_cloexec(stderr(), last)
    {
        tracing::warn!(%error, "the table of open files grows with the calls");
    }
}
