//! A node that cannot start says why, in a line a person can act on.

use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::process::Command;
use std::time::Duration;

use crate::node::{root, tandem};
use crate::process::Process;

/// Runs `tandem run` with these arguments in vain, and returns what it wrote.
async fn refusal(arguments: &[&str]) -> String {
    refusal_of(tandem(), arguments).await
}

async fn refusal_of(mut command: Command, arguments: &[&str]) -> String {
    let dir = tempfile::tempdir().expect("a directory");
    command.arg("run").args(["--data", &dir.path().join("data").to_string_lossy()]).args(arguments);
    let mut process = Process::spawn("tandem", &mut command, dir.path()).expect("tandem");
    let status = process.ended(Duration::from_secs(15)).await.expect("tandem gives up");
    assert!(!status.success(), "the exit code says that it failed");
    let output = process.output();
    assert!(!output.contains("panicked") && !output.contains("RUST_BACKTRACE"), "no panic: {output}");
    output
}

async fn refusal_of_config(text: &str) -> String {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("tandem.toml");
    fs::write(&path, text).expect("a config file");
    refusal(&["--config", &path.to_string_lossy()]).await
}

#[tokio::test]
async fn a_config_file_that_is_no_toml_is_refused_in_one_line_that_names_it() {
    let output = refusal_of_config("sip = [oops\n").await;
    assert!(output.contains("tandem.toml"), "{output}");
    assert_eq!(output.trim_end().lines().count(), 1, "one line: {output}");
}

#[tokio::test]
async fn a_setting_nobody_knows_is_named() {
    let output = refusal_of_config("answer_politely = true\n").await;
    assert!(output.contains("answer_politely"), "{output}");
}

#[tokio::test]
async fn a_value_of_the_wrong_kind_is_refused_with_its_setting() {
    let output = refusal_of_config("sip = \"not an address\"\n").await;
    assert!(output.contains("\"sip\"") && output.contains("tandem.toml"), "{output}");
}

#[tokio::test]
async fn a_config_file_that_is_not_there_is_named() {
    let output = refusal(&["--config", "/nowhere/tandem.toml"]).await;
    assert!(output.contains("/nowhere/tandem.toml"), "{output}");
}

#[tokio::test]
async fn a_sip_port_that_is_taken_is_named() {
    let taken = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address").to_string();
    let output = refusal(&["--sip", &address, "--http", "127.0.0.1:0"]).await;
    assert!(output.contains(&address), "{output}");
}

#[tokio::test]
async fn the_example_configuration_is_accepted_as_it_is() {
    let taken = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address").to_string();
    let example = root().join("deploy/tandem.toml");
    let arguments = ["--config", &example.to_string_lossy(), "--sip", &address, "--http", "127.0.0.1:0"];
    // It reads every setting before it finds the port taken.
    let output = refusal(&arguments).await;
    assert!(output.contains(&address), "{output}");
}

#[tokio::test]
async fn an_http_port_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address").to_string();
    let sip = format!("127.0.0.1:{}", crate::ports::free_port().expect("a port"));
    let output = refusal(&["--sip", &sip, "--http", &address]).await;
    assert!(output.contains(&address), "{output}");
}

/// Runs `tandem run` on free ports on a machine where something is missing.
async fn refusal_without(variable: &str, value: &std::path::Path) -> String {
    let port = || crate::ports::free_port().expect("a port");
    let (sip, http) = (format!("127.0.0.1:{}", port()), format!("127.0.0.1:{}", port()));
    let mut command = tandem();
    command.env(variable, value);
    refusal_of(command, &["--sip", &sip, "--http", &http]).await
}

#[tokio::test]
async fn without_flite_the_package_to_install_is_named_in_one_line() {
    let nothing = tempfile::tempdir().expect("a directory");
    let output = refusal_without("PATH", nothing.path()).await;
    assert!(output.contains("install the Debian package flite"), "{output}");
    assert_eq!(output.trim_end().lines().count(), 1, "one line: {output}");
}

#[tokio::test]
async fn without_pocketsphinx_the_package_to_install_is_named_in_one_line() {
    let libraries = tempfile::tempdir().expect("a directory");
    // Found before the real one, and no library at all.
    fs::write(libraries.path().join("libpocketsphinx.so.3"), "").expect("a file");
    let output = refusal_without("LD_LIBRARY_PATH", libraries.path()).await;
    assert!(output.contains("install the Debian package libpocketsphinx3"), "{output}");
    assert_eq!(output.trim_end().lines().count(), 1, "one line: {output}");
}

#[tokio::test]
async fn a_chat_provider_that_is_not_in_the_order_is_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let agent = dir.path().join("agent.toml");
    let text = "name = \"Desk\"\ninstructions = \"Be brief.\"\ngreeting = \"Hello.\"\nchat_provider = \"nobody\"\n";
    fs::write(&agent, text).expect("an agent file");
    let arguments = ["--agent", &agent.to_string_lossy(), "--sip", "127.0.0.1:0", "--http", "127.0.0.1:0"];
    let output = refusal(&arguments).await;
    assert!(output.contains("\"nobody\"") && output.contains("speech.order.chat"), "{output}");
}
