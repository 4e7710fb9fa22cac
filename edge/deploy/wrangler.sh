#!/bin/sh
# wrangler in its pinned version on the Node it needs, told to send nothing home. Used by the scripts beside it.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
[ -x "$here/node_modules/.bin/wrangler" ] || npm ci --prefix "$here" --no-audit --no-fund >&2
export WRANGLER_SEND_METRICS=false WRANGLER_SEND_ERROR_REPORTS=false WRANGLER_HIDE_BANNER=true
export CLOUDFLARE_CF_FETCH_ENABLED=false
cd "$here/.."
PATH="$here/node_modules/node/bin:$PATH" exec node "$here/node_modules/wrangler/bin/wrangler.js" "$@"
