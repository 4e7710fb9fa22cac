//! What a packet costs before and after its call: parsing, statistics, reports, the way to the call, the system calls.
//! What it costs inside the call is measured in `call`.

use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::AsFd;

use benches::SPEECH;
use criterion::{Criterion, criterion_group, criterion_main};
use engine::clock::Moment;
use engine::rtp::rtcp::{self, Report, SenderInfo};
use engine::rtp::{ReceptionStats, RtpPacket, ssrc_of, write_header};
use engine::transport::{ChannelKind, Inbound, MediaSockets, SendBatch};

/// Calls on one shard.
const CALLS: u32 = 1000;

/// Datagrams in a batch.
const BATCH: usize = 32;

fn datagram(number: u32) -> [u8; 172] {
    let mut datagram = [0; 172];
    if let Some((header, payload)) = datagram.split_first_chunk_mut() {
        write_header(header, false, 0, number as u16, number.wrapping_mul(160), 7);
        payload.copy_from_slice(&SPEECH[..160]);
    }
    datagram
}

fn packets(c: &mut Criterion) {
    let mut number = 0_u32;
    c.bench_function("rtp, write a packet", |b| {
        b.iter(|| {
            number = number.wrapping_add(1);
            black_box(datagram(number))
        });
    });
    let packet = datagram(1);
    c.bench_function("rtp, parse a packet", |b| b.iter(|| black_box(RtpPacket::parse(black_box(&packet)).is_ok())));
    let (mut stats, mut n) = (ReceptionStats::new(8000), 0_u32);
    c.bench_function("rtp, statistics of a packet", |b| {
        b.iter(|| {
            n = n.wrapping_add(1);
            stats.on_packet(Moment::from_millis(u64::from(n) * 20), n as u16, n.wrapping_mul(160));
        });
    });
}

fn reports(c: &mut Criterion) {
    let mut stats = ReceptionStats::new(8000);
    stats.on_packet(Moment::default(), 1, 160);
    let sender = SenderInfo { ntp: 1 << 40, rtp_timestamp: 160, packets: 1, octets: 160 };
    let mut out = [0; 200];
    let mut write = move || {
        let block = Some(stats.report(Moment::from_millis(20), 7));
        let report = Report { ssrc: 1, sender: Some(sender), block, cname: "bench@192.0.2.1", bye: false };
        let bytes = report.write(&mut out).unwrap_or_default();
        (out, bytes)
    };
    c.bench_function("rtcp, write a report", |b| b.iter(|| black_box(write())));
    let (report, bytes) = write();
    let read = || rtcp::parse(black_box(&report[..bytes])).filter(Result::is_ok).count();
    c.bench_function("rtcp, read a report", |b| b.iter(|| black_box(read())));
}

/// Of a thousand calls, by source and synchronisation source.
fn demux(c: &mut Criterion) {
    let Ok(poll) = mio::Poll::new() else { return };
    let mut sockets = MediaSockets::new(Ipv4Addr::LOCALHOST.into(), 28_000..=31_999);
    let calls: Vec<_> = (0..CALLS)
        .filter_map(|call| {
            let source = SocketAddr::from(([192, 0, 2, (call % 250) as u8], 4000 + (call / 250) as u16));
            let reserved = sockets.reserve(poll.registry(), call, Some(source), None).ok()?;
            sockets.learn(reserved.socket, call, source, call);
            Some((reserved.socket, source, call))
        })
        .collect();
    let packet = datagram(1);
    let mut at = 0;
    c.bench_function("demux, a packet of one of 1000 calls", |b| {
        b.iter(|| {
            at = (at + 7) % calls.len();
            let (socket, source, ssrc) = calls[at];
            black_box(ssrc_of(black_box(&packet)));
            black_box(sockets.call_for(socket, ChannelKind::Rtp, source, Some(ssrc), Moment::default()))
        });
    });
}

/// The kernel's part, over loopback: a batch sent and taken.
fn batches(c: &mut Criterion) {
    let bound = || UdpSocket::bind((Ipv4Addr::LOCALHOST, 0));
    let (Ok(here), Ok(there)) = (bound(), bound()) else { return };
    let Ok(to) = there.local_addr() else { return };
    let (mut batch, mut inbound) = (SendBatch::default(), Inbound::default());
    let packet = datagram(1);
    c.bench_function("batch of 32 packets, sent and taken", |b| {
        b.iter(|| {
            for _ in 0..BATCH {
                batch.next_packet()[..packet.len()].copy_from_slice(&packet);
                batch.push(packet.len(), to);
            }
            batch.flush(here.as_fd());
            let _ = black_box(inbound.receive(there.as_fd()));
            black_box(inbound.datagrams().count())
        });
    });
}

criterion_group!(benches, packets, reports, demux, batches);
criterion_main!(benches);
