# shellcheck shell=bash disable=SC2034   # what is set here is for those who source it
# What the tests of an upgrade share. Sourced after lib.sh, not run.

new_version=v1.18.10
new_bundle=kubernetes-$new_version-linux-amd64.tar.zst
new_carried=$carried-new

build_new_bundle() {
  if [ ! -e "$new_carried/$new_bundle" ]; then
    tests/lab/up $new_version --only upstream
    on connected rm -rf /work/out-new
    tests/lab/copy build/release/kbundle build/release/kbundle-static connected:/work
    on connected /work/kbundle build $new_version -o /work/out-new --without crictl
    rm -rf "$new_carried" && mkdir -p "$new_carried"
    tests/lab/copy connected:/work/out-new/. "$new_carried"
  fi
  cp build/release/kbundle-static "$new_carried/kbundle"
}

carry_new() {
  local node
  for node in "$@"; do
    on "$node" mkdir -p /media/new
    tests/lab/copy "$new_carried/$new_bundle" "$new_carried/kbundle" "$new_carried/kbundle.pub" "$node:/media/new"
  done
}

upgrade() {  # upgrade NODE [FLAGS]
  local node=$1
  shift
  on "$node" /media/new/kbundle upgrade /media/new/$new_bundle --key /media/new/kbundle.pub \
    --key-fingerprint "$(build/release/kbundle-static key show "$new_carried/kbundle.pub" | awk '$1 == "id" {print $2}')" "$@"
}

versions() {
  on master kubectl get nodes --no-headers -o custom-columns=NODE:.metadata.name,KUBELET:.status.nodeInfo.kubeletVersion
  on master kubectl -n kube-system get pods --no-headers \
    -o custom-columns=IMAGE:.spec.containers[0].image,READY:.status.containerStatuses[0].ready | sort | uniq -c
}
