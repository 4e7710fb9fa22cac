//! What is handed to flite and what is made of its answer.
//! How it sounds is tested over the server's HTTP.

use super::*;

#[tokio::test]
async fn a_missing_flite_names_the_package_to_install() {
    let error = Flite::new("/nowhere/flite", 1).check().await.unwrap_err().to_string();
    assert!(error.starts_with("cannot start /nowhere/flite: No such file or directory"), "{error}");
    assert!(error.ends_with("; install the Debian package flite"), "{error}");
}

#[tokio::test]
async fn a_flite_that_fails_is_quoted() {
    let error = Flite::new("false", 1).check().await.unwrap_err().to_string();
    assert_eq!(error, "flite failed (exit status: 1): ");
}

#[tokio::test]
async fn utterances_beyond_the_queue_are_refused() {
    let flite = Flite::new("flite", 1);
    let _all = flite.waiting.acquire_many(u32::try_from(MAX_WAITING).unwrap()).await.unwrap();
    let refused = flite.speak(Voice::Kal16, "hello", 1.0).await.unwrap_err();
    assert_eq!(refused.to_string(), "256 utterances are waiting already");
}
