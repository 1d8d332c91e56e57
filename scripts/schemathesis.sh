#!/usr/bin/env bash
# Tests a running server against its own OpenAPI document with generated requests, good and bad:
# no server error, nothing answered that is not documented. Fails on any finding, on a panic in the
# server's log, and when the run locked itself out (then it would only have tested refusals).
# RUNOUT_BINARY names another binary than the debug build.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# Bounds of the run: requests per operation and phase, and seconds after which it is cut off.
readonly MAX_EXAMPLES=25 SECONDS_MAX=900 SEED=20260721
readonly CHECKS=not_a_server_error,status_code_conformance,content_type_conformance,\
response_headers_conformance,response_schema_conformance,unsupported_method,\
allow_header_conformance,missing_required_header,ignored_auth,use_after_free,\
ensure_resource_availability
# Tokens of the first superuser that exist only to be revoked by the generated requests.
readonly DECOY_TOKENS=5

VENV=$TARGET_DIR/venv

# Gives a fresh SQLite database the demo records and a superuser $1 with password $2.
create_superuser() {
  printf '%s' "$2" \
    | "$RUNOUT" createsuperuser --username "$1" --email "$1@example.test" --password-stdin
}

# Starts the server on a free port; leaves the address in BASE and the process id in SERVER.
start_server() {
  local port
  port=$(free_port)
  BASE=http://127.0.0.1:$port
  # Nobody listens there: a test calls no marketplace.
  RUNOUT_BOL_API_URL=http://127.0.0.1:1 RUNOUT_BOL_LOGIN_URL=http://127.0.0.1:1 \
    "$RUNOUT" serve --listen "127.0.0.1:$port" --database-url "$DATABASE_URL" \
    >"$TEMP_DIR/server.log" 2>&1 </dev/null &
  SERVER=$!
  OWN_PIDS+=("$SERVER")
  for _ in $(seq 600); do
    curl -fs -o /dev/null --max-time 5 "$BASE/health/ready" && return 0
    kill -0 "$SERVER" 2>/dev/null || break
    sleep 0.2
  done
  tail -n 40 "$TEMP_DIR/server.log" >&2
  fail "the server did not become ready (its log stands above)"
}

# Prints a new token of user $1 with password $2.
take_token() {
  local answer
  answer=$(curl -s --max-time 60 -H 'Content-Type: application/json' \
    -d "{\"username\": \"$1\", \"password\": \"$2\"}" "$BASE/api/v1/tokens") \
    || fail "POST /api/v1/tokens did not answer"
  python3 -c 'import json, sys; print(json.load(sys.stdin)["token"])' <<<"$answer" 2>/dev/null \
    || fail "POST /api/v1/tokens gave no token but: $answer"
}

# The status of GET /api/v1/tokens with token $1: 200 while the token is good.
token_status() {
  curl -s -o /dev/null -w '%{http_code}' --max-time 60 -H "Authorization: Bearer $1" \
    "$BASE/api/v1/tokens"
}

# Runs schemathesis with token $1 on every operation but the four that could end that very token
# (the Rust suite covers them), in the temporary folder, where it may leave its files.
run_checks() {
  (cd "$TEMP_DIR" && timeout --kill-after 10 "$SECONDS_MAX" \
    "$VENV/bin/schemathesis" --no-color run "$BASE/api/v1/openapi.json" \
    --header "Authorization: Bearer $1" \
    --exclude-path-regex '/tokens/|/seller/account/(logout|password)' \
    --checks "$CHECKS" --max-examples "$MAX_EXAMPLES" \
    --seed "$SEED" --generation-database none --request-timeout 60 --workers 2 \
    --suppress-health-check too_slow </dev/null)
}

check_after() {
  local panics
  if ! kill -0 "$SERVER" 2>/dev/null; then
    tail -n 40 "$TEMP_DIR/server.log" >&2
    fail "the server died"
  fi
  panics=$(grep -c 'panicked at' "$TEMP_DIR/server.log" || true)
  if [ "$panics" != 0 ]; then
    grep -A 5 -m 3 'panicked at' "$TEMP_DIR/server.log" >&2
    fail "$panics panics in the server's log"
  fi
  [ "$(token_status "$1")" = 200 ] || fail "the generated requests revoked their own token"
}

ensure_packages cc curl python3 python-venv
prepare_venv "$VENV" schemathesis
RUNOUT=${RUNOUT_BINARY:-}
if [ -z "$RUNOUT" ]; then
  cargo build --locked --bin runout
  RUNOUT=$TARGET_DIR/debug/runout
fi
make_temp_dir
export DATABASE_URL=sqlite://$TEMP_DIR/shop.db

password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
"$RUNOUT" load-fixture
create_superuser admin "$password"
create_superuser examiner "$password"
start_server
for _ in $(seq "$DECOY_TOKENS"); do take_token admin "$password" >/dev/null; done
token=$(take_token examiner "$password")
[ "$(token_status "$token")" = 200 ] || fail "GET /api/v1/tokens refuses a fresh token"

status=0
run_checks "$token" || status=$?
check_after "$token"
case $status in
  0) say "schemathesis: nothing found" ;;
  124 | 137) fail "schemathesis did not end within $SECONDS_MAX s" ;;
  1) fail "schemathesis found something: its report stands above" ;;
  *) fail "schemathesis could not run (exit status $status): see above" ;;
esac
