#!/usr/bin/env python3
"""A tiny upstream for build tests: images of a few bytes pushed to a real registry, and release
files in a folder, under the names and with the sums that the real ones have.

usage: upstream.py VERSION REGISTRY_URL FILES_FOLDER IMAGE...
"""
import gzip
import hashlib
import io
import json
import os
import sys
import tarfile
import urllib.request

DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def request(method, url, data=None, content_type="application/octet-stream"):
    headers = {"Content-Type": content_type}
    if os.environ.get("REGISTRY_BASIC"):
        headers["Authorization"] = "Basic " + os.environ["REGISTRY_BASIC"]
    return urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method))


def tar_gz(members):
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), 0o755
            archive.addfile(info, io.BytesIO(content))
    return gzip.compress(raw.getvalue(), mtime=0)


def push_blob(registry, repository, data):
    upload = request("POST", f"{registry}/v2/{repository}/blobs/uploads/", b"")
    location = upload.headers["Location"]
    if location.startswith("/"):
        location = registry + location
    request("PUT", location + ("&" if "?" in location else "?") + "digest=" + digest(data), data)


def push_manifest(registry, repository, reference, document, media_type):
    data = json.dumps(document).encode()
    request("PUT", f"{registry}/v2/{repository}/manifests/{reference}", data, media_type)
    return {"mediaType": media_type, "digest": digest(data), "size": len(data)}


def push_platform(registry, repository, architecture):
    layer_tar = [("bin/" + repository.replace("/", "-"), os.urandom(8) + architecture.encode())]
    layer = tar_gz(layer_tar)
    config = json.dumps({
        "architecture": architecture, "os": "linux", "config": {},
        "rootfs": {"type": "layers", "diff_ids": [digest(gzip.decompress(layer))]},
    }).encode()
    for data in (layer, config):
        push_blob(registry, repository, data)
    return {
        "schemaVersion": 2, "mediaType": DOCKER,
        "config": {"mediaType": "application/vnd.docker.container.image.v1+json",
                   "digest": digest(config), "size": len(config)},
        "layers": [{"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
                    "digest": digest(layer), "size": len(layer)}],
    }


def push_image(registry, name):
    repository, tag = name.split("/", 1)[1].rsplit(":", 1)
    for architecture in ("amd64", "arm64"):
        if tag.endswith("-" + architecture):  # an image of one platform
            manifest = push_platform(registry, repository, architecture)
            push_manifest(registry, repository, tag, manifest, DOCKER)
            return
    entries = []
    for architecture in ("amd64", "arm64"):
        manifest = push_platform(registry, repository, architecture)
        entry = push_manifest(registry, repository,
                              digest(json.dumps(manifest).encode()), manifest, DOCKER)
        entries.append({**entry, "platform": {"os": "linux", "architecture": architecture}})
    push_manifest(registry, repository, tag,
                  {"schemaVersion": 2, "mediaType": DOCKER_LIST, "manifests": entries}, DOCKER_LIST)


def publish(folder, url_path, data, sums):
    path = os.path.join(folder, url_path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)
    name = os.path.basename(path)
    for sum_path, text in sums(name, hashlib.sha256(data).hexdigest()).items():
        with open(os.path.join(os.path.dirname(path), sum_path), "w") as file:
            file.write(text)


def program(name, version):
    """What a node's program does: say its name, or what the script UPSTREAM_PROGRAM does by that name."""
    path = os.environ.get("UPSTREAM_PROGRAM")
    if path is None:
        return f"#!/bin/sh\necho {name} {version}\n".encode()
    with open(path) as file:
        return file.read().replace("\n", f"\nversion={version}\n", 1).encode()


def publish_files(folder, version):
    bare = lambda name, hexa: {name + ".sha256": hexa}
    named = lambda suffix: lambda name, hexa: {name + suffix: f"{hexa}  {name}\n"}
    for name in ("kubeadm", "kubelet", "kubectl"):
        publish(folder, f"dl.k8s.io/release/{version}/bin/linux/amd64/{name}",
                program(name, version), bare)
    github = "github.com"
    publish(folder, f"{github}/containernetworking/plugins/releases/download/v0.8.7/"
            "cni-plugins-linux-amd64-v0.8.7.tgz",
            tar_gz([("./bridge", b"bridge"), ("./flannel", b"flannel")]), named(".sha256"))
    publish(folder, f"{github}/kubernetes-sigs/cri-tools/releases/download/v1.18.0/"
            "crictl-v1.18.0-linux-amd64.tar.gz", tar_gz([("crictl", b"crictl")]),
            lambda name, hexa: {})
    publish(folder, f"{github}/containerd/containerd/releases/download/v1.6.39/"
            "containerd-1.6.39-linux-amd64.tar.gz",
            tar_gz([("bin/" + name, program(name, "v1.6.39")) for name in ("containerd", "ctr")]), named(".sha256sum"))
    publish(folder, f"{github}/opencontainers/runc/releases/download/v1.3.0/runc.amd64", b"runc",
            lambda name, hexa: {"runc.sha256sum": f"-----BEGIN PGP SIGNED MESSAGE-----\n"
                                f"Hash: SHA512\n\n{hexa}  {name}\n"
                                "-----BEGIN PGP SIGNATURE-----\n\nAAAA\n"
                                "-----END PGP SIGNATURE-----\n"})
    publish(folder, "raw.githubusercontent.com/flannel-io/flannel/v0.12.0/Documentation/"
            "kube-flannel.yml", FLANNEL.encode(), lambda name, hexa: {})


FLANNEL = "\n---\n".join(f"""apiVersion: apps/v1
kind: DaemonSet
metadata: {{name: kube-flannel-ds-{arch}, namespace: kube-system}}
spec:
  template:
    spec:
      affinity:
        nodeAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
            nodeSelectorTerms:
            - matchExpressions:
              - {{key: kubernetes.io/arch, operator: In, values: [{arch}]}}
      containers:
      - name: kube-flannel
        image: quay.io/coreos/flannel:v0.12.0-{arch}
        args: [--ip-masq, --kube-subnet-mgr]
""" for arch in ("amd64", "arm64"))


def main():
    version, registry, folder, *images = sys.argv[1:]
    for image in images:
        push_image(registry, image)
    publish_files(folder, version)


if __name__ == "__main__":
    main()
