//! What R2's errors mean for an upload. Their messages end with their number: `… does not exist. (10024)`.
//! What follows from it is `store`'s.

/// <https://developers.cloudflare.com/r2/api/error-codes/>
const NO_SUCH_UPLOAD: u32 = 10024;
/// InternalError, IncompleteBody, ServiceUnavailable, ClientDisconnect, TooManyRequests.
const PASSING: [u32; 5] = [10001, 10013, 10043, 10054, 10058];

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The upload is completed, aborted, or older than R2 keeps them.
    Gone,
    /// The same request will be refused again.
    Refused,
    /// Another try may mend it.
    Passing,
}

/// What an error's message says went wrong.
pub fn fault(message: &str) -> Fault {
    let mut in_brackets = message.split('(').filter_map(|rest| rest.split_once(')')?.0.parse().ok());
    match in_brackets.next_back() {
        Some(NO_SUCH_UPLOAD) => Fault::Gone,
        None if message.contains("does not exist") => Fault::Gone,
        Some(number) if !PASSING.contains(&number) => Fault::Refused,
        _ => Fault::Passing,
    }
}

#[cfg(test)]
mod tests;
