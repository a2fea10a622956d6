#!/usr/bin/env python3
"""usage: image_tar.py BUNDLE TAR: the bundle's images for this machine, as an archive of their own.

`ctr images import` of the bundle as it lies there would read its programs as well.
"""
import io
import json
import platform
import subprocess
import sys
import tarfile

ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine())


def main():
    blobs = {}
    index = None
    with subprocess.Popen(["zstd", "-dcq", sys.argv[1]], stdout=subprocess.PIPE) as stream:
        with tarfile.open(fileobj=stream.stdout, mode="r|") as archive:
            for member in archive:
                content = archive.extractfile(member).read()
                if member.name == "index.json":
                    index = json.loads(content)
                elif member.name.startswith("blobs/"):
                    blobs["sha256:" + member.name.split("/")[-1]] = content
    # An install without --vip does not load keepalived.
    names = (one.get("annotations", {}).get("io.containerd.image.name", "") for one in index["manifests"])
    index["manifests"] = [one for one, name in zip(index["manifests"], names)
                          if name and "/keepalived:" not in name]
    wanted = set()

    def want(digest):
        wanted.add(digest)
        document = json.loads(blobs[digest])
        for one in document.get("manifests", []):
            if one["platform"]["architecture"] == ARCHITECTURE:
                want(one["digest"])
        if "config" in document:
            wanted.update(one["digest"] for one in [document["config"], *document["layers"]])

    for one in index["manifests"]:
        want(one["digest"])
    with tarfile.open(sys.argv[2], "w") as out:
        def add(name, content):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            out.addfile(info, io.BytesIO(content))

        add("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        add("index.json", json.dumps(index).encode())
        for digest in sorted(wanted):
            add("blobs/sha256/" + digest[7:], blobs[digest])
    print(len(index["manifests"]), len(wanted))


main()
