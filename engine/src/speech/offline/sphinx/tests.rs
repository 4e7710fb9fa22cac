//! What is said when pocketsphinx or its model cannot be had.
//! Hearing is tested in `tests/offline_speech`.

use super::*;

#[test]
fn a_missing_library_names_the_package_to_install() {
    let error = open("libnowhere.so.3", "libnowhere3").err().unwrap().to_string();
    assert!(error.starts_with("cannot load libnowhere.so.3: "), "{error}");
    assert!(error.ends_with("; install the Debian package libnowhere3"), "{error}");
}

#[test]
fn a_missing_model_names_the_package_to_install() {
    let error = Decoder::start(Sphinx::load().unwrap(), Path::new("/nowhere"), &[]).err().unwrap().to_string();
    assert_eq!(error, "no acoustic model at /nowhere; install the Debian package pocketsphinx-en-us");
}

#[test]
fn an_option_that_pocketsphinx_does_not_know_is_shown() {
    let model = Path::new("/usr/share/pocketsphinx/model/en-us/en-us");
    let error = Decoder::start(Sphinx::load().unwrap(), model, &[("-nonsense", "1")]).err().unwrap().to_string();
    assert!(error.contains("-nonsense 1"), "{error}");
}
