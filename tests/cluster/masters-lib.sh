# Shared by the tests of several masters. Sourced after lib.sh.
vip=10.77.0.100

# A way to ask each etcd for its members that needs no pod: etcd's own JSON, by the node's kubectl.
ask_etcd() {  # ask_etcd NODE ADDRESS CALL JSON
  on "$1" sh -c 'echo "$3" | kubectl --kubeconfig=/dev/null --server="https://$1:2379" \
    --certificate-authority=/etc/kubernetes/pki/etcd/ca.crt \
    --client-certificate=/etc/kubernetes/pki/etcd/healthcheck-client.crt \
    --client-key=/etc/kubernetes/pki/etcd/healthcheck-client.key \
    create --raw="/v3/cluster/member/$2" -f -' sh "$2" "$3" "$4"
}
members() { ask_etcd "$1" "$2" list '{}'; }

install_joining_master() {  # install_joining_master NODE ADDRESS
  on "$1" /media/usb/kbundle install --role master --node-ip "$2" \
    --key /media/usb/kbundle.pub --key-fingerprint "$(fingerprint)" \
    --join /media/usb/join-ticket.json --config /root/kubeadm-lab.yaml
}

carry_ticket_to() {  # carry_ticket_to NODE...: the first master's
  tests/lab/copy master:/var/lib/kbundle/join-ticket.json "$carried"
  local node
  for node in "$@"; do tests/lab/copy "$carried/join-ticket.json" "$node:/media/usb"; done
}

# Which of the masters has the address.
holder_of_vip() {
  local node
  for node in "$@"; do
    if on "$node" ip -o addr show | grep -qw "$vip"; then echo "$node"; fi
  done
}
