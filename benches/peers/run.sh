#!/bin/bash
# Us, the others and the kernel in one table: benches/peers/run.sh [frames] [rtpengine] [pipecat] [active-call] [--help]
set -euo pipefail
exec python3 -B "$(dirname "$0")/run.py" "$@"
