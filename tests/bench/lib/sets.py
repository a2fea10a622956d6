"""The image sets, the registries they come from, and whether a result is all of a set."""
import glob
import gzip
import hashlib
import io
import json
import os
import random
import subprocess
import sys
import tarfile
import urllib.request

import tools

ACCEPT = ", ".join("application/vnd." + kind for kind in (
    "docker.distribution.manifest.list.v2+json", "docker.distribution.manifest.v2+json",
    "oci.image.index.v1+json", "oci.image.manifest.v1+json"))
LAB_IMAGES = ["kube-apiserver:v1.18.2", "kube-controller-manager:v1.18.2",
              "kube-scheduler:v1.18.2", "kube-proxy:v1.18.2", "pause:3.2", "etcd:3.4.3-0",
              "coredns:1.6.7", "coreos/flannel:v0.12.0-amd64"]
LAYERS = 200


def start_registry(work, storage, readonly=True, port=None, address="127.0.0.1", enter=()):
    """Debian's docker-registry over a storage folder; its process and port."""
    port = port or tools.free_port()
    configuration = f"{work.folder('registry')}/config.yml"
    with open(configuration, "w") as file:
        file.write("version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage:\n"
                   f"  filesystem: {{rootdirectory: {storage}}}\n"
                   f"  maintenance: {{readonly: {{enabled: {str(readonly).lower()}}}}}\n"
                   f"http: {{addr: \"{address}:{port}\"}}\n")
    child = work.start([*enter, "docker-registry", "serve", configuration])
    if not enter:
        tools.wait_for(f"http://{address}:{port}/v2/")
    return child, port


class ImageSet:
    """Images of one storage, and what a pull of them for amd64 has to bring."""

    def __init__(self, name, storage, images, port):
        self.name, self.storage, self.images, self.port = name, storage, images, port
        self.blobs = {}      # digest: size, configurations and layers
        self.manifests = {}  # image: digest of its amd64 manifest
        self.paths = {}      # path of a layer in the API: size
        for image in images:
            repository, tag = image.rsplit(":", 1)
            document, digest = self.manifest(repository, tag)
            for entry in document.get("manifests", []):
                if entry["platform"]["architecture"] == "amd64":
                    document, digest = self.manifest(repository, entry["digest"])
            self.manifests[image] = digest
            for blob in [document["config"], *document["layers"]]:
                self.blobs[blob["digest"]] = blob["size"]
                self.paths[f"/v2/{repository}/blobs/{blob['digest']}"] = blob["size"]

    def manifest(self, repository, reference):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/v2/{repository}/manifests/{reference}",
            headers={"Accept": ACCEPT})
        with urllib.request.urlopen(request) as answer:
            text = answer.read()
        return json.loads(text), "sha256:" + hashlib.sha256(text).hexdigest()

    @property
    def size(self):
        return sum(self.blobs.values())

    def wanted(self):
        return set(self.blobs) | set(self.manifests.values())

    def check_files(self, files, what):
        """`files` yields paths whose content counts by its digest, whatever the name is, but a name
        that is a digest has to be right."""
        found = set()
        for path in files:
            with open(path, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest() \
                    if hasattr(hashlib, "file_digest") else hashlib.sha256(file.read()).hexdigest()
            name = os.path.basename(path)
            if len(name) == 64 and name != digest:
                sys.exit(f"{what}: {path} holds {digest}")
            found.add("sha256:" + digest)
        missing = self.wanted() - found
        if missing:
            sys.exit(f"{what}: {len(missing)} of {len(self.wanted())} blobs are missing")

    def check_folder(self, folder, what):
        self.check_files((os.path.join(parent, name) for parent, _, names in os.walk(folder)
                          for name in names), what)

    def check_storage(self, storage, what):
        """What docker-registry has stored: every blob, and a tag on every amd64 manifest. Names are
        each tool's own affair."""
        self.check_folder(f"{storage}/docker/registry/v2/blobs", what)
        tagged = set()
        for path in glob.glob(f"{storage}/docker/registry/v2/repositories/**/_manifests/tags/*/"
                              "current/link", recursive=True):
            with open(path) as file:
                tagged.add(file.read().strip())
        if not tagged >= set(self.manifests.values()):
            sys.exit(f"{what}: not every image has a tag")


def lab_storage():
    storage = f"{tools.LAB}/registry"
    if not os.path.exists(f"{storage}/docker"):
        sys.exit(f"{storage} has no images; tests/lab/up makes them")
    return storage


def layer(generator):
    """A tar of one file that gzip makes hardly smaller, 0.1 to 1 MB, and its diff ID."""
    data = generator.randbytes(generator.randint(100_000, 1_000_000))
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        info = tarfile.TarInfo(f"file-{generator.randint(0, 1 << 30)}")
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    plain = buffer.getvalue()
    return gzip.compress(plain, 1, mtime=0), "sha256:" + hashlib.sha256(plain).hexdigest()


def put(url, data, kind="application/octet-stream"):
    request = urllib.request.Request(url, data, {"Content-Type": kind}, method="PUT")
    urllib.request.urlopen(request).close()


def push_blob(registry, repository, data):
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    begin = urllib.request.Request(f"{registry}/v2/{repository}/blobs/uploads/", b"", method="POST")
    with urllib.request.urlopen(begin) as answer:
        location = answer.headers["Location"]
    put(location + ("&" if "?" in location else "?") + "digest=" + digest, data)
    return {"digest": digest, "size": len(data)}


def make_layers(work, storage):
    """An image of many small layers, the same in every run."""
    tools.say(f"making an image of {LAYERS} layers")
    child, port = start_registry(work, storage, readonly=False)
    registry, generator = f"http://127.0.0.1:{port}", random.Random(200)
    layers, ids = [], []
    kind = "application/vnd.oci.image."
    for _ in range(LAYERS):
        data, diff_id = layer(generator)
        layers.append({"mediaType": kind + "layer.v1.tar+gzip",
                       **push_blob(registry, "layers", data)})
        ids.append(diff_id)
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {},
                         "rootfs": {"type": "layers", "diff_ids": ids}}).encode()
    manifest = {"schemaVersion": 2, "mediaType": kind + "manifest.v1+json", "layers": layers,
                "config": {"mediaType": kind + "config.v1+json",
                           **push_blob(registry, "layers", config)}}
    put(f"{registry}/v2/layers/manifests/1", json.dumps(manifest).encode(), kind + "manifest.v1+json")
    work.stop(child)


def prepare(work):
    lab = lab_storage()
    many = f"{tools.CACHE}/layers"
    if not os.path.exists(f"{many}/made"):
        subprocess.run(["rm", "-rf", many], check=True)
        make_layers(work, many)
        open(f"{many}/made", "w").close()
    result = []
    for name, storage, images in (("v1.18.2 set", lab, LAB_IMAGES),
                                  (f"{LAYERS} layers", many, ["layers:1"])):
        _, port = start_registry(work, storage)
        images = ImageSet(name, storage, images, port)
        tools.say(f"{name}: {len(images.images)} images, {len(images.blobs)} blobs, "
                  f"{images.size / 1e6:.1f} MB")
        result.append(images)
    return result
