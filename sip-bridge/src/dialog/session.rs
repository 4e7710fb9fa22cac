//! What both sides described last: to refresh a session without changing it (RFC 3264 8, RFC 4028 7.4).
//! Not here: reading the descriptions (`crate::sdp`).

/// Descriptions in force.
#[derive(Debug, Default)]
pub(crate) struct Session {
    /// Ours, offer or answer.
    local: Option<String>,
    /// Their offer, when `local` is its answer.
    offer: Option<String>,
}

impl Session {
    /// We described ourselves: in an answer to `offer`, or in an offer that was accepted.
    pub fn described(&mut self, local: String, offer: Option<String>) {
        self.local = Some(local);
        self.offer = offer;
    }

    /// Our description, as it was sent last.
    pub fn local(&self) -> Option<String> {
        self.local.clone()
    }

    /// Our answer to an offer that changes nothing.
    pub fn unchanged(&self, offer: &str) -> Option<String> {
        if self.offer.as_deref() == Some(offer) { self.local.clone() } else { None }
    }
}
