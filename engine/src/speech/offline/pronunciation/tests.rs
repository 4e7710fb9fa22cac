//! Where the phones of a word come from.
//! Needs flite for words the dictionary does not have.

use std::io::Write;

use super::*;

fn grammar(words: &[&str]) -> Grammar {
    let words = words.iter().map(|word| ((*word).to_owned(), format!("say {word}"))).collect();
    Grammar { fsg: String::new(), words }
}

fn flite() -> Flite {
    Flite::new("flite", 1)
}

#[tokio::test]
async fn words_come_with_their_variants_from_the_dictionary_and_others_are_left_out() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    write!(file, "to T UW\nto(2) T IH\ntom T AA M\nopen OW P AH N\n").unwrap();
    let found = pronounce(&grammar(&["open", "to"]), file.path(), &flite()).await.unwrap();
    let wanted = [("open", "OW P AH N"), ("to", "T UW"), ("to(2)", "T IH")];
    assert_eq!(found, wanted.map(|(word, phones)| (word.to_owned(), phones.to_owned())));
}

#[tokio::test]
async fn a_word_that_is_in_no_dictionary_sounds_as_flite_says_it() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let found = pronounce(&grammar(&["blorp"]), file.path(), &flite()).await.unwrap();
    assert_eq!(found, [("blorp".to_owned(), "B L AO R P".to_owned())]);
}

#[tokio::test]
async fn a_missing_dictionary_names_the_package_to_install() {
    let error = pronounce(&grammar(&["open"]), Path::new("/nowhere.dict"), &flite()).await.unwrap_err().to_string();
    assert!(error.starts_with("cannot read the dictionary /nowhere.dict: "), "{error}");
    assert!(error.ends_with("; install the Debian package pocketsphinx-en-us"), "{error}");
}

#[test]
fn the_phones_of_flite_become_the_models() {
    assert_eq!(translate("pau hh ax l ow1 pau"), Some("HH AH L OW".to_owned()));
    assert_eq!(translate("pau pau"), None);
    assert_eq!(translate("hh xyz"), None);
}
