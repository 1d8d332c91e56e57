# Sourced by the other scripts: packages, free ports, a throwaway PostgreSQL, and the trap that
# stops and removes everything that a script started.
#
# Invariants: nothing outside the script's own temporary folder is written (packages aside), and
# only processes that the script itself started are stopped, by their ids.
# shellcheck shell=bash

set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"
# Where cargo builds, as an absolute path, because the scripts change folders.
# shellcheck disable=SC2034
TARGET_DIR=$(realpath -m "${CARGO_TARGET_DIR:-target}")

say() { printf '== %s\n' "$*" >&2; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

# --- clean-up ---------------------------------------------------------------------------------

OWN_PIDS=()
OWN_DIRS=()

# Stops process $1 with signal $2 (TERM by default), with KILL if it has not gone after 10 s.
stop_pid() {
  local pid=$1 signal=${2:-TERM}
  kill -s "$signal" "$pid" 2>/dev/null || return 0
  for _ in $(seq 100); do
    kill -0 "$pid" 2>/dev/null || return 0
    sleep 0.1
  done
  kill -s KILL "$pid" 2>/dev/null || true
}

clean_up() {
  local status=$?
  trap - EXIT
  trap '' INT TERM
  stop_postgres
  for pid in "${OWN_PIDS[@]}"; do stop_pid "$pid"; done
  for dir in "${OWN_DIRS[@]}"; do rm -rf "$dir"; done
  exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Makes a temporary folder that goes when the script ends; its path is left in TEMP_DIR.
make_temp_dir() {
  TEMP_DIR=$(mktemp -d "${TMPDIR:-/tmp}/runout.XXXXXX")
  OWN_DIRS+=("$TEMP_DIR")
}

# --- packages ---------------------------------------------------------------------------------

# The Debian package that brings command $1.
package_of() {
  case $1 in
    initdb | pg_ctl | psql | pgbench) echo postgresql ;;
    python-venv) echo python3-venv ;;
    chromedriver) echo chromium-driver ;;
    cc) echo gcc ;;
    *) echo "$1" ;;
  esac
}

# Debian keeps PostgreSQL's programs off the PATH, one folder per version: the newest counts.
postgres_program() {
  local found
  found=$(find /usr/lib/postgresql -path "*/bin/$1" 2>/dev/null | sort -V | tail -n 1)
  [ -n "$found" ] || found=$(command -v "$1") || return 1
  echo "$found"
}

is_there() {
  case $1 in
    initdb | pg_ctl | psql | pgbench) postgres_program "$1" >/dev/null ;;
    python-venv) python3 -c 'import ensurepip, venv' 2>/dev/null ;;
    *) command -v "$1" >/dev/null ;;
  esac
}

# Makes sure that every command named is there ("python-venv" stands for Python with venv and pip).
# As root on Debian it installs what is missing, otherwise it fails and says what to type.
ensure_packages() {
  local missing=() command
  for command in "$@"; do
    is_there "$command" || missing+=("$(package_of "$command")")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    fail "missing: ${missing[*]}. Type: sudo apt-get install -y ${missing[*]}"
  fi
  say "installing ${missing[*]}"
  install_as_root "${missing[@]}" || fail "apt-get could not install ${missing[*]} (see above)"
  for command in "$@"; do
    is_there "$command" || fail "$command is missing although its package is installed"
  done
}

# A fresh machine has no package lists, so the update comes first; apt is quiet unless it fails.
install_as_root() {
  local log status=0
  log=$(mktemp)
  {
    apt-get -q -o Acquire::Retries=3 update \
      && DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Acquire::Retries=3 \
        install --no-install-recommends "$@"
  } >"$log" 2>&1 </dev/null || status=$?
  [ $status = 0 ] || cat "$log" >&2
  rm -f "$log"
  return $status
}

ensure_cargo() {
  command -v cargo >/dev/null || fail "no Rust toolchain: install rustup, then run this again"
}

# Components of the Rust toolchain ("rustfmt", "clippy"); rustup adds them where it is in charge.
ensure_rust_components() {
  ensure_cargo
  local component probe
  for component in "$@"; do
    probe=${component/rustfmt/fmt}
    cargo "$probe" --version >/dev/null 2>&1 && continue
    command -v rustup >/dev/null \
      || fail "cargo $probe is missing and there is no rustup: install the component $component"
    rustup component add "$component" >&2 || fail "type: rustup component add $component"
  done
}

# prepare_venv DIR NAME: a virtual environment with what scripts/NAME.txt pins. It is made once, and
# again whenever the pinned versions change.
prepare_venv() {
  local venv=$1 requirements=$ROOT/scripts/$2.txt
  cmp -s "$requirements" "$venv/installed.txt" && return 0
  say "installing $2 into $venv"
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --retries 5 -r "$requirements" </dev/null
  cp "$requirements" "$venv/installed.txt"
}

# prepare_axe DIR: the accessibility rules of axe-core, the version that scripts/axe-core.txt pins,
# as one script; its path is left in AXE. Fetched once, and again whenever the version changes.
prepare_axe() {
  local dir=$1 version
  version=$(cat "$ROOT/scripts/axe-core.txt")
  AXE=$dir/$version/node_modules/axe-core/axe.min.js
  [ ! -f "$AXE" ] || return 0
  say "fetching axe-core $version into $dir"
  rm -rf "$dir"
  mkdir -p "$dir/$version"
  (cd "$dir/$version" && npm install --no-save --no-audit --no-fund --ignore-scripts --silent \
    --prefix . "axe-core@$version") </dev/null || fail "npm could not fetch axe-core"
  [ -f "$AXE" ] || fail "axe-core $version has no axe.min.js"
}

# prepare_remotes DIR: other people's servers that the tests deliver to, json-server and
# JSONPlaceholder's own, with everything under them as scripts/remotes-lock.json pins it; their
# folders are left in JSON_SERVER and JSONPLACEHOLDER. Fetched once, and again when a pin changes.
# To renew: change scripts/remotes.json, then in a copy of it named package.json type
# npm install --package-lock-only --omit-lockfile-registry-resolved.
prepare_remotes() {
  local dir=$1 lock=$ROOT/scripts/remotes-lock.json
  JSON_SERVER=$dir/node_modules/json-server
  JSONPLACEHOLDER=$dir/node_modules/jsonplaceholder
  cmp -s "$lock" "$dir/installed.json" && return 0
  say "fetching json-server and jsonplaceholder into $dir"
  rm -rf "$dir"
  mkdir -p "$dir"
  cp "$ROOT/scripts/remotes.json" "$dir/package.json"
  cp "$lock" "$dir/package-lock.json"
  (cd "$dir" && npm ci --no-audit --no-fund --ignore-scripts --silent) </dev/null \
    || fail "npm could not fetch what scripts/remotes-lock.json pins"
  cp "$lock" "$dir/installed.json"
}

# --- ports and waiting ------------------------------------------------------------------------

# Prints a loopback port on which nothing listens, below the range that outgoing connections use.
free_port() {
  local port
  for _ in $(seq 200); do
    port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
    if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
      echo "$port"
      return 0
    fi
  done
  fail "found no free port"
}

# --- PostgreSQL -------------------------------------------------------------------------------

POSTGRES_DIR=
POSTGRES_URL=

# PostgreSQL refuses to run as root: then its package's own user runs it.
as_postgres() {
  if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}

# start_postgres DIR [on|off] [SETTING=VALUE ...]: a throwaway cluster in DIR on a free loopback
# port, with fsync on or off (default off); leaves its address in POSTGRES_URL. DIR must exist.
start_postgres() {
  local dir=$1 fsync=${2:-off} setting options=()
  shift; shift || true
  POSTGRES_DIR=$dir
  if [ "$(id -u)" = 0 ]; then chown postgres "$dir"; fi
  (cd "$dir" && as_postgres "$(postgres_program initdb)" -D "$dir/d" -A trust -U root \
    -E UTF8 --locale=C.UTF-8 --no-sync >"$dir/initdb.log" 2>&1 </dev/null) \
    || { cat "$dir/initdb.log" >&2; fail "initdb failed"; }
  for setting in listen_addresses=127.0.0.1 max_connections=300 "fsync=$fsync" "$@"; do
    options+=("$setting")
  done
  if [ "$fsync" = off ]; then
    # Plans that tests look at must not depend on when a vacuum came by.
    options+=(synchronous_commit=off full_page_writes=off shared_buffers=256MB autovacuum=off)
  fi
  printf '%s\n' "${options[@]}" | sed "s/=\(.*\)/ = '\1'/" >>"$dir/d/postgresql.conf"
  # Another process may take the port between the look and the start: then a new one is tried.
  local port
  for _ in 1 2 3 4 5; do
    port=$(free_port)
    if (cd "$dir" && as_postgres "$(postgres_program pg_ctl)" -D "$dir/d" -w -t 60 -s \
      -l "$dir/postgres.log" -o "-p $port -k $dir" start >"$dir/start.log" 2>&1 </dev/null); then
      POSTGRES_URL="postgres://root@127.0.0.1:$port/postgres"
      say "PostgreSQL at $POSTGRES_URL (fsync $fsync)"
      return 0
    fi
  done
  cat "$dir/start.log" "$dir/postgres.log" >&2
  fail "PostgreSQL did not start"
}

# Ends the cluster at once (SIGQUIT: no checkpoint, nothing in it is kept).
stop_postgres() {
  local pid_file="$POSTGRES_DIR/d/postmaster.pid"
  [ -n "$POSTGRES_DIR" ] && [ -f "$pid_file" ] || return 0
  stop_pid "$(head -n 1 "$pid_file")" QUIT
  POSTGRES_DIR=
}
