#!/bin/bash
# Others beside us on the same machine: benches/peers/run.sh rtpengine [--calls N] [--seconds S]
set -euo pipefail
peer=${1:?which peer: $(cd "$(dirname "$0")" && ls -d -- */ | tr -d /)}
shift
exec python3 "$(dirname "$0")/$peer/run.py" "$@"
