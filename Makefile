# Every target is one line; what is longer lives in scripts/ or crates/xtask.
.DEFAULT_GOAL := help
.PHONY: help run test build bootstrap migrate load-fixture bench bol-sim soak fmt lint

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## build and serve the shop with the demo records on http://localhost:8000
	cargo run --release --bin runout -- serve --demo

test: ## all tests, on SQLite and on a throwaway PostgreSQL
	@bash scripts/test.sh

build: ## build the release binary, target/release/runout
	cargo build --release --bin runout

bootstrap: ## install what is missing (as root; else say what to install), fetch the crates
	@bash scripts/bootstrap.sh

migrate: ## bring the database (DATABASE_URL) to the newest schema
	cargo run --release --bin runout -- migrate

load-fixture: ## load the demo records into the database (DATABASE_URL)
	cargo run --release --bin runout -- load-fixture

bench: ## measure with wrk and pgbench, write bench/results.md
	@bash scripts/bench.sh

bol-sim: ## stand in for bol.com on http://127.0.0.1:8430 (ARGS="--channels 10 --scale 60")
	cargo run --release --bin runout-sim -- bol $(ARGS)

soak: ## ten minutes each of Redis in trouble, every answer checked; a million deliveries; unseen seeds
	@bash scripts/soak.sh

fmt: ## format the code
	cargo fmt --all

lint: ## formatting, clippy and the tidy checks; changes nothing
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo run --quiet -p xtask -- tidy
