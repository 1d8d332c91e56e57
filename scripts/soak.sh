#!/usr/bin/env bash
# The recorder for long: writers, readers and a Redis to which everything happens, on two nodes with
# PostgreSQL and on one with SQLite, every answer checked against the history of what was committed.
# A control that deletes on write must be caught. Release build; both last as long as
# RUNOUT_SOAK_SECONDS says (600 if it does not), one after the other. Then the fault campaign of
# deliveries, with RUNOUT_CAMPAIGN_CHANGES changes (a million if it is not set). At last histories,
# crowds and properties by RUNOUT_SOAK_SEEDS (20 if it is not set) seeds that nobody has seen.
#
# RUNOUT_TEST_POSTGRES_URL   use this server (as a superuser) instead of starting one
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

ensure_cargo
ensure_packages cc redis-server
export RUNOUT_SOAK_SECONDS=${RUNOUT_SOAK_SECONDS:-600}

if [ -z "${RUNOUT_TEST_POSTGRES_URL:-}" ]; then
  ensure_packages initdb
  make_temp_dir
  mkdir "$TEMP_DIR/postgres"
  chmod 711 "$TEMP_DIR"
  start_postgres "$TEMP_DIR/postgres" off
  export RUNOUT_TEST_POSTGRES_URL=$POSTGRES_URL
fi

say "twice $RUNOUT_SOAK_SECONDS s"
cargo test --release --locked -p runout-shop --test it recorder:: -- --nocapture --test-threads 1

export RUNOUT_CAMPAIGN_CHANGES=${RUNOUT_CAMPAIGN_CHANGES:-1000000}
say "$RUNOUT_CAMPAIGN_CHANGES changes"
campaign=(cargo test --release --locked -p runout-shop --test it delivery::campaign::)
"${campaign[@]}" -- --nocapture --test-threads 1

export RUNOUT_TEST_SEED=random
unset PROPTEST_RNG_SEED
for seed in $(seq "${RUNOUT_SOAK_SEEDS:-20}"); do
  say "unseen seeds, $seed"
  cargo test --release --locked -p runout-shop --test it -- \
    commerce_history:: a_crowd_that_repeats --nocapture
  cargo test --release --locked -p runout-core --lib
  cargo test --release --locked -p runout-shop --lib
done
