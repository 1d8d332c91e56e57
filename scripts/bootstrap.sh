#!/usr/bin/env bash
# Installs what building, testing and measuring need (as root; else says what to type), and
# fetches the crates, so that everything after it works offline.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

ensure_rust_components rustfmt clippy
ensure_packages cc make git curl python3 python-venv initdb pgbench wrk chromium \
  chromedriver npm redis-server rabbitmq-server
cargo fetch --locked
say "ready: make run, make test"
