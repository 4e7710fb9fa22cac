#!/bin/sh
# Builds the Worker into build/: wasm, optimised, with its JavaScript shim. Needs what deploy/setup.sh --edge installs.
set -eu
cd "$(dirname "$0")"
tools=${TANDEM_CACHE:-$HOME/.cache/tandem}/tools/bin
PATH=$HOME/.cargo/bin:$tools:$PATH
export WASM_BINDGEN_BIN="$tools/wasm-bindgen"
export WASM_OPT_BIN="$PWD/node_modules/.bin/wasm-opt"
export ESBUILD_BIN="$PWD/node_modules/.bin/esbuild"
exec worker-build "${1:---release}"
