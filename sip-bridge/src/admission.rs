//! Whether new calls are let in: the one switch the application has over INVITEs it has not seen yet.
//! Not here: the counting of unanswered INVITEs, which `endpoint` does.

use std::time::Duration;

/// What happens to a new call, and to an OPTIONS that asks whether one would be welcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Admission {
    /// INVITE reaches the application, OPTIONS is answered 200.
    #[default]
    Open,
    /// Finishing: INVITE and out-of-dialog OPTIONS are answered 503, so that a dispatcher goes elsewhere.
    Draining,
    /// Full for the moment: INVITE is answered 503 with Retry-After, OPTIONS 200 (the node is alive).
    Busy {
        /// Sent as whole seconds, rounded up (RFC 3261 20.33).
        retry_after: Duration,
    },
}
