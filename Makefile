# Short names for what people do here. The work is done by cargo and deploy/.

SHELL := /bin/bash
export TANDEM_CACHE ?= $(HOME)/.cache/tandem
export PATH := $(HOME)/.cargo/bin:$(TANDEM_CACHE)/tools/bin:$(PATH)

# The processors that `make production` is for: on x86-64 those with AVX2. On others it ends with "Illegal instruction".
TARGET_CPU ?= $(if $(filter x86_64,$(shell uname -m)),x86-64-v3,generic)

.PHONY: help setup setup-test build production edge demo run test test-long bench load deploy clean-data
.DEFAULT_GOAL := help

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: build ## a machine answers the phone: set up, build, call, print who said what and how fast
	@deploy/local/demo.sh

run: build ## the same left running, with the address to dial from a softphone (NODES=2 for two nodes)
	@deploy/local/run.sh $(or $(NODES),1)

test: setup-test build ## formats, lints, licences, unit, property and end-to-end tests
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo clippy --package edge --target wasm32-unknown-unknown --locked -- -D warnings
	cargo deny --log-level error check bans licenses sources
	cargo test --workspace --locked --doc --quiet
	npm --prefix edge/dashboard test
	npm --prefix edge test
	fuzz/run.sh -t 2
	benches/instructions.sh
	cargo nextest run --workspace --locked

bench: build ## what a packet and a call cost: us, others, the kernel (PARTS="frames rtpengine pipecat active-call")
	cargo build --release --locked --package engine --package loadtest --package benches --bins
	@benches/peers/run.sh $(PARTS)

load: build ## many calls at once (CALLS=200)
	@deploy/local/load.sh $(or $(CALLS),200)

build: setup edge ## the release binaries `tandem` and `loadtest`, the Worker and the dashboard
	cargo build --release --locked --package engine --package loadtest --bins

production: setup ## node and load tester to install (target/production): a quarter of an hour to build (TARGET_CPU=native: for this machine)
	RUSTFLAGS="-C target-cpu=$(TARGET_CPU)" cargo build --profile production --locked --package engine --package loadtest --bins

edge: setup ## the Worker (edge/build) and the dashboard (edge/dashboard/dist)
	edge/build.sh
	npm --prefix edge/dashboard run build

deploy: setup ## the Worker to Cloudflare (ENV=staging or production)
	edge/deploy/deploy.sh $(or $(ENV),staging)

setup: ## install what is missing to build and run; nothing to do takes no time
	@deploy/setup.sh

setup-test: ## and what is missing to test
	@deploy/setup.sh --test

clean-data: ## forget recordings, journals and logs in ./var
	rm -rf var
