#!/bin/sh
# Builds the Worker into build/: wasm, optimised, with its JavaScript shim. Needs what deploy/setup.sh --edge installs.
set -eu
cd "$(dirname "$0")"
# Set by deploy/dry-run.sh, which builds once for all environments.
[ -z "${TANDEM_BUILT:-}" ] || exit 0
tools=${TANDEM_CACHE:-$HOME/.cache/tandem}/tools/bin
PATH=$HOME/.cargo/bin:$tools:$PATH
export WASM_BINDGEN_BIN="$tools/wasm-bindgen"
export WASM_OPT_BIN="$PWD/node_modules/.bin/wasm-opt"
export ESBUILD_BIN="$PWD/node_modules/.bin/esbuild"
# Small first: a Worker is fetched and compiled before it answers. Dev builds do not look at this.
export CARGO_PROFILE_RELEASE_OPT_LEVEL=z CARGO_PROFILE_RELEASE_LTO=fat CARGO_PROFILE_RELEASE_CODEGEN_UNITS=1
export CARGO_PROFILE_RELEASE_DEBUG=false CARGO_PROFILE_RELEASE_STRIP=symbols
exec worker-build "${1:---release}"
