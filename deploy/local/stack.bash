# shellcheck shell=bash
# The edge, nodes and Kamailio on this machine, for the scripts beside this file: ports, start, readiness, stop.
# What is done with the running stack lives in demo.sh, run.sh and load.sh.
#
# Environment, all optional:
#   KAMAILIO_PORT SIP_PORT HTTP_PORT RTP_PORT EDGE_PORT   first port of each kind; when unset, the
#                 default or, where something else has it, the next free one
#   TANDEM_DATA   where calls are recorded, default ./var
#   EDGE=off      nodes decide for themselves, without an edge
#   TANDEM_BIN, LOADTEST_BIN   the binaries, default the release build of this tree

set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"
build=${CARGO_TARGET_DIR:-$root/target}/release
tandem=${TANDEM_BIN:-$build/tandem}
# shellcheck disable=SC2034 # used by the scripts that source this file
loadtest=${LOADTEST_BIN:-$build/loadtest}
data=${TANDEM_DATA:-$root/var}
logs=$data/log

stack_pids=() # in the order started; each leads its own process group
stack_names=()
stack_dir=    # generated files of this stack, removed at the end

say() { printf '%s\n' "$*" >&2; }
fail() { say "error: $*"; exit 1; }

# === Ports ===

# Is a UDP or TCP port taken by somebody on this machine, on whatever address?
port_taken() {
    local hex
    hex=$(printf '%04X' "$1")
    grep -qsE "^ *[0-9]+: [0-9A-F]+:$hex " /proc/net/udp /proc/net/udp6 ||
        grep -qsE "^ *[0-9]+: [0-9A-F]+:$hex [0-9A-F]+:[0-9A-F]+ 0A " /proc/net/tcp /proc/net/tcp6
}

# first_free NAME DEFAULT STEP: the port that the environment variable NAME asks for, or the first free one
# from DEFAULT on.
first_free() {
    local port=${!1:-}
    if [[ -n $port ]]; then
        port_taken "$port" && fail "port $port ($1) is taken by another program"
        echo "$port"
        return
    fi
    for ((port = $2; port < $2 + 100 * $3; port += $3)); do
        port_taken "$port" || { echo "$port"; return; }
    done
    fail "no free port from $2 on; set $1"
}

# The first of 2,000 ports of which nobody uses any yet: one node's RTP.
first_free_rtp() {
    local used base port
    used=$(sed -nE 's/^ *[0-9]+: [0-9A-F]+:([0-9A-F]{4}) .*/\1/p' /proc/net/udp /proc/net/udp6 2> /dev/null | sort -u)
    for ((base = ${1:-20000}; base <= 38000; base += 2000)); do
        for port in $used; do
            ((16#$port >= base && 16#$port < base + 2000)) && continue 2
        done
        echo "$base"
        return
    done
    fail "no 2,000 free UDP ports between 20000 and 39999; set RTP_PORT"
}

# === Start ===

# launch NAME COMMAND...: in the background, in its own process group, so that Ctrl-C reaches this script alone.
launch() {
    local name=$1
    shift
    setsid "$@" < /dev/null > "$logs/$name.log" 2>&1 &
    stack_pids+=($!)
    stack_names+=("$name")
}

# await NAME SECONDS CHECK...: until CHECK succeeds; fails when the process NAME ends or the time is over.
await() {
    local name=$1 limit=$((SECONDS + $2)) pid=${stack_pids[-1]}
    shift 2
    until "$@"; do
        if ! kill -0 "$pid" 2> /dev/null; then
            tail -n 20 "$logs/$name.log" >&2
            fail "$name ended at once; its last lines are above, the rest in $logs/$name.log"
        fi
        if ((SECONDS >= limit)); then
            tail -n 20 "$logs/$name.log" >&2
            fail "$name was not ready in time; its last lines are above, the rest in $logs/$name.log"
        fi
        sleep 0.1
    done
}

is_healthy() { curl --silent --fail --max-time 2 --output /dev/null "http://127.0.0.1:$1/health"; }

# Does whoever listens on this UDP port answer OPTIONS (RFC 3261 section 11) with 200?
answers_options() {
    local status='' request socket id=$RANDOM$RANDOM
    printf -v request '%s\r\n' "OPTIONS sip:127.0.0.1:$1 SIP/2.0" \
        "Via: SIP/2.0/UDP 127.0.0.1;rport;branch=z9hG4bK$id" 'Max-Forwards: 10' \
        "From: <sip:ready@127.0.0.1>;tag=$id" "To: <sip:127.0.0.1:$1>" "Call-ID: $id@127.0.0.1" \
        'CSeq: 1 OPTIONS' 'Content-Length: 0' ''
    {
        exec {socket}<> "/dev/udp/127.0.0.1/$1"
        # cat and dd, because bash itself writes a datagram a line and reads a datagram a byte.
        printf %s "$request" | cat >&"$socket"
        status=$(timeout 1 dd bs=4096 count=1 <&"$socket" | head -n 1)
        exec {socket}>&-
    } 2> /dev/null || true
    [[ $status == 'SIP/2.0 200'* ]]
}

# The Worker in workerd with its own data, and an account that the agent's number belongs to. Sets edge_url and tells
# the nodes, by their environment.
edge_start() {
    local port
    PATH=${TANDEM_CACHE:-$HOME/.cache/tandem}/tools/bin:$PATH
    [[ -e edge/build/index.js ]] || fail "the Worker is not built: run 'make edge'"
    port=$(first_free EDGE_PORT 8787 1)
    edge_url=http://127.0.0.1:$port
    launch edge node edge/dev/serve.mjs --port "$port" --persist "$data/edge"
    await edge 30 grep -q '^edge: ' "$logs/edge.log"
    node edge/dev/seed.mjs --url "$edge_url" > "$logs/seed.log" 2>&1 || {
        cat "$logs/seed.log" >&2
        fail "the demo account could not be made"
    }
    export TANDEM_EDGE__URL=$edge_url TANDEM_EDGE__SECRET=dev-engine-secret
}

# stack_start NODES: sets kamailio_port, edge_url and the array http_ports.
stack_start() {
    local node sip rtp=${RTP_PORT:-20000} http nodes=() carriers node_data
    [[ -x $tandem ]] || fail "$tandem is not there: run 'make build'"
    PATH=$PATH:/usr/sbin
    command -v kamailio > /dev/null || fail "kamailio is not installed: run deploy/setup.sh"
    mkdir -p "$logs" "$data"
    stack_dir=$(mktemp -d "${TMPDIR:-/tmp}/tandem-stack.XXXXXX")
    trap stack_stop EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP

    edge_url=
    [[ ${EDGE:-on} == off ]] || edge_start
    http_ports=()
    sip=$(first_free SIP_PORT 5070 2)
    http=$(first_free HTTP_PORT 8080 2)
    for ((node = 1; node <= $1; node++)); do
        while port_taken "$sip"; do sip=$((sip + 2)); done
        while port_taken "$http"; do http=$((http + 2)); done
        rtp=$(first_free_rtp "$rtp")
        node_data=$data
        (($1 > 1)) && node_data=$data/node-$node
        launch "node-$node" "$tandem" run --node-name "node-$node" --sip "127.0.0.1:$sip" --http "127.0.0.1:$http" \
            --rtp-ports "$rtp-$((rtp + 1999))" --data "$node_data"
        # The offline voices and ears are loaded before the node says it is healthy.
        await "node-$node" 30 is_healthy "$http"
        nodes+=("127.0.0.1:$sip")
        http_ports+=("$http")
        rtp=$((rtp + 2000))
    done

    kamailio_port=$(first_free KAMAILIO_PORT 5060 10)
    carriers=$root/deploy/kamailio/carriers.list
    deploy/kamailio/nodes.sh "${nodes[@]}" > "$stack_dir/nodes.list"
    launch kamailio kamailio -DD -E -m 128 -f deploy/kamailio/kamailio.cfg -Y "$stack_dir" \
        -A "LISTEN_UDP=udp:127.0.0.1:$kamailio_port" -A "LISTEN_TCP=tcp:127.0.0.1:$kamailio_port" \
        -A "NODES_FILE=\"$stack_dir/nodes.list\"" -A "CARRIERS_FILE=\"$carriers\""
    await kamailio 10 answers_options "$kamailio_port"
}

# === Stop ===

# Ends what stack_start started, the last first: politely, then after some seconds for good.
stack_stop() {
    local status=$? i limit
    trap - EXIT
    trap '' INT TERM HUP
    for ((i = ${#stack_pids[@]} - 1; i >= 0; i--)); do
        kill -TERM "${stack_pids[i]}" 2> /dev/null || true
    done
    limit=$((SECONDS + ${STACK_GRACE_SECONDS:-5}))
    for ((i = ${#stack_pids[@]} - 1; i >= 0; i--)); do
        while kill -0 "${stack_pids[i]}" 2> /dev/null && ((SECONDS < limit)); do sleep 0.05; done
        # The group: a node that had to be killed leaves no speech server behind.
        kill -KILL -- "-${stack_pids[i]}" 2> /dev/null || true
    done
    wait 2> /dev/null || true
    [[ -z $stack_dir ]] || rm -rf "$stack_dir"
    exit "$status"
}
