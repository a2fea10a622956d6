# A bundle built from a small upstream, and registries to push it into. Sourced, not run.
. "$(dirname "${BASH_SOURCE[0]}")/../build/lib.sh"

# build_bundle [FLAG...]: sets $bundle and ${trust[@]}.
build_bundle() {
  expect_exit 0 "$kbundle" build $version -o "$work/out" $(to_upstream) "$@"
  bundle=$work/out/kubernetes-$version-linux-amd64.tar.zst
  local fingerprint
  fingerprint=$("$site" key show "$work/out/kbundle.pub" | awk '$1 == "id" {print $2}')
  trust=(--key "$work/out/kbundle.pub" --key-fingerprint "$fingerprint")
}

# start_target NAME [YAML]: a registry to push into; sets $target (HOST:PORT).
start_target() {
  start_registry "$@"
  target=127.0.0.1:$registry_port
  wait_for "http://$target/v2/"
}

# check_pushed REPORT: pulls every image of a `push --json` and compares all digests, those of the
# lists with upstream's, too. Prints how many images there were.
check_pushed() {
  python3 - "$1" "$registry" <<'END_OF_PYTHON'
import hashlib, json, sys, urllib.request

report, upstream = json.load(open(sys.argv[1])), sys.argv[2]
accept = {"Accept": "application/vnd.docker.distribution.manifest.v2+json, "
          "application/vnd.docker.distribution.manifest.list.v2+json"}


def get(host, path):
    return urllib.request.urlopen(urllib.request.Request(f"http://{host}/v2/{path}", headers=accept)).read()


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


for image in report["images"]:
    host, rest = image["name"].split("/", 1)
    repository, tag = rest.rsplit(":", 1)
    manifest = get(host, f"{repository}/manifests/{tag}")
    assert digest(manifest) == image["digest"], image
    document = json.loads(manifest)
    for blob in [document["config"], *document["layers"]]:
        assert digest(get(host, f"{repository}/blobs/{blob['digest']}")) == blob["digest"], image
    path = image["upstream"].split("/", 1)[1].rsplit(":", 1)
    original = get(upstream, f"{path[0]}/manifests/{path[1]}")
    assert digest(original) == (image["list"] or image["digest"]), image
    if image["list"]:
        entries = {e["platform"]["architecture"]: e["digest"] for e in json.loads(original)["manifests"]}
        assert entries["amd64"] == image["digest"], image
print(len(report["images"]))
END_OF_PYTHON
}
