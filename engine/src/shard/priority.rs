//! The media thread's place in the kernel's queue: packets leave on time even when everything else wants the cores.
//! Asks for as much as the process may have, and is content with less.

use std::io;

/// Lowest real-time priority: above all ordinary work, below whatever else is real-time on the machine.
const REALTIME: libc::c_int = 1;

/// Nice value where real time is not allowed.
const NICE: libc::c_int = -10;

/// How a media thread is scheduled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    /// SCHED_RR: needs root, CAP_SYS_NICE or an rtprio limit.
    RealTime,
    /// Ordinary scheduling with a better nice value: needs the same or a nice limit.
    Nice,
    /// As any other thread: late when the machine is busy.
    Ordinary,
}

/// Raises the calling thread as far as is allowed.
pub fn raise() -> Priority {
    let parameters = libc::sched_param { sched_priority: REALTIME };
    // SAFETY: thread 0 is the calling one, and the parameters live until the call returns.
    if unsafe { libc::sched_setscheduler(0, libc::SCHED_RR | libc::SCHED_RESET_ON_FORK, &raw const parameters) } == 0 {
        return Priority::RealTime;
    }
    let refused = io::Error::last_os_error();
    // SAFETY: plain system call; 0 is the calling thread, for which Linux keeps a nice value of its own.
    if unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICE) } == 0 {
        return Priority::Nice;
    }
    tracing::info!(%refused, "media threads run at ordinary priority; packets may be late on a busy machine");
    Priority::Ordinary
}
