//! G.722 at 64 kbit/s: the lower sub-band's ADPCM (ITU-T G.722 sections 3 and 4, names as there), 8 kHz on our side.
//! The sub-band is what the split filter leaves of 0 to 4 kHz, so an 8 kHz call needs neither the filter nor the rest.

/// Bits of the upper sub-band that decode to silence: the smallest positive step, on which its scale shrinks to nothing.
const NO_UPPER_BAND: u8 = 0b1100_0000;

/// Decision levels of the 60-level quantiser (table 14), in units of the scale factor.
static Q6: [i32; 30] = [
    0, 35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1023, 1121, 1219, 1339,
    1458, 1612, 1765, 1980, 2195, 2557, 2919,
];
/// Output values of the 60-level inverse quantiser, by code word; four code words are never sent.
static QQ6: [i32; 64] = [
    -136, -136, -136, -136, -24808, -21904, -19008, -16704, -14984, -13512, -12280, -11192, -10232, -9360, -8576,
    -7856, -7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576, -3168, -2776, -2400, -2032, -1688, -1360, -1040,
    -728, 24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192, 10232, 9360, 8576, 7856, 7192, 6576, 6000, 5456,
    4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032, 1688, 1360, 1040, 728, 432, 136, -432, -136,
];
/// Output values of the 15-level inverse quantiser, by the upper four bits of the code word.
static QQ4: [i32; 16] =
    [0, -20456, -12896, -8968, -6288, -4240, -2584, -1200, 20456, 12896, 8968, 6288, 4240, 2584, 1200, 0];
/// Logarithmic scale factor multipliers (WL after RL42), by the upper four bits of the code word.
static WL: [i32; 16] = [-60, 3042, 1198, 538, 334, 172, 58, -30, 3042, 1198, 538, 334, 172, 58, -30, -60];
/// Powers of two for the conversion of the scale factor (table 17).
static ILB: [i32; 32] = [
    2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834, 2896, 2960, 3025,
    3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
];

/// The adaptive predictor and quantiser scale that encoder and decoder keep in step.
#[derive(Debug, Clone)]
struct LowerBand {
    /// Signal estimate, and the part of it that comes from the zeros.
    s: i32,
    sz: i32,
    /// Quantised differences, newest first, and their coefficients.
    d: [i32; 6],
    b: [i32; 6],
    /// Reconstructed signal and partial reconstruction, newest first, and the poles' coefficients.
    r: [i32; 2],
    p: [i32; 2],
    a: [i32; 2],
    /// Scale factor, logarithmic and linear.
    nb: i32,
    det: i32,
}

/// 8 kHz samples to octets, one for one.
#[derive(Debug, Clone)]
pub struct G722Encoder {
    band: LowerBand,
}

/// Octets to 8 kHz samples, one for one.
#[derive(Debug, Clone)]
pub struct G722Decoder {
    band: LowerBand,
}

// === impl G722Encoder ===

impl G722Encoder {
    pub const fn new() -> Self {
        Self { band: LowerBand::new() }
    }

    /// Encodes sample by sample until either slice ends.
    pub fn encode(&mut self, samples: &[i16], out: &mut [u8]) {
        for (octet, sample) in out.iter_mut().zip(samples) {
            // The split filter halves what it lets through.
            *octet = NO_UPPER_BAND | self.band.encode(i32::from(*sample) >> 1);
        }
    }
}

// === impl G722Decoder ===

impl G722Decoder {
    pub const fn new() -> Self {
        Self { band: LowerBand::new() }
    }

    /// Decodes octet by octet until either slice ends.
    pub fn decode(&mut self, octets: &[u8], out: &mut [i16]) {
        for (sample, octet) in out.iter_mut().zip(octets) {
            // 15 bits of the sub-band, doubled, are 16.
            *sample = (self.band.decode(octet & 0x3F) << 1) as i16;
        }
    }
}

// === impl LowerBand ===

impl LowerBand {
    const fn new() -> Self {
        Self { s: 0, sz: 0, d: [0; 6], b: [0; 6], r: [0; 2], p: [0; 2], a: [0; 2], nb: 0, det: 32 }
    }

    /// One sample of 15 bits to six bits (SUBTRA, QUANTL).
    fn encode(&mut self, xl: i32) -> u8 {
        let e = saturate(xl - self.s);
        let magnitude = if e < 0 { !e } else { e };
        // Interval 1 to 30; the decision levels rise.
        let interval = Q6.partition_point(|&level| level == 0 || magnitude >= (level * self.det) >> 12).clamp(1, 30);
        let interval = interval as u8;
        let code = match (e < 0, interval) {
            (true, 1..=2) => 64 - interval,
            (true, _) => 34 - interval,
            (false, _) => 62 - interval,
        };
        self.adapt(code);
        code
    }

    /// Six bits to one sample of 15 bits (INVQBL, LIMIT).
    fn decode(&mut self, code: u8) -> i32 {
        let difference = (self.det * QQ6[usize::from(code & 63)]) >> 15;
        let sample = (self.s + difference).clamp(-16_384, 16_383);
        self.adapt(code);
        sample
    }

    /// Both sides' next state, which only the code word's upper four bits decide.
    fn adapt(&mut self, code: u8) {
        let index = usize::from(code >> 2) & 15;
        // INVQAL
        let d = (self.det * QQ4[index]) >> 15;
        // LOGSCL, SCALEL
        self.nb = (((self.nb * 127) >> 7) + WL[index]).clamp(0, 18_432);
        let (fraction, exponent) = ((self.nb >> 6) & 31, 8 - (self.nb >> 11));
        let power = ILB[fraction as usize];
        self.det = (if exponent < 0 { power << -exponent } else { power >> exponent }) << 2;
        self.predict(d);
    }

    /// RECONS to PREDIC (section 3.6): coefficients follow the signs of what was, then the next estimate is made.
    fn predict(&mut self, d: i32) {
        let r = saturate(self.s + d);
        let p = saturate(self.sz + d);
        let same_as = |other: i32| (p < 0) == (other < 0);
        // UPPOL2
        let wd1 = saturate(self.a[0] << 2);
        let wd2 = if same_as(self.p[0]) { (-wd1).min(32_767) } else { wd1 };
        let wd3 = if same_as(self.p[1]) { 128 } else { -128 };
        let a2 = (wd3 + (wd2 >> 7) + ((self.a[1] * 32_512) >> 15)).clamp(-12_288, 12_288);
        // UPPOL1
        let wd1 = if same_as(self.p[0]) { 192 } else { -192 };
        let limit = saturate(15_360 - a2);
        let a1 = saturate(wd1 + ((self.a[0] * 32_640) >> 15)).clamp(-limit, limit);
        // UPZERO
        let step = if d == 0 { 0 } else { 128 };
        for (b, earlier) in self.b.iter_mut().zip(&self.d) {
            let wd2 = if (d < 0) == (*earlier < 0) { step } else { -step };
            *b = saturate(wd2 + ((*b * 32_640) >> 15));
        }
        // DELAYA
        self.d.copy_within(..5, 1);
        self.d[0] = d;
        self.r = [r, self.r[0]];
        self.p = [p, self.p[0]];
        self.a = [a1, a2];
        // FILTEP, FILTEZ, PREDIC
        let [pole1, pole2] = [0, 1].map(|n: usize| (self.a[n] * saturate(self.r[n] << 1)) >> 15);
        let sp = saturate(pole1 + pole2);
        self.sz = saturate(self.b.iter().zip(&self.d).map(|(b, d)| (b * saturate(d << 1)) >> 15).sum());
        self.s = saturate(sp + self.sz);
    }
}

fn saturate(value: i32) -> i32 {
    value.clamp(-32_768, 32_767)
}
