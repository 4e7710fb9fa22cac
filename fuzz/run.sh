#!/bin/bash
# Runs every fuzz target, or those named: fuzz/run.sh [-t SECONDS] [-n EXECUTIONS] [TARGET...]
# Stable Rust and the C++ compiler are all it takes. What is built and found is kept outside the tree, in
# $TANDEM_CACHE/fuzz; a crash is left in $TANDEM_CACHE/fuzz/found/TARGET and fails the run.
set -euo pipefail
cd "$(dirname "$0")"
cache=${TANDEM_CACHE:-$HOME/.cache/tandem}/fuzz
seconds=60 executions=-1
while getopts t:n: option; do
    case $option in
        t) seconds=$OPTARG ;;
        n) executions=$OPTARG ;;
        *) exit 2 ;;
    esac
done
shift $((OPTIND - 1))
targets=("$@")
((${#targets[@]})) || targets=(sip sdp rtp rtcp srtp websocket config)

# Where each target's first inputs come from: what the tests and the examples have already.
seeds() {
    case $1 in
        sip) echo ../sip-bridge/tests/rfc4475 ;;
        websocket) echo ../edge/protocol/examples/media_to_node ../engine/src/node/websocket/twilio ;;
        config) echo ../agents ;;
    esac
    [[ ! -d seeds/$1 ]] || echo "seeds/$1"
}

# As cargo fuzz does without a sanitizer: coverage, comparisons traced, and a cfg that opens what is private otherwise.
coverage="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
    -Cllvm-args=-sanitizer-coverage-trace-compares -Clink-dead-code"
host=$(rustc -vV | sed -n 's/^host: //p')
RUSTFLAGS=$coverage CARGO_TARGET_DIR=$cache/target cargo build --quiet --locked --release --target "$host"

for target in "${targets[@]}"; do
    mkdir -p "$cache/corpus/$target" "$cache/found/$target"
    # shellcheck disable=SC2046 # folders without spaces
    "$cache/target/$host/release/$target" "$cache/corpus/$target" $(seeds "$target") \
        -max_total_time="$seconds" -runs="$executions" -timeout=5 -rss_limit_mb=1024 -malloc_limit_mb=256 \
        -artifact_prefix="$cache/found/$target/" -print_final_stats=1 -verbosity=0 2> "$cache/$target.log" || {
        tail -n 40 "$cache/$target.log" >&2
        echo "fuzz $target: failed; the input is in $cache/found/$target" >&2
        exit 1
    }
    awk -v target="$target" '/number_of_executed_units/ { runs = $2 } /peak_rss_mb/ { memory = $2 }
        END { printf "fuzz %-10s %12d executions, no crash, at most %d MB\n", target, runs, memory }' "$cache/$target.log"
done
