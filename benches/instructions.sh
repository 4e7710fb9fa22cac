#!/bin/bash
# Counts the instructions of what is done every 20 ms, and fails where one has grown by more than 5 %.
set -euo pipefail
cd "$(dirname "$0")/.."
# The packages that `make build` builds, so that only this program is compiled and linked.
cargo build --quiet --release --locked --package engine --package loadtest --package benches --bins
exec "${CARGO_TARGET_DIR:-target}/release/instructions" --bench "$@"
