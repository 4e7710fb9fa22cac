//! Session timers (RFC 4028): how long a session lives without a sign of life, and who gives it.
//! Not here: the task that refreshes and ends sessions (`dialog::refresh`).

#[cfg(test)]
mod tests;

use crate::message::headers::{self, plain};
use rsipstack::sip::{Header, Headers};
use std::time::Duration;

/// What Min-SE is when a message does not say (RFC 4028 5).
const DEFAULT_MIN_SE: u32 = 90;

/// The longest time before its end at which a session is given up (RFC 4028 10).
const LONGEST_GRACE: Duration = Duration::from_secs(32);

/// How long sessions live without a refresh (RFC 4028 4, 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionTimers {
    /// What we ask for, whole seconds. Half of it is the time between two refreshes.
    pub expires: Duration,
    /// The least we accept; shorter wishes are answered 422. 90 s is the least the RFC wants.
    pub min_se: Duration,
    /// Who is to refresh where it is ours to say.
    pub refresher: PreferredRefresher,
}

/// Who refreshes a session, if the choice is ours: in what we ask for, and towards callers who leave it open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PreferredRefresher {
    /// Callers who asked for a session timer do; of calls of ours, the other side says.
    #[default]
    Either,
    Us,
    Them,
}

impl Default for SessionTimers {
    fn default() -> Self {
        Self {
            expires: Duration::from_secs(1800),
            min_se: Duration::from_secs(90),
            refresher: PreferredRefresher::Either,
        }
    }
}

/// Who refreshes, by its role in the request that agreed on it (RFC 4028 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refresher {
    Uac,
    Uas,
}

/// What a request and its 2xx agree on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Agreed {
    /// Seconds.
    pub expires: u32,
    pub refresher: Refresher,
}

/// The caller's wish was too short; what would be long enough, seconds (RFC 4028 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooSmall(pub u32);

impl SessionTimers {
    fn min_se(self) -> u32 {
        whole_seconds(self.min_se)
    }

    fn expires(self) -> u32 {
        whole_seconds(self.expires).max(self.min_se())
    }

    /// Session-Expires and Min-SE of a request that begins or changes a session (RFC 4028 7.1, 7.4). `inside` is
    /// what is agreed in its dialog, seen from us; `least` the longest Min-SE we were told.
    pub(crate) fn wish(self, inside: Option<Agreed>, least: u32) -> Vec<Header> {
        let least = least.max(self.min_se());
        let expires = inside.map_or(self.expires(), |agreed| agreed.expires).max(least);
        let value = match inside {
            Some(agreed) => Agreed { expires, ..agreed }.value(),
            None => match self.refresher {
                PreferredRefresher::Either => expires.to_string(),
                PreferredRefresher::Us => Agreed { expires, refresher: Refresher::Uac }.value(),
                PreferredRefresher::Them => Agreed { expires, refresher: Refresher::Uas }.value(),
            },
        };
        let mut headers = vec![plain("Session-Expires", value)];
        if least != DEFAULT_MIN_SE {
            headers.push(plain("Min-SE", least.to_string()));
        }
        headers
    }

    /// What our 2xx to a request says; `None`: the session lives for ever (RFC 4028 9).
    pub(crate) fn answer(self, request: &Headers) -> Result<Option<Agreed>, TooSmall> {
        let knows =
            headers::has_option(request, "Supported", "timer") || headers::has_option(request, "Require", "timer");
        let wish = wish_of(request);
        let floor = min_se_of(request).unwrap_or_default().max(self.min_se());
        let (expires, refresher) = match wish {
            Some((expires, _)) if expires < self.min_se() && knows => return Err(TooSmall(self.min_se())),
            Some((expires, refresher)) => (expires.min(self.expires()).max(floor), refresher),
            // It can, and did not ask: we look after it.
            None if knows => {
                (self.expires().max(floor), Some(Refresher::Uas).filter(|_| self.refresher != PreferredRefresher::Them))
            }
            None => return Ok(None),
        };
        let usual = if self.refresher == PreferredRefresher::Us { Refresher::Uas } else { Refresher::Uac };
        // A caller that knows nothing of it cannot refresh; what one that asked says holds.
        let refresher = if knows { refresher.unwrap_or(usual) } else { Refresher::Uas };
        Ok(Some(Agreed { expires, refresher }))
    }
}

impl Agreed {
    /// What a 2xx agreed on; `None`: the session lives for ever (RFC 4028 7.2).
    pub fn of_response(response: &Headers) -> Option<Self> {
        let (expires, refresher) = wish_of(response)?;
        // Who does not say leaves it to us, who asked.
        Some(Self { expires: expires.max(1), refresher: refresher.unwrap_or(Refresher::Uac) })
    }

    /// Headers of our 2xx (RFC 4028 9).
    pub fn headers(self) -> Vec<Header> {
        let mut headers = vec![plain("Session-Expires", self.value())];
        if self.refresher == Refresher::Uac {
            headers.push(plain("Require", "timer"));
        }
        headers
    }

    fn value(self) -> String {
        let refresher = match self.refresher {
            Refresher::Uac => "uac",
            Refresher::Uas => "uas",
        };
        format!("{};refresher={refresher}", self.expires)
    }

    /// When the refresher refreshes (RFC 4028 7.2).
    pub fn refresh_after(self) -> Duration {
        Duration::from_secs(self.expires.into()) / 2
    }

    /// When a session without refresh is given up (RFC 4028 10).
    pub fn gives_up_after(self) -> Duration {
        let expires = Duration::from_secs(self.expires.into());
        expires - LONGEST_GRACE.min(expires / 3)
    }
}

/// The Min-SE of a message, such as a 422.
pub(crate) fn min_se_of(headers: &Headers) -> Option<u32> {
    headers::value(headers, "Min-SE")?.split(';').next()?.trim().parse().ok()
}

/// Session-Expires: seconds, and the refresher if it is named.
fn wish_of(headers: &Headers) -> Option<(u32, Option<Refresher>)> {
    let value = headers::value(headers, "Session-Expires")?;
    let mut params = value.split(';').map(str::trim);
    let expires = params.next()?.parse().ok()?;
    let refresher = params.find_map(|param| {
        let (name, value) = param.split_once('=')?;
        match (name.trim().to_ascii_lowercase().as_str(), value.trim().to_ascii_lowercase().as_str()) {
            ("refresher", "uac") => Some(Refresher::Uac),
            ("refresher", "uas") => Some(Refresher::Uas),
            _ => None,
        }
    });
    Some((expires, refresher))
}

fn whole_seconds(time: Duration) -> u32 {
    u32::try_from(time.as_secs()).unwrap_or(u32::MAX).max(1)
}
