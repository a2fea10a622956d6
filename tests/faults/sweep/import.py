"""An image archive on standard input: its names and digests, a line each, as the fake ctr keeps them."""
import json
import sys
import tarfile

with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as archive:
    for member in archive:
        if member.name == "index.json":
            index = json.load(archive.extractfile(member))
            for entry in index["manifests"]:
                name = entry.get("annotations", {}).get("io.containerd.image.name")
                if name:
                    print(name, entry["digest"], "-")
