//! What G.722 and Opus cost per 20 ms frame, and how good Opus is at each effort and bit rate.
//! Numbers of one machine are in `benches/README.md`.

use std::hint::black_box;

use benches::samples;
use criterion::{Criterion, criterion_group, criterion_main};
use engine::audio::codec::{Codec, Decoder, Encoded, Encoder, OpusSettings};

fn opus(complexity: u8, bitrate: u32) -> Codec {
    Codec::Opus(OpusSettings { complexity, bitrate, ..OpusSettings::default() })
}

fn encoded(codec: Codec, frames: &[[i16; 160]]) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(codec);
    frames
        .iter()
        .map(|frame| {
            let mut payload = [0; 480];
            let (Encoded::Voice(bytes) | Encoded::Silence(bytes)) = encoder.encode(frame, &mut payload);
            payload[..bytes].to_vec()
        })
        .collect()
}

fn cost(c: &mut Criterion, name: &str, codec: Codec) {
    let samples = samples();
    let frames = samples.as_chunks::<160>().0;
    let mut encoder = Encoder::new(codec);
    let (mut payload, mut at) = ([0; 480], 0);
    c.bench_function(&format!("{name}, encode frame"), |b| {
        b.iter(|| {
            at = (at + 1) % frames.len();
            black_box(encoder.encode(&frames[at], &mut payload))
        });
    });
    let packets = encoded(codec, frames);
    let mut decoder = Decoder::new(codec);
    let mut out = [0; 960];
    c.bench_function(&format!("{name}, decode frame"), |b| {
        b.iter(|| {
            at = (at + 1) % packets.len();
            black_box(decoder.decode(&packets[at], &mut out))
        });
    });
}

fn codecs(c: &mut Criterion) {
    cost(c, "g722", Codec::G722);
    for complexity in [0, 1, 2, 3, 5, 10] {
        cost(c, &format!("opus 24 kbit/s, complexity {complexity}"), opus(complexity, 24_000));
    }
    cost(c, "opus 16 kbit/s, complexity 1", opus(1, 16_000));
}

/// Prints how far the spectrum of what is heard is from that of what was said: root mean square over 20 mel bands, in dB,
/// averaged over the voiced frames. A stand-in for ears: less is better.
fn quality(_: &mut Criterion) {
    let samples = samples();
    let frames = samples.as_chunks::<160>().0;
    for bitrate in [12_000, 16_000, 24_000, 32_000] {
        let distances: Vec<String> = [0, 1, 2, 3, 5, 10]
            .into_iter()
            .map(|complexity| {
                let mut decoder = Decoder::new(opus(complexity, bitrate));
                let mut heard = Vec::new();
                for packet in encoded(opus(complexity, bitrate), frames) {
                    let mut out = [0; 960];
                    let length = decoder.decode(&packet, &mut out).unwrap_or(0);
                    heard.extend_from_slice(&out[..length]);
                }
                // Opus looks ahead by 6.5 ms.
                format!("c{complexity} {:.2}", distance(&spectra(&samples), &spectra(&heard[52..])))
            })
            .collect();
        println!("opus {bitrate} bit/s, dB: {}", distances.join("  "));
    }
}

/// Energy in each mel band, dB, of 32 ms every 10 ms.
fn spectra(samples: &[i16]) -> Vec<[f64; 20]> {
    let mel = |hz: f64| 2595.0 * (1.0 + hz / 700.0).log10();
    let band = |bin: usize| (mel(bin as f64 * 31.25) - mel(100.0)) / (mel(3800.0) - mel(100.0)) * 20.0;
    let spectrum = |window: &[i16]| {
        let mut bands = [1e4; 20];
        for bin in 4..122 {
            let (mut re, mut im) = (0.0, 0.0);
            for (n, sample) in window.iter().enumerate() {
                let hann = 0.5 - 0.5 * (n as f64 * std::f64::consts::TAU / 256.0).cos();
                let (sin, cos) = ((n * bin % 256) as f64 * std::f64::consts::TAU / 256.0).sin_cos();
                (re, im) = (re + f64::from(*sample) * hann * cos, im + f64::from(*sample) * hann * sin);
            }
            if let Some(energy) = bands.get_mut(band(bin) as usize) {
                *energy += re * re + im * im;
            }
        }
        bands.map(|energy| 10.0 * energy.log10())
    };
    samples.windows(256).step_by(80).map(spectrum).collect()
}

fn distance(said: &[[f64; 20]], heard: &[[f64; 20]]) -> f64 {
    // Some 40 dB over the floor: voiced.
    let voiced = said.iter().zip(heard).filter(|(said, _)| said.iter().any(|band| *band > 80.0));
    let distances: Vec<f64> = voiced
        .map(|(said, heard)| (said.iter().zip(heard).map(|(a, b)| (a - b).powi(2)).sum::<f64>() / 20.0).sqrt())
        .collect();
    distances.iter().sum::<f64>() / distances.len().max(1) as f64
}

criterion_group!(benches, quality, codecs);
criterion_main!(benches);
