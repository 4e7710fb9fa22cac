#!/bin/sh
# Writes the dispatcher's list of nodes to standard output.
#   nodes.sh                         one node, 127.0.0.1:5070
#   nodes.sh 127.0.0.1:5070 10.0.0.7:5070 ...
# `kamcmd dispatcher.reload` takes changes over.
set -eu

[ $# -gt 0 ] || set -- 127.0.0.1:5070

echo "# set  destination  flags  priority  (written by nodes.sh)"
for node in "$@"; do
    case $node in
        *:*[!0-9]* | *: | :* | *[!0-9a-zA-Z.:-]*) echo "nodes.sh: '$node' is not ADDRESS:PORT" >&2; exit 2 ;;
        *:*) echo "1 sip:$node 0 0" ;;
        *) echo "nodes.sh: '$node' is not ADDRESS:PORT" >&2; exit 2 ;;
    esac
done
