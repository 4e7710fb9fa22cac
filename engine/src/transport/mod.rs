//! Media over the network: UDP sockets that calls share, and the batches that go through them.
//! What a datagram means is the call's business; when to look is the shard's.

mod batch;
mod demux;
mod sockets;

pub use batch::{Inbound, SendBatch};
pub use demux::CallIndex;
pub use sockets::{ChannelKind, MediaSockets, Reserved, SocketError, SocketIndex};
