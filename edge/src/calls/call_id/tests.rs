use super::{is_plausible, v7};

#[test]
fn the_example_of_rfc_9562_appendix_a_6() {
    let random = [0x0c, 0xc3, 0x18, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f];
    assert_eq!(v7(0x017F_22E2_79B0, random), "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
}

#[test]
fn what_no_id_can_be_is_known() {
    assert!(is_plausible("017f22e2-79b0-7cc3-98c4-dc0c0c07398f"));
    assert!(!is_plausible("") && !is_plausible("a/b") && !is_plausible(&"a".repeat(65)));
}
