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

# Two pods of a web server (CoreDNS), one on each node, of which a disruption budget keeps one alive;
# the service is reached at each node's port 30080.
serve_web() {
  on master kubectl apply -f - <<END
apiVersion: v1
kind: ConfigMap
metadata: {name: web}
data: {Corefile: ".:1053 {\n  health :8080\n}\n"}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      tolerations: [{operator: Exists, effect: NoSchedule, key: node-role.kubernetes.io/master}]
      affinity:
        podAntiAffinity:
          preferredDuringSchedulingIgnoredDuringExecution:
          - {weight: 1, podAffinityTerm: {topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: web}}}}
      containers:
      - name: web
        image: k8s.gcr.io/coredns:1.6.7
        args: [-conf, /etc/web/Corefile]
        readinessProbe: {httpGet: {path: /health, port: 8080}}
        lifecycle: {preStop: {exec: {command: [/bin/sleep, "5"]}}}
        volumeMounts: [{name: web, mountPath: /etc/web}]
      volumes: [{name: web, configMap: {name: web}}]
---
apiVersion: policy/v1beta1
kind: PodDisruptionBudget
metadata: {name: web}
spec:
  minAvailable: 1
  selector: {matchLabels: {app: web}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: NodePort
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080, nodePort: 30080}]
END
  on master kubectl wait --for=condition=Available deployment/web --timeout=120s
  on master kubectl get pods -o wide -l app=web
}

declare -A address=([master]=$master_ip [worker]=$worker_ip)

# Asks every 0.2 s until the file /run/stop is there: "time status" a line.
asker='
while [ ! -e /run/stop ]; do
  start=$(date +%s.%N)
  if timeout 2 "$@" >/dev/null 2>&1; then word=ok; else word=failed; fi
  echo "$start $word"
  sleep 0.2
done'
ask() { on master bash -c "$asker" asker "${@:2}" >"$carried/$1.asked" & askers+=($!); }
web() { printf 'exec 3<>/dev/tcp/%s/30080 && printf "GET /health HTTP/1.0\\r\\n\\r\\n" >&3 && grep -q "200 OK" <&3' "$1"; }

start_asking() {  # start_asking NODE...: the service through each of them, and the API
  local node
  askers=()
  rm -f "$carried"/*.asked
  on master rm -f /run/stop
  for node in "$@"; do
    ask "service through $node" bash -c "$(web "${address[$node]}")"
  done
  ask "API server" kubectl get --raw /healthz
}

# Requests, failures, and the longest time without an answer.
stop_asking() {
  local file name
  on master touch /run/stop
  wait "${askers[@]}"
  say "asked all the while"
  for file in "$carried"/*.asked; do
    name=${file##*/}
    awk -v name="${name%.asked}" '$2 == "ok" { if (last && $1 - last > gap) gap = $1 - last; last = $1 }
      $2 == "failed" { failed++; if (failed <= 5) times = times " " strftime("%T", $1) }
      END { printf "%-28s %4d requests, %d failed, longest gap %.1f s\n", name, NR, failed, gap
            if (failed) print "  failed at" times (failed > 5 ? " …" : "") }' "$file"
  done
}
service_requests() { awk '$2 == "failed" { failed++ } END { print NR, failed + 0 }' "$carried/service through"*.asked; }
