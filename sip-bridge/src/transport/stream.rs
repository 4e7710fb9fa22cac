//! A byte stream (TCP, TLS) as the stack sees it: each message framed and past the gate, and what is written to it.
//! Not here: opening connections (`tcp`), finding messages in the bytes (`framing`).

use super::arrival::Arrival;
use super::framing::{Frame, Frames};
use super::gate::{self, Verdict};
use super::way::Way;
use rsipstack::transport::channel::ChannelConnection;
use rsipstack::transport::connection::TransportReceiver;
use rsipstack::transport::{SipAddr, SipConnection, TransportEvent};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, WriteHalf};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// A connection that carries nothing for this long is closed. Longer than any call without signalling, short
/// enough that vanished peers do not pile up.
const IDLE: Duration = Duration::from_secs(2 * 3600);

/// How long the rest of a message may take once it began (64*T1): who sends slower holds a connection for nothing.
const UNFINISHED: Duration = Duration::from_secs(32);

/// How long a peer may take to read what is sent to it.
const WRITE: Duration = Duration::from_secs(10);

const READ_BYTES: usize = 16 * 1024;

/// Answers that wait for a peer to read them; with more the connection is closed. A carrier's own may carry hundreds of calls
/// a second, and stand still for some.
const ANSWERS: usize = 16_384;

/// What every stream of an endpoint shares.
#[derive(Clone)]
pub(super) struct Streams {
    pub arrivals: mpsc::UnboundedSender<Arrival>,
    pub user_agent: String,
    pub stop: CancellationToken,
}

impl Streams {
    /// Makes a connected stream one of the stack's connections; it lives until either side closes it.
    pub async fn adopt(
        &self,
        stream: impl AsyncRead + AsyncWrite + Send + 'static,
        peer: SipAddr,
    ) -> std::io::Result<SipConnection> {
        let address = peer.get_socketaddr().map_err(|error| std::io::Error::other(error.to_string()))?;
        let stop = self.stop.child_token();
        let (outgoing, to_send) = mpsc::unbounded_channel();
        // What comes in does not go through the connection.
        let (_, nothing) = mpsc::unbounded_channel();
        let connection = ChannelConnection::create_connection(nothing, outgoing, peer.clone(), Some(stop.clone()))
            .await
            .map_err(|error| std::io::Error::other(error.to_string()))?;
        let connection = SipConnection::Channel(connection);
        let (read, write) = tokio::io::split(stream);
        let (answers, own) = mpsc::channel(ANSWERS);
        let reader = Reader {
            address,
            arrivals: self.arrivals.clone(),
            way: Way::Stream(answers, stop.clone()),
            user_agent: self.user_agent.clone(),
            connection: connection.clone(),
        };
        let mut writer = Writer { write, to_send, own };
        tokio::spawn(async move {
            tokio::select! {
                () = reader.run(read) => {}
                () = writer.run() => {}
                () = stop.cancelled() => {}
            }
            // Nobody is to send anything over it any more.
            stop.cancel();
            writer.finish().await;
        });
        Ok(connection)
    }
}

/// The half that reads.
struct Reader {
    address: SocketAddr,
    arrivals: mpsc::UnboundedSender<Arrival>,
    /// Of all answers.
    way: Way,
    user_agent: String,
    connection: SipConnection,
}

impl Reader {
    async fn run(self, read: impl AsyncRead + Send) {
        tokio::pin!(read);
        let mut frames = Frames::default();
        let mut chunk = vec![0; READ_BYTES];
        loop {
            let patience = if frames.is_empty() { IDLE } else { UNFINISHED };
            let length = match tokio::time::timeout(patience, read.read(&mut chunk)).await {
                Ok(Ok(length)) if length > 0 => length,
                ended => return tracing::debug!(peer = %self.address, ?ended, "stream closed"),
            };
            frames.push(chunk.get(..length).unwrap_or_default());
            loop {
                match frames.next() {
                    Frame::Partial => break,
                    Frame::Ping => self.answer(b"\r\n"),
                    Frame::Message(message) => {
                        if !self.take(message) {
                            return;
                        }
                    }
                    Frame::Endless(head) => {
                        if let Verdict::Answer(response) = gate::inspect(&head, &self.user_agent) {
                            self.answer(&response);
                        }
                        return tracing::debug!(peer = %self.address, "stream closed: nobody knows where its message ends");
                    }
                    Frame::TooLong => {
                        return tracing::debug!(peer = %self.address, "stream closed: its message is too long");
                    }
                }
            }
        }
    }

    /// Hands a message on. False when nobody takes messages any more.
    fn take(&self, message: Vec<u8>) -> bool {
        let message = match gate::inspect(&message, &self.user_agent) {
            Verdict::Pass => message,
            Verdict::Mended(mended) => mended,
            Verdict::Answer(response) => {
                self.answer(&response);
                return true;
            }
            Verdict::Drop(why) => {
                tracing::debug!(peer = %self.address, why, "message dropped");
                return true;
            }
        };
        match Arrival::read(&message, self.address, &self.way, &self.connection) {
            Ok(arrival) => self.arrivals.send(arrival).is_ok(),
            Err(why) => {
                tracing::debug!(peer = %self.address, why, "message dropped");
                true
            }
        }
    }

    fn answer(&self, response: &[u8]) {
        // Refused only when the connection closes.
        let _ = self.way.send(response);
    }
}

/// The half that writes.
struct Writer<W> {
    write: WriteHalf<W>,
    to_send: TransportReceiver,
    own: mpsc::Receiver<Vec<u8>>,
}

impl<W: AsyncWrite> Writer<W> {
    /// Until nobody has anything more to send or the peer takes nothing.
    async fn run(&mut self) {
        loop {
            let bytes = tokio::select! {
                // A request of ours may follow from an answer, as NOTIFY does from 202.
                biased;
                Some(answer) = self.own.recv() => answer,
                event = self.to_send.recv() => match event {
                    Some(TransportEvent::Incoming(message, ..)) => message.to_bytes(),
                    Some(_) => continue,
                    None => return,
                },
            };
            if !self.write(&bytes).await {
                return;
            }
        }
    }

    /// What was answered last, before the stream closes.
    async fn finish(mut self) {
        let rest = async {
            while let Ok(answer) = self.own.try_recv() {
                if !self.write(&answer).await {
                    return;
                }
            }
            let _ = self.write.shutdown().await;
        };
        // The peer may be gone already.
        let _ = tokio::time::timeout(WRITE, rest).await;
    }

    async fn write(&mut self, bytes: &[u8]) -> bool {
        let sent = async {
            self.write.write_all(bytes).await?;
            self.write.flush().await
        };
        match tokio::time::timeout(WRITE, sent).await {
            Ok(Ok(())) => true,
            failed => {
                tracing::debug!(?failed, "stream closed: it takes nothing");
                false
            }
        }
    }
}
