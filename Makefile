# Short names for what people do here. The work is done by cargo and deploy/.

SHELL := /bin/bash
export TANDEM_CACHE ?= $(HOME)/.cache/tandem
export PATH := $(HOME)/.cargo/bin:$(TANDEM_CACHE)/tools/bin:$(PATH)

.PHONY: help setup setup-test build demo run test bench load clean-data
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
	cargo deny --log-level error check bans licenses sources
	cargo test --workspace --locked --doc --quiet
	cargo nextest run --workspace --locked

bench: setup ## what a packet, a frame and a tick cost
	cargo bench --locked --package benches

load: build ## many calls at once (CALLS=200)
	@deploy/local/load.sh $(or $(CALLS),200)

build: setup ## the release binaries `tandem` and `loadtest`
	cargo build --release --locked --package engine --package loadtest --bins

setup: ## install what is missing to build and run; nothing to do takes no time
	@deploy/setup.sh

setup-test: ## and what is missing to test
	@deploy/setup.sh --test

clean-data: ## forget recordings, journals and logs in ./var
	rm -rf var
