//! G.711 against values of the recommendation and against itself.
//! Both laws throughout.

use crate::audio::g711::Law;

#[test]
fn known_codes_decode_to_the_values_of_the_recommendation() {
    // G.711 tables 2 and 1, scaled to 16 bits.
    for (byte, sample) in [(0xFF, 0), (0x7F, 0), (0x80, 32_124), (0x00, -32_124), (0xFE, 8), (0xF0, 120), (0xEF, 132)] {
        assert_eq!(Law::Mu.decode(byte), sample, "{byte:02x}");
    }
    for (byte, sample) in [(0xD5, 8), (0x55, -8), (0xAA, 32_256), (0x2A, -32_256), (0xD4, 24)] {
        assert_eq!(Law::A.decode(byte), sample, "{byte:02x}");
    }
}

#[test]
fn every_code_survives_decoding_and_encoding() {
    for law in [Law::Mu, Law::A] {
        for byte in 0..=255u8 {
            let sample = law.decode(byte);
            // µ-law has two zeros; both decode to 0, which encodes to the positive one.
            let expected = if law == Law::Mu && byte == 0x7F { 0xFF } else { byte };
            assert_eq!(law.encode(sample), expected, "{law:?} {byte:02x}");
        }
    }
}

#[test]
fn every_sample_is_encoded_to_the_nearest_value_or_its_neighbour() {
    for law in [Law::Mu, Law::A] {
        for sample in i16::MIN..=i16::MAX {
            let error = (i32::from(law.decode(law.encode(sample))) - i32::from(sample)).abs();
            // Half a step: steps are a 16th of the segment, segments double. Above the last code it clips.
            let allowed = (i32::from(sample).abs() / 32 + 8).max(i32::from(sample).abs() - 32_256 + 512);
            assert!(error <= allowed, "{law:?} {sample}: {error}");
        }
    }
}

#[test]
fn slices_are_coded_like_single_samples() {
    let samples: Vec<i16> = (0..320).map(|n| super::sine(300.0, 20_000.0, n)).collect();
    for law in [Law::Mu, Law::A] {
        let (mut bytes, mut back) = ([0u8; 320], [0i16; 320]);
        law.encode_into(&samples, &mut bytes);
        law.decode_into(&bytes, &mut back);
        for (at, sample) in samples.iter().enumerate() {
            assert_eq!(bytes[at], law.encode(*sample));
            assert_eq!(back[at], law.decode(bytes[at]));
        }
        assert_eq!(law.encode(0), law.silence());
    }
}

#[test]
fn every_code_decodes_by_the_formula_of_the_recommendation() {
    for byte in 0..=255u8 {
        // Tables 1 and 2: sign, segment, step; A-law with every other bit, µ-law with every bit turned.
        let part = |code: u8| (code & 0x80 != 0, u32::from(code >> 4 & 7), i32::from(code & 15));
        let (negative, segment, step) = part(!byte);
        let magnitude = ((2 * step + 33) << segment) - 33;
        assert_eq!(i32::from(Law::Mu.decode(byte)), 4 * if negative { -magnitude } else { magnitude }, "µ {byte:02x}");
        let (positive, segment, step) = part(byte ^ 0x55);
        let magnitude = if segment == 0 { 2 * step + 1 } else { (2 * step + 33) << (segment - 1) };
        assert_eq!(i32::from(Law::A.decode(byte)), 8 * if positive { magnitude } else { -magnitude }, "A {byte:02x}");
    }
}

#[test]
fn every_sample_is_encoded_between_the_decision_values_of_the_recommendation() {
    for sample in i16::MIN..=i16::MAX {
        // µ-law looks at 14 bits; decision values begin at 1, 3, 5 and their distance doubles with each segment.
        let magnitude = (i32::from(sample) >> 2).abs().min(8158);
        let code = !Law::Mu.encode(sample);
        let (segment, step) = (code >> 4 & 7, i32::from(code & 15));
        let decision = |step: i32| ((2 * step + 32) << segment) - 33;
        assert!((decision(step)..decision(step + 1)).contains(&magnitude), "µ {sample}: {code:02x}");
        assert_eq!(code & 0x80 != 0, sample < 0);
        // A-law looks at 13 bits and has no zero: -1 is to the left what 0 is to the right.
        let value = i32::from(sample) >> 3;
        let magnitude = if value < 0 { !value } else { value };
        let code = Law::A.encode(sample) ^ 0x55;
        let (segment, step) = (code >> 4 & 7, i32::from(code & 15));
        let decision = |step: i32| if segment == 0 { 2 * step } else { (step + 16) << segment };
        assert!((decision(step)..decision(step + 1)).contains(&magnitude), "A {sample}: {code:02x}");
        assert_eq!(code & 0x80 == 0, sample < 0);
    }
}
