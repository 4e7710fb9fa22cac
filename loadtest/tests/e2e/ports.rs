//! Free ports on loopback, so that tests run beside a running Tandem and beside each other.
//! Nothing is held: a port is free when asked for, and its user binds it soon after.

use std::collections::HashSet;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::ops::RangeInclusive;
use std::sync::Mutex;
use std::sync::atomic::AtomicU16;
use std::sync::atomic::Ordering::Relaxed;

use anyhow::{Context, Result};

/// RTP ports a node gets in tests. SIPp's media and the kernel's own choices stay outside of 20000-31999.
const RTP_BLOCK: u16 = 1000;
const RTP_FIRST: u16 = 20000;
/// Tests that may run at the same time (.config/nextest.toml), and the blocks for each: nodes bind their ports late.
const SIDE_BY_SIDE: u16 = 2;
const RTP_BLOCKS: u16 = 6;

/// All other ports, and how many there are for each of those tests. Behind the last one (10080) that `fetch` refuses as a "bad
/// port" (Fetch Standard, section 2.9).
const PORTS_FIRST: u16 = 10_100;
const PORTS: u16 = 4096;

/// Ports this process has tried.
static TRIED: AtomicU16 = AtomicU16::new(0);

/// Blocks given to nodes of this process.
static RTP_TAKEN: Mutex<Vec<u16>> = Mutex::new(Vec::new());

/// A port of which the UDP and the TCP one are free, and the next port's too (baresip takes two). Not one of the kernel's own
/// choices: a connection of anybody's may get such a port before it is bound.
pub fn free_port() -> Result<u16> {
    for _ in 0..PORTS / 2 {
        // Each process begins elsewhere.
        let at = (std::process::id() as u16).wrapping_mul(16).wrapping_add(TRIED.fetch_add(2, Relaxed)) % PORTS;
        let port = PORTS_FIRST + slot() % SIDE_BY_SIDE * PORTS + at;
        let free = [port, port + 1].iter().all(|port| {
            TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok()
                && UdpSocket::bind((Ipv4Addr::LOCALHOST, *port)).is_ok()
        });
        if free {
            return Ok(port);
        }
    }
    anyhow::bail!("no two neighbouring free ports on 127.0.0.1")
}

/// Which of the tests that run at the same time this is.
fn slot() -> u16 {
    std::env::var("NEXTEST_TEST_GROUP_SLOT").ok().and_then(|slot| slot.parse().ok()).unwrap_or(0)
}

/// A block of UDP ports nobody on this machine uses.
pub fn free_rtp_ports() -> Result<RangeInclusive<u16>> {
    let used = udp_ports_in_use()?;
    let mut taken = RTP_TAKEN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let from = RTP_FIRST + slot() % SIDE_BY_SIDE * RTP_BLOCKS * RTP_BLOCK;
    let first = (0..RTP_BLOCKS)
        .map(|block| from + block * RTP_BLOCK)
        .find(|first| !taken.contains(first) && !(*first..first + RTP_BLOCK).any(|port| used.contains(&port)))
        .with_context(|| format!("no 1,000 free UDP ports among the {} from {from} on", RTP_BLOCKS * RTP_BLOCK))?;
    taken.push(first);
    Ok(first..=first + RTP_BLOCK - 1)
}

/// The block is free for another node.
pub fn give_back(ports: &RangeInclusive<u16>) {
    RTP_TAKEN.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).retain(|first| first != ports.start());
}

/// Local ports in the kernel's table of UDP sockets (proc_net(5)).
pub fn udp_ports_in_use() -> Result<HashSet<u16>> {
    let table = std::fs::read_to_string("/proc/net/udp").context("/proc/net/udp")?;
    let port = |line: &str| {
        let local = line.split_whitespace().nth(1)?;
        u16::from_str_radix(local.rsplit_once(':')?.1, 16).ok()
    };
    Ok(table.lines().skip(1).filter_map(port).collect())
}
