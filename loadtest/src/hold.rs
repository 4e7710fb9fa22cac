//! Many calls that only stand: set up without audio either way, held all together for a time, then ended.
//! One call costs us a dialog and no socket: it names an address of the loopback network that is its own.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use sip_bridge::sdp::{self, Codec, Direction, Local};
use sip_bridge::{Dialog, DialogEvent};
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::caller::{Phone, Target};
use crate::fleet::{self, Progress};
use crate::report::{HeldCall, HoldReport};

/// A BYE nobody answers is not waited for longer than this.
const BYE_LIMIT: Duration = Duration::from_secs(35);

/// How often is looked whether all calls are up.
const LOOK: Duration = Duration::from_millis(100);

/// Networks 127.1/16 to 127.254/16: each call has an address there.
pub const MOST_CALLS: usize = 254 << 16;

/// What to run.
pub struct Hold {
    /// At most [`MOST_CALLS`].
    pub calls: usize,
    /// New calls a second, and BYEs a second.
    pub rate: f64,
    /// How long all of them stand.
    pub hold: Duration,
    pub target: Target,
}

/// Where the node's reports go: every call names this port.
struct Sink {
    port: u16,
    reports: Arc<AtomicU64>,
}

/// Sets up all calls, holds them, ends them. Cancelling `stop` dials no more and ends those that are up with BYE.
///
/// # Errors
/// No UDP port could be bound.
pub async fn run(
    phone: Arc<Phone>,
    hold: Hold,
    progress: Arc<Progress>,
    stop: CancellationToken,
) -> std::io::Result<HoldReport> {
    let sink = Sink::open().await?;
    let hold = Arc::new(hold);
    // Since when the calls are being ended.
    let ending = watch::Sender::new(None);
    let mut calls = JoinSet::new();
    let start = Instant::now();
    for number in 0..hold.calls {
        tokio::select! {
            () = sleep_until(start + fleet::due(number, hold.rate, Duration::ZERO)) => {}
            () = stop.cancelled() => break,
        }
        progress.dialled.fetch_add(1, Ordering::Relaxed);
        let standing = Standing { number, port: sink.port, progress: progress.clone(), ending: ending.subscribe() };
        calls.spawn(standing.run(phone.clone(), hold.clone()));
    }
    let settled = || count(&progress.up) + count(&progress.lost) >= count(&progress.dialled);
    while !settled() && !stop.is_cancelled() {
        sleep(LOOK).await;
    }
    let (set_up_in, held) = (start.elapsed(), count(&progress.up));
    tokio::select! {
        () = sleep(hold.hold) => {}
        () = stop.cancelled() => {}
    }
    let still_up = count(&progress.up);
    ending.send_replace(Some(Instant::now()));
    let mut results = Vec::with_capacity(hold.calls);
    while let Some(result) = calls.join_next().await {
        results.push(result.unwrap_or_else(|error| HeldCall::Lost(format!("the caller itself failed: {error}"))));
    }
    let reports = sink.reports.load(Ordering::Relaxed);
    Ok(HoldReport::new(&results, set_up_in, (held, still_up), reports, stop.is_cancelled()))
}

/// One call.
struct Standing {
    number: usize,
    port: u16,
    progress: Arc<Progress>,
    ending: watch::Receiver<Option<Instant>>,
}

// === impl Standing ===

impl Standing {
    async fn run(mut self, phone: Arc<Phone>, hold: Arc<Hold>) -> HeldCall {
        let dialled = Instant::now();
        let dialog = match self.dial(&phone, &hold.target).await {
            Ok(dialog) => dialog,
            Err(error) => {
                self.progress.lost.fetch_add(1, Ordering::Relaxed);
                return HeldCall::NotUp(error);
            }
        };
        let setup = dialled.elapsed();
        let up = self.progress.up.fetch_add(1, Ordering::Relaxed) + 1;
        self.progress.most_up.fetch_max(up, Ordering::Relaxed);
        let held = self.stand(dialog, &hold).await;
        self.progress.up.fetch_sub(1, Ordering::Relaxed);
        self.progress.finished.fetch_add(1, Ordering::Relaxed);
        match held {
            Ok(()) => HeldCall::Ended { setup },
            Err(lost) => {
                self.progress.lost.fetch_add(1, Ordering::Relaxed);
                lost
            }
        }
    }

    async fn dial(&self, phone: &Phone, target: &Target) -> Result<Dialog, String> {
        let (dialog, answer) = phone.signal(target, self.offer()).await.map_err(|error| error.to_string())?;
        match sdp::accept_answer(&answer, &self.local()) {
            Ok(agreed) if agreed.direction == Direction::Inactive => Ok(dialog),
            Ok(agreed) => Err(format!("the answer to an inactive stream is {}", agreed.direction.attribute())),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Until it is ended by us, in its turn.
    async fn stand(&mut self, mut dialog: Dialog, hold: &Hold) -> Result<(), HeldCall> {
        let mut ending = self.ending.clone();
        let turn = async {
            let began = ending.wait_for(Option::is_some).await.ok().and_then(|began| *began);
            let due = fleet::due(self.number, hold.rate, Duration::ZERO);
            sleep_until(began.unwrap_or_else(Instant::now) + due).await;
        };
        tokio::select! {
            lost = self.until_lost(&mut dialog) => return Err(HeldCall::Lost(lost)),
            () = turn => {}
        }
        match timeout(BYE_LIMIT, dialog.bye(None)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(HeldCall::NotEnded(error.to_string())),
            Err(_) => Err(HeldCall::NotEnded(format!("BYE was not answered within {} s", BYE_LIMIT.as_secs()))),
        }
    }

    async fn until_lost(&self, dialog: &mut Dialog) -> String {
        loop {
            match dialog.next_event().await {
                Some(DialogEvent::Reoffer { offer, reply }) => {
                    match offer.map(|offer| sdp::answer(&offer, &self.local())) {
                        Some(Ok((_, answer))) => reply.accept(answer).await,
                        None => reply.accept(self.offer()).await,
                        // 488 by dropping.
                        Some(Err(_)) => {}
                    }
                }
                Some(DialogEvent::Ended { cause }) => return format!("{cause:?}"),
                Some(_) => {}
                None => return "the dialog is gone".to_owned(),
            }
        }
    }

    fn offer(&self) -> String {
        sdp::offer(&self.local()).replace("a=sendrecv", "a=inactive")
    }

    fn local(&self) -> Local {
        let [_, high, middle, low] = (self.number as u32).to_be_bytes();
        Local {
            addr: Ipv4Addr::new(127, high + 1, middle, low).into(),
            codecs: vec![Codec::Pcmu, Codec::Pcma],
            port: self.port,
            rtcp_mux: true,
            session_id: self.number as u64 + 1,
            version: 1,
            security: sdp::Security::default(),
        }
    }
}

// === impl Sink ===

impl Sink {
    async fn open() -> std::io::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
        let (port, reports) = (socket.local_addr()?.port(), Arc::new(AtomicU64::new(0)));
        let counted = reports.clone();
        tokio::spawn(async move {
            let mut datagram = [0; 1500];
            while socket.recv(&mut datagram).await.is_ok() {
                counted.fetch_add(1, Ordering::Relaxed);
            }
        });
        Ok(Self { port, reports })
    }
}

fn count(number: &AtomicUsize) -> usize {
    number.load(Ordering::Relaxed)
}
