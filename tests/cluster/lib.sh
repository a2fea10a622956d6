# Shared by the cluster tests. Sourced, not run; the folder is the repository's root.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. tests/lib/expect.sh

: "${KBUNDLE_LAB_VERSION:=v1.18.2}"
version=$KBUNDLE_LAB_VERSION
bundle_name=kubernetes-$version-linux-amd64.tar.zst
master_ip=10.77.0.11
worker_ip=10.77.0.12

# What crosses from the connected host to the nodes lies here: bundle, static kbundle, public key.
carried=${KBUNDLE_LAB_STATE:-/run/kbundle-lab${KBUNDLE_LAB_NAME:+-$KBUNDLE_LAB_NAME}}/carried

on() { tests/lab/shell "$@"; }
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

# expect_ready COUNT: so many nodes Ready, every pod Running. Under load a control plane's pod may
# lose its lease and start once more: that settles within a minute.
expect_ready() {
  local nodes pods ready open
  for _ in $(seq 30); do
    nodes=$(on master kubectl get nodes --no-headers 2>&1 || true)
    pods=$(on master kubectl get pods -A --no-headers 2>&1 || true)
    ready=$(grep -cw Ready <<<"$nodes" || true)
    open=$(awk '$4 != "Running"' <<<"$pods")
    [ "$ready" = "$1" ] && [ -z "$open" ] && return 0
    sleep 3
  done
  echo "$nodes"
  echo "$pods"
  on master sh -c 'journalctl -u kubelet --no-pager | tail -n 20' || true
  expect_equal "nodes Ready" "$1" "$ready"
  expect_equal "pods not Running" "" "$open"
}
