#!/usr/bin/env bash
# Measures the release binary with wrk and pgbench and writes bench/results.md. This script only
# provides the tools and a durable PostgreSQL (fsync on); the scenarios are `runout-sim bench`.
# With RUNOUT_BENCH_POSTGRES_URL set that server is measured instead. Arguments go to the bench.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

ensure_cargo
ensure_packages cc wrk initdb pgbench redis-server
cargo build --release --locked --bin runout --bin runout-sim

if [ -z "${RUNOUT_BENCH_POSTGRES_URL:-}" ]; then
  make_temp_dir
  start_postgres "$TEMP_DIR" on shared_buffers=1GB max_wal_size=8GB synchronous_commit=on
  export RUNOUT_BENCH_POSTGRES_URL=$POSTGRES_URL
fi
RUNOUT_BENCH_WRK=$(command -v wrk)
RUNOUT_BENCH_PGBENCH=$(postgres_program pgbench)
export RUNOUT_BENCH_WRK RUNOUT_BENCH_PGBENCH

"$TARGET_DIR/release/runout-sim" bench "$@"
