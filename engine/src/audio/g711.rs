//! G.711: the two companding laws of the telephone network, one byte a sample, by table.
//! Nothing about packets or loss here: that is `playout`.

/// A companding law of ITU-T G.711. PCMU is `Mu`, PCMA is `A`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Law {
    Mu,
    A,
}

static MU_DECODE: [i16; 256] = decode_table(Law::Mu);
static A_DECODE: [i16; 256] = decode_table(Law::A);
// Indexed by the upper 14 (µ) or 13 (A) bits of a sample: all that either law looks at.
static MU_ENCODE: [u8; 1 << 14] = mu_encode_table();
static A_ENCODE: [u8; 1 << 13] = a_encode_table();

impl Law {
    /// One law byte as a linear 16-bit sample.
    #[inline]
    pub fn decode(self, byte: u8) -> i16 {
        self.decoder()[usize::from(byte)]
    }

    /// The nearest law byte for a linear 16-bit sample.
    #[inline]
    pub fn encode(self, sample: i16) -> u8 {
        let sample = sample as u16;
        match self {
            Self::Mu => MU_ENCODE[usize::from(sample >> 2)],
            Self::A => A_ENCODE[usize::from(sample >> 3)],
        }
    }

    /// Decodes byte by byte until either slice ends.
    pub fn decode_into(self, bytes: &[u8], out: &mut [i16]) {
        let table = self.decoder();
        for (sample, byte) in out.iter_mut().zip(bytes) {
            *sample = table[usize::from(*byte)];
        }
    }

    /// Encodes sample by sample until either slice ends.
    pub fn encode_into(self, samples: &[i16], out: &mut [u8]) {
        match self {
            Self::Mu => {
                for (byte, sample) in out.iter_mut().zip(samples) {
                    *byte = MU_ENCODE[usize::from(*sample as u16 >> 2)];
                }
            }
            Self::A => {
                for (byte, sample) in out.iter_mut().zip(samples) {
                    *byte = A_ENCODE[usize::from(*sample as u16 >> 3)];
                }
            }
        }
    }

    /// The byte of digital silence: zero in µ-law, the smallest positive step in A-law (it has no zero).
    pub const fn silence(self) -> u8 {
        match self {
            Self::Mu => 0xFF,
            Self::A => 0xD5,
        }
    }

    /// Whether `encoded` is digital silence throughout.
    pub fn is_silence(self, encoded: &[u8]) -> bool {
        let silence = self.silence();
        // All of it: that is done many bytes at a time, where looking for the first one heard is not.
        encoded.iter().fold(0, |heard, byte| heard | (byte ^ silence)) == 0
    }

    /// Static RTP payload type (RFC 3551 section 6).
    pub const fn payload_type(self) -> u8 {
        match self {
            Self::Mu => 0,
            Self::A => 8,
        }
    }

    fn decoder(self) -> &'static [i16; 256] {
        match self {
            Self::Mu => &MU_DECODE,
            Self::A => &A_DECODE,
        }
    }
}

// === tables, built by the compiler ===

const fn decode_table(law: Law) -> [i16; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match law {
            Law::Mu => mu_to_linear(byte as u8),
            Law::A => a_to_linear(byte as u8),
        };
        byte += 1;
    }
    table
}

const fn mu_encode_table() -> [u8; 1 << 14] {
    let mut table = [0; 1 << 14];
    let mut index = 0;
    while index < table.len() {
        // Sign-extends the 14-bit index back to the sample's scale.
        table[index] = linear_to_mu(((index << 2) as u16) as i16);
        index += 1;
    }
    table
}

const fn a_encode_table() -> [u8; 1 << 13] {
    let mut table = [0; 1 << 13];
    let mut index = 0;
    while index < table.len() {
        table[index] = linear_to_a(((index << 3) as u16) as i16);
        index += 1;
    }
    table
}

const fn mu_to_linear(byte: u8) -> i16 {
    let code = !byte;
    let segment = (code >> 4) & 7;
    let step = (code & 15) as i16;
    let magnitude = (((step << 3) + 132) << segment) - 132;
    if code & 0x80 != 0 { -magnitude } else { magnitude }
}

const fn linear_to_mu(sample: i16) -> u8 {
    let (sign, magnitude) = if sample < 0 { (0x80, -(sample as i32)) } else { (0, sample as i32) };
    // 33 in 14-bit scale is the law's bias; anything above 8158 (14-bit) clips.
    let biased = (if magnitude > 32_635 { 32_635 } else { magnitude }) + 132;
    let segment = 24 - biased.leading_zeros();
    let step = (biased >> (segment + 3)) & 15;
    !(sign | ((segment as u8) << 4) | step as u8)
}

const fn a_to_linear(byte: u8) -> i16 {
    let code = byte ^ 0x55;
    let segment = (code >> 4) & 7;
    let step = (code & 15) as i16;
    let magnitude = match segment {
        0 => (step << 4) + 8,
        _ => ((step << 4) + 264) << (segment - 1),
    };
    if code & 0x80 != 0 { magnitude } else { -magnitude }
}

const fn linear_to_a(sample: i16) -> u8 {
    // One's complement for negative samples keeps the steps symmetric around the missing zero.
    let (sign, magnitude) = if sample < 0 { (0, !sample) } else { (0x80, sample) };
    let magnitude = magnitude as u16;
    let code = if magnitude < 256 {
        (magnitude >> 4) as u8
    } else {
        let segment = 8 - magnitude.leading_zeros() as u8;
        (segment << 4) | ((magnitude >> (segment + 3)) & 15) as u8
    };
    (sign | code) ^ 0x55
}
