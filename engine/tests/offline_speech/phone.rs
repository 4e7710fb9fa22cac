//! A telephone line in memory: 8 kHz, G.711 µ-law there and back.
//! Packets and loss are not here.

/// What arrives of `samples` at `factor` times 8 kHz, as a WAV file with `pause_ms` of silence around it.
pub fn over_the_phone(samples: &[i16], factor: usize, pause_ms: usize) -> Vec<u8> {
    let pause = vec![0; pause_ms * 8];
    let line: Vec<i16> = decimate(samples, factor).into_iter().map(|s| from_mu_law(to_mu_law(s))).collect();
    wav(&[pause.as_slice(), &line, &pause].concat(), 8000)
}

pub fn wav(samples: &[i16], rate_hz: u32) -> Vec<u8> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: rate_hz,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = std::io::Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut file, spec).expect("a writer");
    samples.iter().for_each(|s| writer.write_sample(*s).expect("memory"));
    writer.finalize().expect("memory");
    file.into_inner()
}

/// Every `factor`th sample, behind a low-pass at 3.6 kHz.
fn decimate(samples: &[i16], factor: usize) -> Vec<i16> {
    let half = 24 * factor as isize;
    let cutoff = 0.9 / factor as f64;
    let taps: Vec<f64> = (-half..=half)
        .map(|n| {
            let x = std::f64::consts::PI * cutoff * n as f64;
            let sinc = if n == 0 { 1.0 } else { x.sin() / x };
            let window = 0.5 + 0.5 * (std::f64::consts::PI * n as f64 / half as f64).cos();
            cutoff * sinc * window
        })
        .collect();
    (0..samples.len() / factor)
        .map(|n| {
            let centre = (n * factor) as isize;
            let sum: f64 = (-half..=half)
                .zip(&taps)
                .filter_map(|(k, tap)| {
                    usize::try_from(centre + k).ok().and_then(|at| samples.get(at)).map(|s| f64::from(*s) * tap)
                })
                .sum();
            sum.round().clamp(-32768.0, 32767.0) as i16
        })
        .collect()
}

const BIAS: i32 = 0x84;

/// ITU-T G.711, µ-law.
fn to_mu_law(sample: i16) -> u8 {
    let magnitude = i32::from(sample).abs().min(32635) + BIAS;
    let exponent = (magnitude >> 7).ilog2();
    let mantissa = (magnitude >> (exponent + 3)) & 0x0F;
    let sign = if sample < 0 { 0x80 } else { 0 };
    !(sign | (exponent as u8) << 4 | mantissa as u8)
}

fn from_mu_law(byte: u8) -> i16 {
    let code = !byte;
    let (exponent, mantissa) = (code >> 4 & 0x07, i32::from(code & 0x0F));
    let magnitude = (((mantissa << 3) + BIAS) << exponent) - BIAS;
    (if code & 0x80 == 0 { magnitude } else { -magnitude }) as i16
}
