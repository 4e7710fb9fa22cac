#!/bin/sh
# Brings this tree into an environment: secrets checked, migrations applied, Worker built and deployed.
# Each deployment has a cache of its own (CACHE_VERSION), so what the one before had cached is gone with it.
set -eu
env=${1:?which environment: staging or production}
here=$(cd "$(dirname "$0")" && pwd)
wrangler=${WRANGLER:-$here/wrangler.sh}
[ -f "$here/../dashboard/dist/index.html" ] || { echo "build the dashboard first: edge/dashboard" >&2; exit 1; }

known=$("$wrangler" secret list --env "$env")
while read -r secret; do
  case $known in
    *"\"$secret\""*) ;;
    *) echo "secret $secret is not set: deploy/wrangler.sh secret put $secret --env $env" >&2; exit 1 ;;
  esac
done < "$here/secrets"

"$wrangler" d1 migrations apply DB --remote --env "$env"
version=$(git -C "$here" rev-parse --short HEAD)-$(date +%s)
"$wrangler" deploy --env "$env" --var "CACHE_VERSION:$version"
