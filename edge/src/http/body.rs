//! A request's body as it arrives: never more of it than its route takes, never more of all than there is room for.
//! Whose it is, `auth` says.

use std::cell::RefCell;

use futures::StreamExt;
use worker::Request;

use super::ApiError;
use super::room::Room;
use super::routes::{self, Route};
use crate::clock;

/// Code of a body that did not come whole.
pub const BROKEN: &str = "body_broken";

thread_local! {
    /// For large bodies only: nobody who sends those keeps the small ones out.
    static ROOM: RefCell<Room> = const { RefCell::new(Room::new()) };
}

/// A body whose sender is not known yet. Its room is given back when this is dropped.
#[derive(Debug, Default)]
pub struct Body {
    pub bytes: Vec<u8>,
    number: Option<u64>,
}

// === impl Body ===

impl Body {
    /// # Errors
    /// 413 for more than the route takes; 503 for a body that broke off (another try may bring it whole), and while
    /// there is no room.
    pub async fn read(request: &mut Request, route: &Route) -> Result<Self, ApiError> {
        if route.max_body == 0 {
            return Ok(Self::default());
        }
        let too_large = || ApiError::new(413, "too_large", format!("the body is larger than {} bytes", route.max_body));
        let declared = request.headers().get("content-length")?.and_then(|length| length.parse::<usize>().ok());
        if declared.is_some_and(|length| length > route.max_body) {
            return Err(too_large());
        }
        if request.inner().body().is_none() {
            return Ok(Self::default());
        }
        let large = route.max_body > routes::BODY;
        let number = large.then(|| ROOM.with_borrow_mut(|room| room.enter(clock::now_ms())));
        let mut body = Self { bytes: Vec::new(), number };
        let broken =
            |_: worker::Error| ApiError::new(503, BROKEN, "the body broke off").with_header("retry-after", "1");
        // Nothing is kept for what was only declared.
        let mut stream = request.stream().map_err(broken)?;
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(broken)?;
            if body.bytes.len() + chunk.len() > route.max_body {
                return Err(too_large());
            }
            if body.number.is_some_and(|number| !ROOM.with_borrow_mut(|room| room.take(number, chunk.len()))) {
                return Err(ApiError::unavailable("too many large bodies at once"));
            }
            body.bytes.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// The bytes, once it is known who sent them.
    pub fn known(mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            ROOM.with_borrow_mut(|room| room.leave(number));
        }
    }
}
