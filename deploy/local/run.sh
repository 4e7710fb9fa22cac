#!/bin/bash
# Kamailio and nodes left running until Ctrl-C, with the address to dial. `run.sh 2` starts two nodes.
# shellcheck source=stack.bash
. "$(dirname "$0")/stack.bash"

mkdir -p "$data"
exec {lock}> "$data/.running"
flock -n "$lock" || fail "Tandem already runs on $data: stop that one with Ctrl-C, or set TANDEM_DATA to another place"

stack_start "${1:-1}"
node=http://127.0.0.1:${http_ports[0]}
cat <<TEXT

Tandem answers. Dial from any softphone on this machine, without account or registration:

    sip:agent@127.0.0.1:$kamailio_port     (UDP or TCP, PCMU or PCMA)

  for example  baresip -e '/dial sip:agent@127.0.0.1:$kamailio_port'
           or  linphonec -s sip:agent@127.0.0.1:$kamailio_port

Dashboard         ${edge_url:-none: started with EDGE=off}
What happens      curl -N $node/v1/events
How it fares      curl $node/health      curl $node/metrics
Logs              $logs
Recordings        $data

Ctrl-C stops everything.
TEXT

# Nothing to do until something ends or somebody says stop.
wait -n "${stack_pids[@]}" || true
for i in "${!stack_pids[@]}"; do
    kill -0 "${stack_pids[i]}" 2> /dev/null || {
        tail -n 20 "$logs/${stack_names[i]}.log" >&2
        fail "${stack_names[i]} ended on its own; its last lines are above"
    }
done
