# A node without a machine: an overlay over this machine's files with fake kubeadm, kubectl, ctr and
# systemctl (fake), and a small real bundle of them. Sourced, not run.
# Sets $layers (a tmpfs), $base (the node's lowest layer), $trust (flags) and $bundle.
. "$(dirname "$0")/../integration/build/lib.sh"
[ "$(id -u)" = 0 ] || fail "needs root"
sweep=$PWD/tests/faults/sweep

export UPSTREAM_PROGRAM=$sweep/fake
start_upstream
"$kbundle" key generate "$work/signing.key" >/dev/null
build_bundle() {  # build_bundle VERSION FOLDER
  expect_exit 0 "$kbundle" build "$1" -o "$2" --without crictl --without keepalived --sign-key "$work/signing.key" $(to_upstream)
}
build_bundle $version "$work/out"

# Beside the machine's own files on a file system of its own, as an overlay's layers must not overlap.
layers=$work/layers
mkdir -p "$layers" && mount -t tmpfs tmpfs "$layers"
trap 'umount -R "$layers" 2>/dev/null || true; finish' EXIT
base=$layers/base
mkdir -p "$base"/{usr/local/sbin,usr/bin,usr/sbin,opt,etc,var/lib,media/usb,root}
for name in systemctl modprobe journalctl swapoff loginctl; do cp "$sweep/fake" "$base/usr/local/sbin/$name"; done
cp "$sweep/import.py" "$base/opt/fake-import"
"$sweep/pki" "$base/opt/fake-pki"
printf '127.0.0.1 localhost\n10.99.0.1 sweep\n' >"$base/etc/hosts"
echo 'nameserver 10.99.0.2' >"$base/etc/resolv.conf"
cp "$site" "$base/media/usb/kbundle"
cp "$work/out/kbundle.pub" "$work/out"/*.tar.zst "$base/media/usb"
# What this machine has of these is not there (an overlay's whiteout).
for path in usr/bin/{containerd,ctr,docker,dockerd,runc,kubeadm,kubelet,kubectl} usr/sbin/runc etc/kubernetes etc/containerd \
  etc/cni opt/cni var/lib/{kbundle,kubelet,etcd,containerd,docker,cni,fake} root/.kube; do
  [ ! -e "/$path" ] || { rm -rf "${base:?}/$path" && mknod "$base/$path" c 0 0; }
done

trust=(--key /media/usb/kbundle.pub --key-fingerprint "$("$site" key show "$work/out/kbundle.pub" | awk '$1 == "id" {print $2}')")
bundle=/media/usb/kubernetes-$version-linux-amd64.tar.zst

# The bundle of another version; what is in both is the same.
bring_bundle() {  # bring_bundle VERSION
  publish "$1" $(comm -13 <("$site" images $version | sort) <("$site" images "$1" | sort))
  build_bundle "$1" "$work/out-$1"
  cp "$work/out-$1"/*.tar.zst "$base/media/usb"
}

# in_world NAME COMMAND...: on the node NAME, which keeps its files between calls.
in_world() {
  local name=$1
  shift
  unshare --mount --uts --net --ipc --pid --fork --kill-child --propagation private \
    "$sweep/world" "$layers/$name" "$base:/" "$@" </dev/null
}
install=(/media/usb/kbundle install "$bundle" --role master --node-ip 10.99.0.1 --ignore-preflight-errors all "${trust[@]}")
