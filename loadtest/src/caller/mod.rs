//! A caller: over SIP with RTP, or over a WebSocket; says, presses, hears, follows a script. Shared by every command.
//! It measures what a phone would notice; what the node says about it is `node_events`.

mod call;
mod conversation;
pub mod media;
mod phone;

pub use call::{CallEnded, Caller, Said};
pub use conversation::{Conversation, LineHeard, Manners, Prepared};
pub use phone::{DialError, Phone, Ringing, StartError, Target};
