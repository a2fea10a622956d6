# A scripted registry on loopback and `kbundle pull` against it. Sourced, not run. Everything goes
# when the test ends.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. tests/lib/expect.sh
kbundle=${KBUNDLE:-$PWD/build/release/kbundle}
work=$(mktemp -d)
export HOME=$work/home
mkdir -p "$HOME"
unset http_proxy https_proxy all_proxy no_proxy HTTPS_PROXY ALL_PROXY NO_PROXY
pids=()
finish() {
  local pid
  for pid in ${pids[@]+"${pids[@]}"}; do kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null || true; done
  umount "$work/small" 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT

# start_bad_registry LAYER_FILE [OPTION...]: sets $bad, its HOST:PORT.
start_bad_registry() {
  local port
  exec {port_pipe}< <(exec python3 tests/faults/bad_registry.py "$@")
  pids+=($!)
  read -r port <&"$port_pipe" || fail "the scripted registry does not start"
  bad=127.0.0.1:$port
}

# make_layer FILE BYTES: bytes that are the same in every run, and do not repeat.
make_layer() { python3 -c 'import random, sys; open(sys.argv[1], "wb").write(random.Random(1).randbytes(int(sys.argv[2])))' "$@"; }

# check_store FOLDER: whatever is under a digest's name is what that digest says.
check_store() {
  local blob found
  [ -d "$1/blobs/sha256" ] || return 0
  for blob in "$1"/blobs/sha256/*; do
    [ -e "$blob" ] || continue
    found=$(sha256sum "$blob")
    [ "${found%% *}" = "${blob##*/}" ] || fail "$blob holds ${found%% *}"
  done
}

# has_blob FOLDER FILE: the store has the file's content.
has_blob() {
  local sum
  sum=$(sha256sum "$2")
  [ -e "$1/blobs/sha256/${sum%% *}" ]
}
