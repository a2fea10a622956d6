# Shared by the cluster tests. Sourced, not run; the folder is the repository's root.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

: "${KBUNDLE_LAB_VERSION:=v1.18.2}"
version=$KBUNDLE_LAB_VERSION
bundle_name=kubernetes-$version-linux-amd64.tar.zst
master_ip=10.77.0.11
worker_ip=10.77.0.12

# What crosses from the connected host to the nodes lies here: bundle, static kbundle, public key.
carried=${KBUNDLE_LAB_STATE:-/run/kbundle-lab}/carried

on() { tests/lab/shell "$@"; }
say() { echo "-- $*"; }
fail() { echo "FAILED: $*" >&2; exit 1; }

# expect_equal WHAT WANTED FOUND
expect_equal() { [ "$2" = "$3" ] || fail "$1: wanted '$2', found '$3'"; }

# expect_exit STATUS COMMAND...: its output is kept in $output.
expect_exit() {
  local wanted=$1 status=0
  shift
  output=$("$@" 2>&1) || status=$?
  [ "$status" = "$wanted" ] || fail "exit $status, wanted $wanted: $*"$'\n'"$output"
}

# expect_says TEXT: the last expect_exit's output holds it.
expect_says() { [[ $output == *"$1"* ]] || fail "it does not say '$1':"$'\n'"$output"; }

fingerprint() { build/release/kbundle-static key show "$carried/kbundle.pub" | awk '$1 == "id" {print $2}'; }

carry() {  # carry NODE...
  local node
  for node in "$@"; do
    on "$node" mkdir -p /media/usb
    tests/lab/copy "$carried/$bundle_name" "$carried/kbundle" "$carried/kbundle.pub" "$node:/media/usb"
  done
}

# kbundle on a node, as a user there types it.
install_master() {
  on master /media/usb/kbundle install --role master --node-ip $master_ip \
    --key /media/usb/kbundle.pub --key-fingerprint "$(fingerprint)" \
    --config /root/kubeadm-lab.yaml "$@"
}

install_worker() {
  on worker /media/usb/kbundle install --role worker --node-ip $worker_ip \
    --key /media/usb/kbundle.pub --key-fingerprint "$(fingerprint)" \
    --join /media/usb/join-ticket.json --config /root/kubeadm-lab.yaml "$@"
}

carry_ticket() {
  tests/lab/copy master:/var/lib/kbundle/join-ticket.json "$carried"
  tests/lab/copy "$carried/join-ticket.json" worker:/media/usb
}

# expect_ready COUNT: so many nodes Ready, every pod Running.
expect_ready() {
  local nodes pods
  nodes=$(on master kubectl get nodes --no-headers)
  expect_equal "nodes Ready" "$1" "$(grep -cw Ready <<<"$nodes" || true)"
  pods=$(on master kubectl get pods -A --no-headers)
  expect_equal "pods not Running" "" "$(awk '$4 != "Running"' <<<"$pods")"
}
