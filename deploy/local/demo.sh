#!/bin/bash
# A conversation to look at: the edge, Kamailio, one node, and a scripted caller that speaks to it over SIP and RTP.
# Ends with the caller's verdict and what the edge made of the call; leaves recording and logs in var/demo.
: "${TANDEM_DATA:=$(cd "$(dirname "$0")/../.." && pwd)/var/demo}"
# shellcheck source=stack.bash
. "$(dirname "$0")/stack.bash"

stack_start 1
[[ -z $edge_url ]] || echo "dashboard: $edge_url  (Continue as demo user)"
"$loadtest" demo --target "sip:agent@127.0.0.1:$kamailio_port" --node "http://127.0.0.1:${http_ports[0]}"
echo
if [[ -n $edge_url ]]; then
    # From here on the recording is an Ogg-Opus file: compressed and uploaded.
    node edge/dev/last-call.mjs --url "$edge_url" --recordings "$data/recordings"
fi

# Somebody is looking: the dashboard stays until they have seen enough.
if [[ -n $edge_url && -t 0 && -t 1 ]]; then
    read -r -p "
The dashboard stays open at $edge_url. Press Enter to stop everything. " || true
fi
