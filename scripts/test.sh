#!/usr/bin/env bash
# All tests: schemathesis against the OpenAPI document, the documentation's examples, and the Rust
# suite on SQLite and on a throwaway PostgreSQL, with localstripe as the payment provider, Redis,
# RabbitMQ, json-server and Chromium. The last line is "N passed, N failed", where schemathesis
# counts as one; the exit status says whether everything passed.
#
# RUNOUT_TEST_POSTGRES_URL   use this server (as a superuser) instead of starting one
# RUNOUT_TEST_ONLY_SQLITE=1  leave PostgreSQL out, and say so
# RUNOUT_TEST_SCREENSHOTS=1  keep a picture of every page in target/screenshots
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# What fails shall be the change's fault and not the day's: properties are tried with the same cases
# every time. `make soak` draws others.
export PROPTEST_RNG_SEED=${PROPTEST_RNG_SEED:-20260721}

passed=0
failed=0
timings=()

# Counts what the Rust test runner reported in log file $2 and adds it up; $1 is its exit status.
# Reads cargo-nextest's "Summary" line and cargo's own "test result:" lines.
count_rust_tests() {
  local status=$1 log=$2 sums run_passed run_failed
  sums=$(sed 's/\x1b\[[0-9;]*m//g' "$log" | awk '
    /^ *Summary \[/ && match($0, /[0-9]+(\/[0-9]+)? tests? run: [0-9]+/) {
      split(substr($0, RSTART, RLENGTH), part, /\/| tests? run: /)
      last = split(substr($0, RSTART, RLENGTH), words, " ")
      passed += words[last]; failed += part[1] - words[last]
    }
    /^test result: / {
      for (i = 1; i < NF; i++) {
        if ($(i + 1) == "passed;") passed += $i
        if ($(i + 1) == "failed;") failed += $i
      }
    }
    END { print passed + 0, failed + 0 }')
  read -r run_passed run_failed <<<"$sums"
  # A build that broke, or a runner that died, reports nothing: that is a failure too.
  if [ "$status" != 0 ] && [ "$run_failed" = 0 ]; then run_failed=1; fi
  passed=$((passed + run_passed))
  failed=$((failed + run_failed))
}

# run_rust NAME COMMAND...: one stage of the Rust suite, shown and counted.
run_rust() {
  local name=$1 started=$SECONDS status=0
  shift
  say "$name: $*"
  "$@" 2>&1 </dev/null | tee "$LOG" || status=$?
  count_rust_tests "$status" "$LOG"
  timings+=("$name $((SECONDS - started)) s")
}

run_schemathesis() {
  local started=$SECONDS
  if bash scripts/schemathesis.sh; then passed=$((passed + 1)); else
    failed=$((failed + 1))
    say "schemathesis FAILED: its report stands above, the Rust suite follows"
  fi
  timings+=("schemathesis $((SECONDS - started)) s")
}

warn_only_sqlite() {
  printf '%s\n' "" "!!  RUNOUT_TEST_ONLY_SQLITE=1: PostgreSQL is NOT being tested." "" >&2
}

ensure_cargo
ensure_packages cc curl python3 python-venv chromium chromedriver npm redis-server rabbitmq-server
make_temp_dir
LOG=$TEMP_DIR/rust.log
[ ! -t 1 ] || export CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-always}

if [ "${RUNOUT_TEST_ONLY_SQLITE:-}" = 1 ]; then
  unset RUNOUT_TEST_POSTGRES_URL
  warn_only_sqlite
elif [ -z "${RUNOUT_TEST_POSTGRES_URL:-}" ]; then
  ensure_packages initdb
  mkdir "$TEMP_DIR/postgres"
  chmod 711 "$TEMP_DIR"
  start_postgres "$TEMP_DIR/postgres" off
  export RUNOUT_TEST_POSTGRES_URL=$POSTGRES_URL
fi

# The payment tests start localstripe themselves, each its own.
prepare_venv "$TARGET_DIR/venv-localstripe" localstripe
export RUNOUT_TEST_LOCALSTRIPE_PYTHON=$TARGET_DIR/venv-localstripe/bin/python

# What is delivered is read by others: a library that verifies signatures, servers that keep posts
# and comments, a broker. The tests start them themselves, each its own.
prepare_venv "$TARGET_DIR/venv-standardwebhooks" standardwebhooks
export RUNOUT_TEST_STANDARDWEBHOOKS_PYTHON=$TARGET_DIR/venv-standardwebhooks/bin/python
prepare_remotes "$TARGET_DIR/remotes"
export RUNOUT_TEST_JSON_SERVER=$JSON_SERVER RUNOUT_TEST_JSONPLACEHOLDER=$JSONPLACEHOLDER
export RUNOUT_TEST_RABBITMQ=/usr/lib/rabbitmq/bin/rabbitmq-server

# The browser tests start chromedriver themselves, each its own, and it starts Chromium.
prepare_axe "$TARGET_DIR/axe"
export RUNOUT_TEST_AXE=$AXE
RUNOUT_TEST_CHROMIUM=$(command -v chromium)
RUNOUT_TEST_CHROMEDRIVER=$(command -v chromedriver)
export RUNOUT_TEST_CHROMIUM RUNOUT_TEST_CHROMEDRIVER

run_schemathesis
if cargo nextest --version >/dev/null 2>&1; then
  # nextest leaves out the examples in the documentation, which cargo's own runner includes.
  run_rust "doc tests" cargo test --workspace --locked --doc --no-fail-fast
  run_rust "suite" cargo nextest run --workspace --locked --no-fail-fast
else
  run_rust "suite" cargo test --workspace --locked --no-fail-fast
fi

[ "${RUNOUT_TEST_ONLY_SQLITE:-}" != 1 ] || warn_only_sqlite
say "time: $(printf '%s, ' "${timings[@]}" | sed 's/, $//')"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
