//! Vectors of RFC 3711 appendix B.3 and RFC 6188 section 7.2.
//! Packets made with such keys are tested where they are made.

use super::*;

fn hex(text: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("a hex digit");
    (0..text.len()).step_by(2).map(digit).collect()
}

fn derived(key: &str, salt: &str, label: Label, expected: &str) {
    let expected = hex(expected);
    let mut out = vec![0; expected.len()];
    session_key(&hex(key), &hex(salt), label, &mut out);
    assert_eq!(out, expected, "{label:?}");
}

#[test]
fn keys_of_128_bits_are_those_of_rfc_3711() {
    let (key, salt) = ("e1f97a0d3e018be0d64fa32c06de4139", "0ec675ad498afeebb6960b3aabe6");
    derived(key, salt, Label::RtpEncryption, "c61e7a93744f39ee10734afe3ff7a087");
    derived(key, salt, Label::RtpSalt, "30cbbc08863d8c85d49db34a9ae1");
    derived(
        key,
        salt,
        Label::RtpAuthentication,
        "cebe321f6ff7716b6fd4ab49af256a156d38baa48f0a0acf3c34e2359e6cdbce\
         e049646c43d9327ad175578ef72270986371c10c9a369ac2f94a8c5fbcdddc25\
         6d6e919a48b610ef17c2041e474035766b68642c59bbfc2f34db60dbdfb2",
    );
}

#[test]
fn keys_of_256_bits_are_those_of_rfc_6188() {
    let key = "f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6";
    let salt = "3b04803de51ee7c96423ab5b78d2";
    derived(key, salt, Label::RtpEncryption, "5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4");
    derived(key, salt, Label::RtpSalt, "fa31791685ca444a9e07c6c64e93");
    derived(key, salt, Label::RtpAuthentication, "fd9c32d39ed5fbb5a9dc96b30818454d1313dc05");
}
