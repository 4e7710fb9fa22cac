//! Vectors with session keys: RFC 3711 appendix B.2 (the keystream), RFC 7714 sections 16 and 17 (AES-GCM).
//! From master keys on it is the contexts' tests.

use super::*;

fn hex(text: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("a hex digit");
    (0..text.len()).step_by(2).map(digit).collect()
}

fn counting<const N: usize>() -> [u8; N] {
    std::array::from_fn(|n| n as u8)
}

fn quid_pro_quo(cipher: Cipher, protocol: Protocol) -> Transform {
    let mut salt = [0; 14];
    salt[..12].copy_from_slice(b"Quid pro quo");
    Transform { protocol, cipher, salt, tag_bytes: 16 }
}

#[test]
fn the_keystream_is_that_of_rfc_3711() {
    let key: [u8; 16] = hex("2b7e151628aed2a6abf7158809cf4f3c").try_into().expect("16 bytes");
    let transform = Transform {
        protocol: Protocol::Rtp,
        cipher: Cipher::CounterMode { aes: Aes128Enc::new(&key.into()), mac: KeyInit::new(&[0; 64].into()) },
        salt: hex("f0f1f2f3f4f5f6f7f8f9fafbfcfd").try_into().expect("14 bytes"),
        tag_bytes: 10,
    };
    let mut body = vec![0; 0xFF02 * 16];
    let parts = Parts { header: &[], body: &mut body, suffix: [0; 4], ssrc: 0, index: 0 };
    assert!(transform.seal(parts, &mut [0; 10]));
    let block = |n: usize| body[n * 16..][..16].to_vec();
    for (n, expected) in [
        (0, "e03ead0935c95e80e166b16dd92b4eb4"),
        (1, "d23513162b02d0f72a43a2fe4a5f97ab"),
        (2, "41e95b3bb0a2e8dd477901e4fca894c0"),
        (0xFEFF, "ec8cdf7398607cb0f2d21675ea9ea1e4"),
        (0xFF00, "362b7c3c6773516318a077d7fc5073ae"),
        (0xFF01, "6a2cc3787889374fbeb4c81b17ba6c44"),
    ] {
        assert_eq!(block(n), hex(expected), "block {n:#x}");
    }
}

#[test]
fn srtp_under_aes_gcm_is_that_of_rfc_7714() {
    let header = hex("8040f17b8041f8d35501a0b2");
    let plain = b"Gallia est omnis divisa in partes tres";
    let cases = [
        (
            Cipher::Gcm128(Aes128Gcm::new(&counting::<16>().into())),
            "f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833",
            "899d7f27beb16a9152cf765ee4390cce",
        ),
        (
            Cipher::Gcm256(Aes256Gcm::new(&counting::<32>().into())),
            "32b1de78a822fe12ef9f78fa332e33aab18012389a58e2f3b50b2a0276ffae0f1ba63799b87b",
            "7aa3db36dfffd6b0f9bb7878d7a76c13",
        ),
    ];
    for (cipher, sealed, tag) in cases {
        let transform = quid_pro_quo(cipher, Protocol::Rtp);
        let (mut body, mut made) = (plain.to_vec(), [0; 16]);
        let parts = Parts { header: &header, body: &mut body, suffix: [0; 4], ssrc: 0x5501_a0b2, index: 0xf17b };
        assert!(transform.seal(parts, &mut made));
        assert_eq!((body.clone(), made.to_vec()), (hex(sealed), hex(tag)));
        let parts = Parts { header: &header, body: &mut body, suffix: [0; 4], ssrc: 0x5501_a0b2, index: 0xf17b };
        assert!(transform.open(parts, &made));
        assert_eq!(body, plain);
    }
}

#[test]
fn srtcp_under_aes_gcm_is_that_of_rfc_7714() {
    let header = hex("81c8000d4d617273");
    let mut body = hex("4e5450314e545032525450200000042a0000e9304c756e61deadbeefdeadbeefdeadbeefdeadbeefdeadbeef");
    let transform = quid_pro_quo(Cipher::Gcm128(Aes128Gcm::new(&counting::<16>().into())), Protocol::Rtcp);
    let suffix = 0x8000_05d4_u32.to_be_bytes();
    let mut tag = [0; 16];
    let parts = Parts { header: &header, body: &mut body, suffix, ssrc: 0x4d61_7273, index: 0x5d4 };
    assert!(transform.seal(parts, &mut tag));
    let sealed = "63e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676a5f1730d6fda4ce09b4686303ded0bb9275b";
    assert_eq!((body, tag.to_vec()), (hex(sealed), hex("c84aa45896cf4d2fc5abf87245d9eade")));
}
