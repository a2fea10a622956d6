# A containerd of one's own, in a mount namespace of one's own. Sourced, not run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
repository=$PWD
kbundle=${KBUNDLE:-$repository/build/release/kbundle-static}
[ "$(id -u)" = 0 ] || { echo "needs root: it starts containerd and mounts"; exit 77; }
command -v containerd >/dev/null || { echo "needs containerd"; exit 77; }

# Again in a mount namespace, where containerd's and kbundle's folders are this test's own.
if [ "${KBUNDLE_LOAD_TEST:-}" != "$$" ]; then
  KBUNDLE_LOAD_TEST=$$ exec unshare --mount --propagation private "$0" "$@"
fi
work=$(mktemp -d /var/tmp/kbundle-load.XXXXXX)
private=(/etc/containerd /var/lib/containerd /run/containerd /var/lib/kbundle /run/kbundle)
daemon=
cleanup() {
  stop_containerd
  local folder
  for folder in "${private[@]}"; do umount "$folder" 2>/dev/null || true; done
  rm -rf "$work"
}
trap cleanup EXIT
export CONTAINERD_NAMESPACE=k8s.io

# fresh_node: a containerd that holds nothing. CRI is off: no test here starts a container.
# Old nodes stay until the end: an ext4 without a journal takes long to make files for minutes after
# many were removed, which is not what a node is like.
nodes=0
fresh_node() {
  stop_containerd
  local folder
  for folder in "${private[@]}"; do umount "$folder" 2>/dev/null || true; done
  nodes=$((nodes + 1))
  [ ! -e "$work/node" ] || mv "$work/node" "$work/node.$nodes"
  for folder in "${private[@]}"; do
    mkdir -p "$folder" "$work/node$folder"
    mount --bind "$work/node$folder" "$folder"
  done
  printf 'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n' \
    >/etc/containerd/config.toml
  start_containerd
}
start_containerd() {
  containerd >"$work/containerd.log" 2>&1 &
  daemon=$!
  local i
  for i in $(seq 100); do
    ctr version >/dev/null 2>&1 && return 0
    sleep 0.1
  done
  cat "$work/containerd.log"
  return 1
}
stop_containerd() {
  [ -n "$daemon" ] || return 0
  kill "$daemon" 2>/dev/null || true
  wait "$daemon" 2>/dev/null || true
  daemon=
}

# load_images BUNDLE KEY [FLAG...]: the images phase alone, as install runs it.
load_images() {
  local bundle=$1 key=$2
  shift 2
  "$kbundle" --progress "${progress:-plain}" install --role master --only-phase images --ignore-preflight-errors all \
    --node-ip "$(hostname -I | awk '{print $1}')" --key "$key" \
    --key-fingerprint "$("$kbundle" key show "$key" | awk '$1 == "id" {print $2}')" "$@" "$bundle"
}
