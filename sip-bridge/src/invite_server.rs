//! The server side of one INVITE, first or in a dialog: one task owns the stack's transaction, sends what it
//! is told to, 100 where that is late, and reports CANCEL and ACK (RFC 3261 13.3.1, 17.2.1, RFC 6026).
//! Not here: what the INVITE means.

use crate::SipError;
use crate::message::response::{Reply, shorten, trying};
use crate::wake::Wake;
use futures::channel::mpsc;
use futures::future::{Either, select};
use rsipstack::sip::{Method, Request, Response, SipMessage};
use rsipstack::transaction::Transaction;
use std::pin::{Pin, pin};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Sleep;

/// How long nothing may be said of an INVITE before 100 is. RFC 3261 17.2.1 allows 200 ms; Kamailio in front of us repeats
/// its INVITE then (`retr_timer1` in deploy/kamailio/kamailio.cfg), and is to have heard of the first.
const TRYING_AFTER: Duration = Duration::from_millis(100);

/// Told what becomes of an INVITE. Calls come from the task that owns it and must not block.
pub(crate) trait InviteObserver: Send + 'static {
    /// CANCEL came first; 487 is being sent.
    fn cancelled(&self);
    /// Our 2xx is acknowledged.
    fn acknowledged(&self, ack: &Request);
    /// Our 2xx was repeated for 64*T1 and nobody acknowledged it.
    fn unacknowledged(&self);
}

enum Command {
    Respond(Box<Response>, oneshot::Sender<Result<(), SipError>>),
    /// 487, unless there is a final answer.
    Terminate,
    /// No further word.
    Abandon,
}

/// Sends responses to an INVITE from anywhere.
#[derive(Clone)]
pub(crate) struct Responder {
    commands: mpsc::UnboundedSender<Command>,
    wake: Wake,
}

impl Responder {
    /// Sends a response. An error means it did not go out: the call is cancelled or the connection lost.
    pub async fn send(&self, response: Response) -> Result<(), SipError> {
        let (done, sent) = oneshot::channel();
        self.command(Command::Respond(Box::new(response), done));
        sent.await.unwrap_or_else(|_| Err(SipError::Ended("the INVITE is over".to_owned())))
    }

    /// Sends a response when there is nobody to hear about a failure.
    pub fn post(&self, response: Response) {
        let (done, _) = oneshot::channel();
        self.command(Command::Respond(Box::new(response), done));
    }

    /// Answers 487: the caller gave up by other means than CANCEL.
    pub fn terminate(&self) {
        self.command(Command::Terminate);
    }

    /// Stops repeating the 2xx: the dialog is over, an ACK is not missed any more.
    pub fn abandon(&self) {
        self.command(Command::Abandon);
    }

    fn command(&self, command: Command) {
        // A closed channel is an INVITE that is over; `send` reports that by itself.
        let _ = self.commands.unbounded_send(command);
        self.wake.wake();
    }
}

/// One INVITE and its task.
pub(crate) struct InviteServer {
    transaction: Transaction,
    commands: mpsc::UnboundedReceiver<Command>,
    wake: Wake,
    user_agent: String,
    to_tag: String,
}

impl InviteServer {
    pub fn new(transaction: Transaction, to_tag: String, user_agent: String) -> (Self, Responder) {
        let (sender, commands) = mpsc::unbounded();
        let wake = Wake::of(&transaction);
        let responder = Responder { commands: sender, wake: wake.clone() };
        (Self { transaction, commands, wake, user_agent, to_tag }, responder)
    }

    /// Runs until the transaction is over.
    pub async fn run(mut self, observer: impl InviteObserver) {
        let mut silence = pin!(tokio::time::sleep(TRYING_AFTER));
        let mut progress = Progress::Silent;
        loop {
            match self.receive(progress, silence.as_mut()).await {
                Some(SipMessage::Request(request)) => match request.method {
                    Method::Cancel if progress.is_open() => {
                        progress = Progress::Refused;
                        let sent = self.respond_terminated().await;
                        observer.cancelled();
                        if sent.is_err() {
                            return;
                        }
                    }
                    Method::Ack if matches!(progress, Progress::Accepted) => {
                        progress = Progress::Acknowledged;
                        observer.acknowledged(&request);
                    }
                    _ => {}
                },
                Some(SipMessage::Response(_)) => {}
                None if self.transaction.is_terminated() => break,
                None => {
                    if self.obey(&mut progress, &observer).await.is_err() {
                        return;
                    }
                    if matches!(progress, Progress::Silent) && silence.is_elapsed() {
                        progress = Progress::Open;
                        self.respond_trying(silence.deadline().elapsed() + TRYING_AFTER).await;
                    }
                }
            }
        }
        match progress {
            Progress::Accepted => observer.unacknowledged(),
            Progress::Acknowledged => self.shorten(),
            Progress::Silent | Progress::Open | Progress::Refused => {}
        }
    }

    /// The caller has acknowledged our answer. The stack keeps it for another 64*T1, for an INVITE or a CANCEL that comes
    /// late, which need not be told everything again.
    fn shorten(&self) {
        self.transaction.endpoint_inner.finished_transactions.with_mut(|finished| {
            if let Some(Some(SipMessage::Response(answer))) = finished.get_mut(&self.transaction.key) {
                shorten(answer);
            }
        });
    }

    /// What comes for the transaction. `None`: it is over, there are commands, or nothing was said for too long.
    async fn receive(&mut self, progress: Progress, silence: Pin<&mut Sleep>) -> Option<SipMessage> {
        if !matches!(progress, Progress::Silent) {
            return self.transaction.receive().await;
        }
        // Not safe to cancel: what ends the silence is told to it like a command.
        let received = pin!(self.transaction.receive());
        match select(received, silence).await {
            Either::Left((message, _)) => message,
            Either::Right(((), received)) => {
                self.wake.wake();
                received.await
            }
        }
    }

    async fn respond_trying(&mut self, after: Duration) {
        let trying = trying(&self.transaction.original, &self.user_agent, after);
        if let Err(error) = self.transaction.respond(trying).await {
            tracing::debug!(key = %self.transaction.key, %error, "cannot send 100");
        }
    }

    async fn respond_terminated(&mut self) -> Result<(), Over> {
        let response = Reply::new(487).build(&self.transaction.original, Some(&self.to_tag), &self.user_agent);
        self.transaction.respond(response).await.map_err(|_| Over)
    }

    /// Carries out what is queued.
    async fn obey(&mut self, progress: &mut Progress, observer: &impl InviteObserver) -> Result<(), Over> {
        while let Ok(command) = self.commands.try_recv() {
            let (response, done) = match command {
                Command::Respond(response, done) => (response, done),
                Command::Abandon => return Err(Over),
                Command::Terminate if progress.is_open() => {
                    *progress = Progress::Refused;
                    observer.cancelled();
                    self.respond_terminated().await?;
                    continue;
                }
                Command::Terminate => continue,
            };
            if !progress.is_open() {
                let _ = done.send(Err(SipError::Ended("the INVITE has its final answer".to_owned())));
                continue;
            }
            let code = response.status_code.code();
            let sent = self.transaction.respond(*response).await;
            let failed = sent.is_err();
            let _ =
                done.send(sent.map_err(|error| SipError::Send { method: "INVITE".to_owned(), why: error.to_string() }));
            if code >= 200 && failed {
                return Err(Over);
            }
            *progress = match code {
                ..200 => Progress::Open,
                200..300 => Progress::Accepted,
                300.. => Progress::Refused,
            };
        }
        Ok(())
    }
}

/// The task has nothing more to do for this INVITE.
struct Over;

#[derive(Clone, Copy)]
enum Progress {
    /// No answer yet.
    Silent,
    /// No final answer yet.
    Open,
    /// 2xx sent, ACK awaited.
    Accepted,
    Acknowledged,
    /// Final answer 3xx to 6xx.
    Refused,
}

impl Progress {
    fn is_open(self) -> bool {
        matches!(self, Self::Silent | Self::Open)
    }
}
