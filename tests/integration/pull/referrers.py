#!/usr/bin/env python3
"""Gives an image in a registry a signature and an SBOM, in the three ways that are in use.

usage: referrers.py REGISTRY_URL REPOSITORY TAG
Prints the digests of what was made, one a line: the SBOM (by its subject, listed under the tag that
stands in for the referrers API), the signature (by cosign's tag).
"""
import json
import sys
import urllib.request

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/build")
from upstream import DOCKER_LIST, digest, push_blob, push_manifest  # noqa: E402

OCI = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"

registry, repository, tag = sys.argv[1:]
request = urllib.request.Request(f"{registry}/v2/{repository}/manifests/{tag}",
                                 headers={"Accept": DOCKER_LIST})
image = urllib.request.urlopen(request).read()
subject = {"mediaType": DOCKER_LIST, "digest": digest(image), "size": len(image)}
stem = digest(image).replace(":", "-")


def artifact(artifact_type, content, subject=None):
    empty = b"{}"
    for blob in (empty, content):
        push_blob(registry, repository, blob)
    manifest = {
        "schemaVersion": 2, "mediaType": OCI, "artifactType": artifact_type,
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": digest(empty),
                   "size": len(empty)},
        "layers": [{"mediaType": artifact_type, "digest": digest(content), "size": len(content)}],
    }
    if subject:
        manifest["subject"] = subject
    return manifest


sbom = artifact("application/spdx+json", b'{"spdxVersion":"SPDX-2.3"}', subject)
entry = push_manifest(registry, repository, digest(json.dumps(sbom).encode()), sbom, OCI)
push_manifest(registry, repository, stem,
              {"schemaVersion": 2, "mediaType": OCI_INDEX,
               "manifests": [{**entry, "artifactType": "application/spdx+json"}]}, OCI_INDEX)
print(entry["digest"])
signature = artifact("application/vnd.dev.cosign.simplesigning.v1+json", b'{"critical":{}}')
print(push_manifest(registry, repository, stem + ".sig", signature, OCI)["digest"])
