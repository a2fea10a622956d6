# A real registry and a file server on loopback, and kbundle pointed at them by mirrors; for tests of
# `kbundle build` that need no lab. Sourced, not run. Everything goes when the test ends.
set -euo pipefail
self=$(readlink -f "$0")
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
# As root, in a mount namespace of its own: the machine's trusted keys in /etc stay as they are.
if [ "$(id -u)" = 0 ] && [ -z "${KBUNDLE_TEST_NAMESPACE:-}" ]; then
  KBUNDLE_TEST_NAMESPACE=1 exec unshare --mount --propagation private "$self" "$@"
fi
. tests/lib/expect.sh
kbundle=$PWD/build/release/kbundle
site=$PWD/build/release/kbundle-static
version=v1.18.2
work=$(mktemp -d)
export HOME=$work/home
mkdir -p "$HOME" "$work/etc" "$work/etc-work"
if [ "$(id -u)" = 0 ]; then
  mount -t overlay overlay -o "lowerdir=/etc,upperdir=$work/etc,workdir=$work/etc-work" /etc
fi
pids=()
finish() {
  local pid
  for pid in ${pids[@]+"${pids[@]}"}; do kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null || true; done
  umount "$work/small" /etc 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

wait_for() {  # wait_for URL
  local _
  for _ in $(seq 100); do
    if curl -ks -o /dev/null "$1"; then return; fi
    sleep 0.1
  done
  fail "$1 does not answer"
}

# start_registry NAME [YAML of its http: and auth: sections]: sets $registry_port.
start_registry() {
  registry_port=$(free_port)
  cat >"$work/$1.yml" <<END
version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: $work/$1}}
http:
  addr: 127.0.0.1:$registry_port
${2:-}
END
  docker-registry serve "$work/$1.yml" >"$work/$1.log" 2>&1 &
  pids+=($!)
}

publish() {  # publish VERSION IMAGE...
  python3 tests/integration/build/upstream.py "$1" "http://$registry" "$work/files" "${@:2}"
}

start_upstream() {
  start_registry registry
  registry=127.0.0.1:$registry_port
  wait_for "http://$registry/v2/"
  mkdir -p "$work/files"
  publish $version $("$site" images $version) docker.io/osixia/keepalived:2.0.20
  local port
  port=$(free_port)
  python3 -m http.server --bind 127.0.0.1 --directory "$work/files" "$port" >/dev/null 2>&1 &
  pids+=($!)
  files=http://127.0.0.1:$port
  wait_for "$files/"
}

# Flags that lead the real names to this upstream.
to_upstream() {
  echo --mirror "k8s.gcr.io=$registry" --mirror "quay.io=$registry" --mirror "docker.io=$registry" --plain-http "${registry%%/*}" --plain-http "${files#http://}" \
    --mirror "dl.k8s.io=$files/dl.k8s.io" --mirror "github.com=$files/github.com" \
    --mirror "raw.githubusercontent.com=$files/raw.githubusercontent.com"
}
