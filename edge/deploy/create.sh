#!/bin/sh
# Makes what an environment needs, once: database, bucket, cache, queues. Their ids go into wrangler.toml; commit that.
# deploy/create.sh staging    (after `deploy/wrangler.sh login`, or with CLOUDFLARE_API_TOKEN)
set -eu
env=${1:?which environment: staging or production}
here=$(cd "$(dirname "$0")" && pwd)
wrangler=${WRANGLER:-$here/wrangler.sh}
case $env in
  staging) mark=1 ;;
  production) mark=2 ;;
  *) echo "there is no environment $env" >&2; exit 2 ;;
esac

database=$("$wrangler" d1 create "tandem-$env" | grep -oE '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}' | head -n 1)
cache=$("$wrangler" kv namespace create "tandem-$env-cache" | grep -oE '[0-9a-f]{32}' | head -n 1)
[ -n "$database" ] && [ -n "$cache" ] || { echo "no id came back: see above" >&2; exit 1; }
"$wrangler" r2 bucket create "tandem-$env-recordings"
"$wrangler" queues create "tandem-$env-jobs"
"$wrangler" queues create "tandem-$env-jobs-dead"

config=${WRANGLER_TOML:-$here/../wrangler.toml}
sed -i \
  -e "s/00000000-0000-0000-0000-00000000000$mark/$database/" \
  -e "s/\"0000000000000000000000000000000$mark\"/\"$cache\"/" "$config"

echo "made: database $database, cache $cache. Now set each secret:"
while read -r secret; do echo "  deploy/wrangler.sh secret put $secret --env $env"; done < "$here/secrets"
