#!/bin/bash
# A conversation to look at: Kamailio, one node, and a scripted caller that speaks to it over SIP and RTP.
# Ends with the caller's verdict; leaves the recording and the logs in var/demo.
: "${TANDEM_DATA:=$(cd "$(dirname "$0")/../.." && pwd)/var/demo}"
# shellcheck source=stack.bash
. "$(dirname "$0")/stack.bash"

stack_start 1
"$loadtest" demo --target "sip:agent@127.0.0.1:$kamailio_port" --node "http://127.0.0.1:${http_ports[0]}"
