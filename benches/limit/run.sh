#!/bin/bash
# What calls cost a node at its limit, and what it does beyond: the node alone on core 0, everything else on core 1.
#
#   run.sh listen CALLS SECONDS     callers who say nothing; voice detection and recording on
#   run.sh echo CALLS SECONDS       the same calls to a bare echo: what the kernel alone costs
#   run.sh converse CALLS SECONDS   a turn every five seconds or so, with `loadtest ai-stub` (100 ms a stage)
#   run.sh setup CALLS RATE         calls through Kamailio that are up for a moment, with media
#   run.sh full CALLS MOST          twice as many calls as the node may hold
#   run.sh hold CALLS SECONDS RATE  established calls without audio
#   run.sh soak CALLS MINUTES       conversations of a minute each, so many at a time; the node's memory, and its ticks by how
#                                   late they were, once a minute
#
# LOAD holds more options for `loadtest`.
: "${EDGE:=off}"
: "${TANDEM_DATA:=${TMPDIR:-/tmp}/tandem-limit.$$}"
export TANDEM_AGENT=benches/limit/agent.toml TANDEM_MAX_CALLS=${TANDEM_MAX_CALLS:-250000}
# shellcheck source=../../deploy/local/stack.bash
. "$(dirname "$0")/../../deploy/local/stack.bash"

what=${1:?listen, echo, converse, setup, full, hold or soak}
calls=${2:-1000}
read -ra more <<< "${LOAD:-}"

stub_start() {
    local port
    port=$(first_free STUB_PORT 9000 1)
    launch stub taskset -c 1 "$loadtest" ai-stub --listen "127.0.0.1:$port"
    await stub 5 grep -q http "$logs/stub.log"
    export TANDEM_SPEECH__BASE_URL=http://127.0.0.1:$port/v1 TANDEM_SPEECH__API_KEY=none
}

# node_start: a node that finds core 0 alone, and Kamailio, with all its processes, on core 1; sets node_pid and node_sip.
node_start() {
    local cores pid
    cores=$(taskset -cp $$ | sed 's/.*: //')
    taskset -cp 0 $$ > "$logs/taskset.log"
    stack_start 1
    taskset -cp "$cores" $$ >> "$logs/taskset.log"
    node_pid=${stack_pids[-2]}
    for pid in $(pgrep -g "${stack_pids[-1]}"); do taskset -cp 1 "$pid" >> "$logs/taskset.log"; done
    node_sip=$(sed -n 's/.*sip:\(127.0.0.1:[0-9]*\).*/\1/p' "$stack_dir/nodes.list" | head -n 1)
}

load() {
    taskset -c 1 "$loadtest" "$@" --json "$logs/$what.json" "${more[@]}"
}

# watch_node: tells of the node until it ends, and makes room: half an hour of this node's recordings would be tens of gigabytes.
watch_node() {
    local metrics
    while sleep 60 && metrics=$(curl -fs "http://127.0.0.1:${http_ports[0]}/metrics"); do
        printf '%s  %s KiB  ticks at most 10, 20, 50 ms late, all: ' "$(date +%T)" "$(awk '/^VmRSS/ { print $2 }' "/proc/$node_pid/status")"
        sed -nE 's/^tandem_tick_lateness_seconds_bucket\{le="(0.01|0.02|0.05|\+Inf)"\} (.*)/\2/p' <<< "$metrics" | paste -sd' '
        find "$data" -name '*.wav' -newer "$stack_dir/nodes.list" -mmin +1 -delete
    done
}

mkdir -p "${TANDEM_DATA}/log"
case $what in
    listen)
        stub_start
        node_start
        load sip --target "sip:agent@$node_sip" --pid "$node_pid" --quiet --codec PCMU --calls "$calls" --rate 100 \
            --hold "$((calls / 100 + ${3:-20}))s"
        ;;
    echo)
        port=$(first_free ECHO_PORT 5075 1)
        trap stack_stop EXIT
        launch echo taskset -c 0 "$loadtest" echo --listen "127.0.0.1:$port"
        await echo 5 grep -q process "$logs/echo.log"
        load sip --target "sip:echo@127.0.0.1:$port" --pid "${stack_pids[-1]}" --quiet --codec PCMU --calls "$calls" \
            --rate 100 --hold "$((calls / 100 + ${3:-20}))s"
        ;;
    converse)
        stub_start
        node_start
        load sip --target "sip:agent@$node_sip" --pid "$node_pid" --codec PCMU --calls "$calls" --rate 50 \
            --hold "$((calls / 50 + ${3:-30}))s"
        ;;
    setup)
        stub_start
        node_start
        load sip --target "sip:agent@127.0.0.1:$kamailio_port" --pid "$node_pid" --quiet --codec PCMU --calls "$calls" \
            --rate "${3:-500}" --hold 500ms
        ;;
    full)
        export TANDEM_MAX_CALLS=${3:-$((calls / 2))}
        stub_start
        node_start
        load sip --target "sip:agent@$node_sip" --pid "$node_pid" --may-refuse --codec PCMU --calls "$calls" --rate 50 \
            --hold "$((calls / 50 + 10))s"
        ;;
    hold)
        export TANDEM_RECORDING=false
        stub_start
        node_start
        load hold --target "sip:agent@$node_sip" --pid "$node_pid" --calls "$calls" --hold "${3:-60}s" --rate "${4:-500}"
        ;;
    soak)
        stub_start
        node_start
        watch_node &
        watcher=$!
        load sip --target "sip:agent@$node_sip" --pid "$node_pid" --codec PCMU --hold 60s --calls "$((calls * ${3:-30}))" \
            --rate "$(awk "BEGIN { print $calls / 60 }")"
        kill "$watcher"
        ;;
    *) fail "$what is not known: listen, echo, converse, setup, full, hold or soak" ;;
esac
