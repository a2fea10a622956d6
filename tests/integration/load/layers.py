#!/usr/bin/env python3
"""usage: layers.py FOLDER [IMAGES [LAYERS]]: an OCI layout whose layers hold entries of every kind.

20 images of 10 layers unless told otherwise, the same in every run. Each image begins with layers
written by hand, one kind after the other; the rest is drawn at random from the kinds.
"""
import gzip
import hashlib
import io
import json
import os
import random
import subprocess
import sys
import tarfile

CAPABILITY = "\x01\x00\x00\x02\x00\x20\x00\x00" + "\x00" * 12


class Layer:
    def __init__(self, rng, form=tarfile.PAX_FORMAT):
        self.rng, self.form = rng, form
        self.bytes = io.BytesIO()
        self.touched = set()

    def add(self, name, kind=tarfile.REGTYPE, content=b"", link="", mode=None, form=None, **pax):
        rng = self.rng
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, link
        info.size = len(content) if kind == tarfile.REGTYPE else 0
        info.mode = rng.choice([0o644, 0o755, 0o600]) if mode is None else mode
        info.uid, info.gid = rng.choice([(0, 0), (0, 0), (1000, 1000), (65534, 33), (4000000000, 7)])
        info.mtime = rng.choice([0, 1, 1577836800, rng.randrange(2**31), 2**33])
        info.devmajor, info.devminor = pax.pop("device", (0, 0))
        info.uname = info.gname = ""
        info.pax_headers = {key.replace("__", "."): value for key, value in pax.items()}
        form = form or self.form
        self.bytes.write(info.tobuf(form, "utf-8", "surrogateescape"))
        if kind == tarfile.REGTYPE:
            self.bytes.write(content + b"\0" * (-len(content) % 512))
        self.touched.add(os.path.normpath(name))

    def xattr(self, name, kind=tarfile.REGTYPE, content=b"", link="", **values):
        self.add(name, kind, content, link,
                 **{"SCHILY__xattr__" + key: value for key, value in values.items()})

    def done(self):
        self.bytes.write(b"\0" * 1024)
        return self.bytes.getvalue()


DIR, SYM, LNK, CHR, BLK, FIFO = (tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE,
                                 tarfile.BLKTYPE, tarfile.FIFOTYPE)


def base(layer):
    """The lowest layer: everything the ones above change."""
    for name in ("etc", "usr", "usr/lib", "usr/bin", "var", "var/empty", "opt", "opt/a", "opt/a/b",
                 "gone", "gone/deep", "opaque", "opaque/sub", "late", "tofile", "tolink"):
        layer.add(name + "/", DIR, mode=0o755)
    layer.xattr("attributed/", DIR, user__of="a folder", trusted__no="is not taken")
    layer.add("attributed/inside", content=b"x")
    layer.add("sticky/", DIR, mode=0o1777)
    layer.add("setgid/", DIR, mode=0o2775)
    layer.add("secret/", DIR, mode=0o000)
    layer.add("secret/in", content=b"hidden")
    for name in ("etc/passwd", "etc/group", "usr/bin/tool", "gone/file", "gone/deep/file",
                 "opaque/old", "opaque/sub/old", "todir", "late/old", "tofile/child", "tolink/child"):
        layer.add(name, content=name.encode() * 50)
    layer.add("lib", SYM, link="usr/lib")
    layer.add("absolute", SYM, link="/usr/bin")
    layer.add("up", SYM, link="../../../../etc")
    layer.add("dangling", SYM, link="nowhere/at/all")
    layer.add("linktodir", SYM, link="opt")
    # Through symbolic links of this layer.
    layer.add("lib/through", content=b"in usr/lib")
    layer.add("absolute/through", content=b"in usr/bin")
    layer.add("up/through", content=b"in etc")
    layer.add("dangling/through", content=b"made where it pointed")
    # Whiteouts that hit what this layer itself brought.
    layer.add("own/", DIR)
    layer.add("own/removed", content=b"x")
    layer.add("own/.wh.removed")
    layer.add("own/opaque/", DIR)
    layer.add("own/opaque/kept", content=b"x")
    layer.add("own/opaque/.wh..wh..opq")
    layer.add("own/.wh.never-there")


def links(layer):
    layer.add("h/", DIR)
    layer.add("h/one", content=b"content", mode=0o640)
    layer.add("h/two", LNK, link="h/one", mode=0o4755)  # the last one's attributes win
    layer.add("elsewhere/deep/three", LNK, link="h/one", mode=0o600)
    layer.add("h/symbolic", SYM, link="/etc/passwd")
    layer.add("h/symbolic-too", LNK, link="h/symbolic")
    layer.add("h/by-slash", LNK, link="/h/one")
    layer.add("h/by-dot", LNK, link="./h/one")
    layer.add("s", SYM, link="h")
    layer.add("h/by-link", LNK, link="s/one")
    layer.add("h/device", CHR, device=(1, 5))
    layer.add("h/device-too", LNK, link="h/device")


def whiteouts(layer):
    layer.add("etc/.wh.group")
    layer.add(".wh.gone")
    layer.add("usr/lib/.wh.never-there")
    layer.add(".wh.dangling")
    layer.add("opaque/", DIR, mode=0o711)
    layer.add("opaque/.wh..wh..opq")
    layer.add("opaque/new", content=b"new")
    layer.add("late/new", content=b"before the mark")
    layer.add("late/.wh..wh..opq")
    layer.add("late/newer", content=b"behind the mark")


def replaced(layer):
    layer.add("todir/", DIR)
    layer.add("todir/child", content=b"was a file")
    layer.add("tofile", content=b"was a folder")
    layer.add("tolink", SYM, link="etc")
    layer.add("linktodir/", DIR, mode=0o700)
    layer.add("linktodir/child", content=b"was a link")
    layer.add("twice", content=b"first")
    layer.add("twice", content=b"second, longer", mode=0o600)
    layer.add("kinds", content=b"a file")
    layer.add("kinds/", DIR)
    layer.add("kinds/child", content=b"x")
    layer.add("kinds", SYM, link="twice")
    layer.add("merged/", DIR, mode=0o700)
    layer.add("merged/x", content=b"x")
    layer.add("merged/", DIR, mode=0o755)


def special(layer):
    layer.add("dev/null", CHR, mode=0o666, device=(1, 3))
    layer.add("dev/loop", BLK, mode=0o660, device=(7, 0))
    layer.add("dev/large", CHR, mode=0o600, device=(511, 70000))
    layer.add("dev/pipe", FIFO, mode=0o622)
    layer.add("bin/su", content=b"su", mode=0o4755)
    layer.add("bin/wall", content=b"wall", mode=0o2755)
    layer.add("bin/odd", content=b"odd", mode=0o7777)
    layer.add("bin/none", content=b"none", mode=0o000)
    layer.xattr("bin/ping", content=b"ping", security__capability=CAPABILITY)
    layer.xattr("bin/many", content=b"m", user__one="1", user__two="zwei\n", user__empty="")
    layer.xattr("bin/refused", content=b"m", trusted__overlay__opaque="y")
    layer.xattr("bin/link", SYM, link="ping", user__no="links have none")
    layer.xattr("dev/fifo", FIFO, user__no="pipes have none")
    layer.xattr("with", DIR, user__of="a folder")


def names(layer):
    layer.add("./dot/file", content=b"x")
    layer.add("/slash/file", content=b"x")
    layer.add("double//slash///file", content=b"x")
    layer.add("a/./b", content=b"x")
    layer.add("./", DIR, mode=0o700)  # the root's own attributes are not taken
    layer.add("space in name/\tand\nmore", content=b"x")
    layer.add("ümlaut/文件/🙂", content=b"x")
    layer.add("\udcff\udcfe-not-utf8", content=b"x", form=tarfile.GNU_FORMAT)
    long = "/".join(["n" * 60] * 4)
    layer.add(long + "/pax-" + "p" * 150, content=b"x")
    layer.add("gnu/" + long + "/" + "g" * 150, content=b"x", form=tarfile.GNU_FORMAT)
    layer.add("gnu/link", SYM, link="target/" * 40, form=tarfile.GNU_FORMAT)
    layer.add("pax-link", SYM, link="target/" * 40)
    layer.add("u" * 90 + "/" + "v" * 90, content=b"x", form=tarfile.USTAR_FORMAT)
    layer.add("gnu/hard", LNK, link="gnu/" + long + "/" + "g" * 150, form=tarfile.GNU_FORMAT)
    layer.add("x" * 255, content=b"x")
    layer.add(".whatever", content=b"no whiteout")
    layer.add("whiteout.wh.no", content=b"no whiteout")


def times(layer):
    for name, value in (("nanoseconds", "1577836800.123456789"), ("many", "1.0123456789999"),
                        ("tenth", "5.1"), ("negative", "-1"), ("fraction", "-1.5"),
                        ("far", "9223372036"), ("too-far", "9300000000"),
                        ("whole", "1577836800"), ("dot", "12.")):
        layer.add("t/" + name, content=b"t", mtime=value)
        layer.add("t/folder-" + name + "/", DIR, mtime=value)
        layer.add("t/folder-" + name + "/child", content=b"t")
        layer.add("t/link-" + name, SYM, link="x", mtime=value)
    layer.add("t/later-access", content=b"t", mtime="100", atime="200.5")
    layer.add("t/earlier-access", content=b"t", mtime="300", atime="200")
    layer.add("t/ids", content=b"t", uid="4294967294", gid="3000000000")
    layer.add("t/device", CHR, device=(1, 3), mtime="7.7")


def metadata_only(layer):
    for name in ("etc", "usr", "opt/a", "attributed", "sticky", "h"):
        layer.add(name + "/", DIR, mode=layer.rng.choice([0o700, 0o755, 0o1777, 0o2750]))
    layer.xattr("usr/lib/", DIR, user__changed="above")


def implicit_parents(layer):
    """Folders on the way get the attributes that they have below."""
    for name in ("attributed/new", "sticky/new", "setgid/new", "secret/new", "opt/a/b/new", "lib/new",
                 "absolute/new", "usr/lib/more/new", "todir/new", "not/there/before",
                 "up/new", "etc/new"):
        layer.add(name, content=name.encode())
    layer.add("opt/a/.wh.b2")
    layer.add("usr/bin/.wh.tool")


def empty(_):
    pass


def at_random(layer, seen):
    rng = layer.rng
    for _ in range(rng.randrange(1, 40)):
        parent = rng.choice(sorted(seen["folders"]))
        name = (parent + "/" if parent else "") + f"r{rng.randrange(60)}"
        folder_gone = any(name.startswith(path + "/") for path in layer.touched - seen["folders"])
        if name in layer.touched or folder_gone or any(
                path.startswith(name + "/") for path in layer.touched):
            continue
        kind = rng.randrange(12)
        if kind < 4:
            layer.add(name, content=rng.randbytes(rng.choice([0, 1, 511, 512, 513, 70000])),
                      mode=rng.choice([0o644, 0o755, 0o4711, 0o400]))
            forget(seen, name)
            seen["files"].add(name)
        elif kind < 6:
            layer.add(name + "/", DIR, mode=rng.choice([0o755, 0o700, 0o3777]))
            forget(seen, name) if name not in seen["folders"] else None
            seen["folders"].add(name)
        elif kind == 6:
            layer.add(name, SYM, link=rng.choice(["x", "/etc", "../..", name]))
            forget(seen, name)
            seen["files"].add(name)
        elif kind == 7 and (seen["files"] & layer.touched):
            target = rng.choice(sorted(seen["files"] & layer.touched))
            layer.add(name, LNK, link=target)
            forget(seen, name)
            seen["files"].add(name)
        elif kind == 8 and name in seen["files"] | seen["folders"]:
            layer.add(os.path.dirname(name) + "/.wh." + os.path.basename(name)
                      if parent else ".wh." + name)
            layer.touched.add(name)
            forget(seen, name)
        elif kind == 9 and parent:
            if (not any(path.startswith(parent + "/") for path in layer.touched)
                    and parent + "/.wh..wh..opq" not in layer.touched):
                layer.add(parent + "/.wh..wh..opq")
                for path in [p for p in seen["files"] | seen["folders"]
                             if p.startswith(parent + "/")]:
                    forget(seen, path)
        elif kind == 10:
            layer.add(name, rng.choice([CHR, BLK, FIFO]), mode=0o620,
                      device=(rng.randrange(1, 200), rng.randrange(300)))
            forget(seen, name)
            seen["files"].add(name)
        else:
            layer.xattr(name, content=b"attributed", user__r=str(rng.random()))
            forget(seen, name)
            seen["files"].add(name)


def forget(seen, name):
    for group in seen.values():
        for path in [p for p in group if p == name or p.startswith(name + "/")]:
            group.discard(path)


def sparse(layer):
    """Left to containerd: in the format of GNU tar, PAX 1.0."""
    layer.add("before", content=b"x")
    content = b"2\n0\n4\n9996\n4\n".ljust(512, b"\0") + b"headtail"
    layer.add("GNUSparseFile.1/holes", content=content, GNU__sparse__major="1",
              GNU__sparse__minor="0", GNU__sparse__name="holes", GNU__sparse__realsize="10000")


def compressed(tar, number):
    kind = number % 5
    oci = "application/vnd.oci.image.layer.v1.tar"
    if kind == 0:
        return tar, oci
    if kind == 1:
        return subprocess.run(["zstd", "-qc"], input=tar, stdout=subprocess.PIPE,
                              check=True).stdout, oci + "+zstd"
    if kind == 2:  # two members
        half = len(tar) // 2
        return (gzip.compress(tar[:half], mtime=0) + gzip.compress(tar[half:], mtime=0),
                oci + "+gzip")
    return (gzip.compress(tar, mtime=0),
            oci + "+gzip" if kind == 3 else "application/vnd.docker.image.rootfs.diff.tar.gzip")


def main():
    folder = sys.argv[1]
    images, depth = (int(x) for x in (sys.argv[2:] + ["20", "10"][len(sys.argv) - 2:]))
    os.makedirs(folder + "/blobs/sha256")

    def put(content, media_type):
        digest = hashlib.sha256(content).hexdigest()
        with open(f"{folder}/blobs/sha256/{digest}", "wb") as out:
            out.write(content)
        return {"mediaType": media_type, "digest": "sha256:" + digest, "size": len(content)}

    rng = random.Random(118)
    kinds = [base, links, whiteouts, replaced, special, names, times, metadata_only,
             implicit_parents, empty]
    index, number = [], 0
    for image in range(images):
        layers, diffs = [], []
        seen = {"folders": {""}, "files": set()}
        for position in range(depth):
            layer = Layer(rng, tarfile.GNU_FORMAT if rng.random() < 0.1 and image else
                          tarfile.PAX_FORMAT)
            if image == images - 1 and position == 2:
                layer.form = tarfile.PAX_FORMAT
                sparse(layer)
            elif image % 4 == 0:
                layer.form = tarfile.PAX_FORMAT
                kinds[position % len(kinds)](layer)
            else:
                at_random(layer, seen)
            tar = layer.done()
            number += 1
            blob, media_type = compressed(tar, number)
            layers.append(put(blob, media_type))
            diffs.append("sha256:" + hashlib.sha256(tar).hexdigest())
        config = put(json.dumps({"architecture": "amd64", "os": "linux", "number": image,
                                 "rootfs": {"type": "layers", "diff_ids": diffs}}).encode(),
                     "application/vnd.oci.image.config.v1+json")
        manifest_type = "application/vnd.oci.image.manifest.v1+json"
        manifest = put(json.dumps({"schemaVersion": 2, "mediaType": manifest_type,
                                   "config": config, "layers": layers}).encode(), manifest_type)
        name = f"example.com/kinds/{image}:1"
        manifest["annotations"] = {"io.containerd.image.name": name,
                                   "org.opencontainers.image.ref.name": "1"}
        index.append(manifest)
    with open(folder + "/index.json", "w") as out:
        json.dump({"schemaVersion": 2, "manifests": index}, out)
    with open(folder + "/oci-layout", "w") as out:
        out.write('{"imageLayoutVersion":"1.0.0"}')


main()
