# A real bundle and `kbundle serve` over it. Sourced, not run.
. "$(dirname "${BASH_SOURCE[0]}")/../build/lib.sh"
kbundle=${KBUNDLE_TEST_KBUNDLE:-$kbundle}
site=${KBUNDLE_TEST_SITE:-$site}

# Sets $bundle and $trust. The upstream stays up: what is served is compared with it.
make_bundle() {
  start_upstream
  expect_exit 0 "$kbundle" build $version -o "$work/out" $(to_upstream)
  bundle=$work/out/kubernetes-$version-linux-amd64.tar.zst
  trust=(--key "$work/out/kbundle.pub"
    --key-fingerprint "$("$site" key show "$work/out/kbundle.pub" | awk '$1 == "id" {print $2}')")
}

# start_server NAME ARGS...: serves $bundle; sets $server_pid, $server (HOST:PORT) and $served (URL).
start_server() {
  local name=$1 port scheme=https _
  shift
  port=$(free_port)
  server=127.0.0.1:$port
  case " $* " in *" --plain-http "*) scheme=http ;; esac
  served=$scheme://$server
  "$site" serve "$bundle" "${trust[@]}" --listen "$server" "$@" >"$work/$name.log" 2>&1 &
  server_pid=$!
  pids+=($server_pid)
  for _ in $(seq 100); do
    grep -qs 'Ctrl-C stops it' "$work/$name.log" && return
    kill -0 $server_pid 2>/dev/null || break
    sleep 0.1
  done
  fail "the server did not start: $(cat "$work/$name.log")"
}

# fetch PATH [CURL_FLAG...]: status in $status, headers in $work/head (names in lower case), body in $work/body.
fetch() {
  local path=$1
  shift
  : >"$work/body"
  status=$(curl -ks -o "$work/body" -D "$work/head.raw" -w '%{http_code}' "$@" "$served$path") || true
  tr -d '\r' <"$work/head.raw" | sed -E 's/^([A-Za-z-]+):/\L\1:/' >"$work/head"
}

header() { sed -n "s/^$1: //p" "$work/head"; }  # header NAME
sha() { sha256sum | cut -d' ' -f1; }

# platform_manifest REPOSITORY TAG: the amd64 manifest's digest; its layers' digests.
platform_manifest() {
  fetch "/v2/$1/manifests/$2"
  python3 -c '
import json, sys
document = json.load(open(sys.argv[1]))
print([m["digest"] for m in document["manifests"] if m["platform"]["architecture"] == "amd64"][0])' "$work/body"
}
layers_of() {
  fetch "/v2/$1/manifests/$2"
  python3 -c '
import json, sys
for layer in json.load(open(sys.argv[1]))["layers"]: print(layer["digest"])' "$work/body"
}
