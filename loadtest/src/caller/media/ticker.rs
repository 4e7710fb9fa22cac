//! The one clock of all legs: 1 ms slots, each leg served every 20 ms in its own slot.
//! What a leg does in its slot is `leg`; commands are taken while waiting for the next slot.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use engine::call::SrtpKeys;
use tokio::sync::oneshot;

use super::Route;
use super::leg::{Leg, LegReport};
use super::socket::Buffer;
use super::time::KernelClock;
use crate::voice::Utterance;

const SLOTS: u64 = 20;
const SLOT: Duration = Duration::from_millis(1);

pub enum Command {
    Open(Box<Leg>),
    Leg(u64, LegOrder),
}

pub enum LegOrder {
    Connect(Route, Option<SrtpKeys>),
    Say(Utterance),
    Press(char),
    Raw(Vec<u8>),
    Close(Option<oneshot::Sender<LegReport>>),
}

/// Serves legs until every sender of `commands` is gone.
pub fn run(commands: &Receiver<Command>) {
    let clock = KernelClock::start();
    let start = Instant::now();
    let mut slots: [Vec<Leg>; SLOTS as usize] = std::array::from_fn(|_| Vec::new());
    let mut buffer: Buffer = [0; 1500];
    // Number of the next slot since the start; its legs are in `slots[next % 20]`.
    let mut next = 0u64;
    loop {
        let due = start + SLOT * u32::try_from(next).unwrap_or(u32::MAX);
        match commands.recv_timeout(due.saturating_duration_since(Instant::now())) {
            Ok(command) => {
                apply(command, &mut slots);
                continue;
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if let Some(legs) = slots.get_mut((next % SLOTS) as usize) {
            for leg in legs {
                leg.tick(&clock, due.elapsed(), &mut buffer);
            }
        }
        next += 1;
        // With nobody to serve there is nothing to catch up with.
        if slots.iter().all(Vec::is_empty) {
            match commands.recv() {
                Ok(command) => apply(command, &mut slots),
                Err(_) => return,
            }
            next = start.elapsed().as_millis() as u64 + 1;
        }
    }
}

fn apply(command: Command, slots: &mut [Vec<Leg>; SLOTS as usize]) {
    let (id, order) = match command {
        Command::Open(leg) => {
            if let Some(slot) = slots.get_mut((leg.id() % SLOTS) as usize) {
                slot.push(*leg);
            }
            return;
        }
        Command::Leg(id, order) => (id, order),
    };
    let Some(slot) = slots.get_mut((id % SLOTS) as usize) else { return };
    let Some(place) = slot.iter().position(|leg| leg.id() == id) else { return };
    match order {
        LegOrder::Connect(route, keys) => slot[place].connect(route, keys),
        LegOrder::Say(utterance) => slot[place].say(utterance),
        LegOrder::Press(digit) => slot[place].press(digit),
        LegOrder::Raw(datagram) => slot[place].send_raw(&datagram),
        LegOrder::Close(report) => {
            let leg = slot.swap_remove(place);
            if let Some(report) = report {
                // Whoever asked may have gone meanwhile.
                let _ = report.send(leg.into_report());
            }
        }
    }
}
