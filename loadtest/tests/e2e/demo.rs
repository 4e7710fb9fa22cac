//! What a newcomer sees first: the scripts of `deploy/local`.

use std::process::Command;
use std::time::Duration;

use crate::node::{binary, root};
use crate::process::Process;

#[tokio::test]
async fn the_demo_conversation_is_understood_and_leaves_nothing_running() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut command = Command::new(root().join("deploy/local/demo.sh"));
    command
        .env("TANDEM_BIN", binary("tandem", "TANDEM_BIN").expect("the tandem binary"))
        .env("LOADTEST_BIN", binary("loadtest", "LOADTEST_BIN").expect("the loadtest binary"))
        .env("TANDEM_DATA", dir.path().join("data"))
        .env("TMPDIR", dir.path());
    let mut demo = Process::spawn("demo", &mut command, dir.path()).expect("the demo");
    let status = demo.ended(Duration::from_secs(180)).await.expect("the demo ends");
    assert!(status.success(), "{status}");

    let left = Command::new("pgrep").args(["-f", &dir.path().to_string_lossy()]).output().expect("pgrep");
    assert!(left.stdout.is_empty(), "still running: {}", String::from_utf8_lossy(&left.stdout));
}
