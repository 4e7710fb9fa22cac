#!/bin/sh
# Builds the Worker and has wrangler check every environment, without a network. Fails if the wasm is 1 MB or more, gzipped.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.."
export CI=1
most=1000000
[ -n "${TANDEM_BUILT:-}" ] || ./build.sh
mkdir -p dashboard/dist

bytes=$(cat build/*.wasm | gzip -9 | wc -c)
echo "wasm: $bytes bytes gzipped"
[ "$bytes" -lt "$most" ] || { echo "that is not less than $most" >&2; exit 1; }

for env in "" staging production; do
  # Built once, above.
  TANDEM_BUILT=1 "$here/wrangler.sh" deploy --dry-run --env "$env" --outdir "$here/../build/.dry-run"
done
