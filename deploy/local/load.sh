#!/bin/bash
# Many conversations at once through Kamailio to one node: 200 callers unless told otherwise (`load.sh 50`).
# The caller prints what they would have noticed, and fails if it was anything.
# Without the edge, whose demo account allows fewer calls than a load test makes.
: "${EDGE:=off}"
: "${TANDEM_DATA:=$(cd "$(dirname "$0")/../.." && pwd)/var/load}"
# shellcheck source=stack.bash
. "$(dirname "$0")/stack.bash"

stack_start 1
"$loadtest" sip --target "sip:agent@127.0.0.1:$kamailio_port" --calls "${1:-200}"
