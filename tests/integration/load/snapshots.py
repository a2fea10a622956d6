#!/usr/bin/env python3
"""What containerd holds of images, file by file, and a comparison of two such notes.

usage: snapshots.py note FILE            of the containerd that ctr reaches
       snapshots.py compare BEGIN A B    times behind BEGIN (seconds) count as "now"
"""
import hashlib
import json
import os
import re
import stat
import subprocess
import sys


def ctr(*arguments):
    return subprocess.run(["ctr", "-n", "k8s.io", *arguments], check=True,
                          stdout=subprocess.PIPE, text=True).stdout


def folder_of(chain):
    key = "note-" + chain[7:19]
    mounts = json.loads(ctr("snapshots", "--snapshotter", "overlayfs", "view", "--mounts", key, chain))
    # containerd's collector may be faster: nothing holds a view of `ctr`'s.
    subprocess.run(["ctr", "-n", "k8s.io", "snapshots", "--snapshotter", "overlayfs", "rm", key],
                   stderr=subprocess.DEVNULL)
    if mounts[0]["Type"] == "bind":
        return mounts[0]["Source"]
    lower = [option for option in mounts[0]["Options"] if option.startswith("lowerdir=")]
    return lower[0][len("lowerdir="):].split(":")[0]


def entry(path, status):
    kind = stat.S_IFMT(status.st_mode)
    result = {
        "type": oct(kind), "mode": oct(stat.S_IMODE(status.st_mode)),
        "owner": [status.st_uid, status.st_gid], "modified": status.st_mtime_ns,
        "xattrs": {name: os.getxattr(path, name, follow_symlinks=False).hex()
                   for name in sorted(os.listxattr(path, follow_symlinks=False))},
    }
    if kind == stat.S_IFREG:
        result["size"] = status.st_size
        with open(path, "rb") as content:
            result["sha256"] = hashlib.sha256(content.read()).hexdigest()
    elif kind == stat.S_IFLNK:
        result["link"] = os.fsencode(os.readlink(path)).hex()
    elif kind in (stat.S_IFCHR, stat.S_IFBLK):
        result["device"] = [os.major(status.st_rdev), os.minor(status.st_rdev)]
    if kind != stat.S_IFDIR:
        result["links"] = status.st_nlink
        result["accessed"] = status.st_atime_ns
    return result


def tree(root):
    entries, inodes = {}, {}
    for folder, folders, files in os.walk(root):
        # Before anything is read: reading changes the time of the last access.
        for name in [""] * (folder == root) + sorted(folders + files):
            path = os.path.join(folder, name) if name else root
            status = os.lstat(path)
            shown = os.fsencode(os.path.relpath(path, root)).decode("latin-1")
            entries[shown] = entry(path, status)
            if not stat.S_ISDIR(status.st_mode):
                inodes.setdefault(status.st_ino, []).append(shown)
    for group in inodes.values():
        for shown in group:
            entries[shown]["with"] = sorted(group)
    return entries


def note(target):
    chains = [line.split()[0] for line in ctr("snapshots", "--snapshotter", "overlayfs",
                                              "ls").splitlines()[1:]]
    # An import leaves what nothing refers to (the archive's index) to a collection that may come later.
    ctr("leases", "create", "--id", "judge")
    ctr("leases", "delete", "--sync", "judge")
    content = {}
    for line in ctr("content", "ls").splitlines()[1:]:
        # A column is filled up with tabs, by as many as the widest age or size asks for.
        words = re.split("\t+", line.rstrip())
        content[words[0]] = sorted(label for label in words[3].split(",")
                                   if not label.startswith("containerd.io/distribution"))
    images = sorted(line.split()[0] + " " + line.split()[2] for line in
                    ctr("images", "check").splitlines()[1:]
                    if " complete " in line and line.rstrip().endswith("true"))
    infos = {chain: json.loads(ctr("snapshots", "--snapshotter", "overlayfs", "info", chain))
             for chain in chains}
    with open(target, "w") as out:
        json.dump({"images": images, "content": content,
                   "snapshots": {chain: {"parent": infos[chain].get("Parent"),
                                         "kind": infos[chain]["Kind"],
                                         "labels": infos[chain].get("Labels"),
                                         "tree": tree(folder_of(chain))}
                                 for chain in chains}}, out)


def compare(begin, first, second):
    begin = float(begin) * 1e9
    a, b = (json.load(open(path)) for path in (first, second))
    differences = [f"{what}: {a[what]} and {b[what]}" for what in ("images", "content")
                   if a[what] != b[what]]
    count = 0
    kinds = {}
    for chain in sorted(a["snapshots"].keys() | b["snapshots"].keys()):
        one, two = (side["snapshots"].get(chain) for side in (a, b))
        if one is None or two is None:
            differences.append(f"{chain}: only on one side")
            continue
        for what in ("parent", "kind", "labels"):
            if one[what] != two[what]:
                differences.append(f"{chain} {what}: {one[what]} and {two[what]}")
        for path in sorted(one["tree"].keys() | two["tree"].keys()):
            left, right = one["tree"].get(path), two["tree"].get(path)
            for side in (left, right):
                for key in ("modified", "accessed"):
                    if side and side.get(key, 0) > begin and side[key] < begin + 86400e9:
                        side[key] = "now"
            count += 1
            if left != right:
                fields = sorted(k for k in (left or {}).keys() | (right or {}).keys()
                                if (left or {}).get(k) != (right or {}).get(k))
                differences.append(f"{chain[:19]} {path}: " + "; ".join(
                    f"{k} {(left or {}).get(k)} and {(right or {}).get(k)}" for k in fields))
            elif left:
                kind = {"0o100000": "files", "0o40000": "folders", "0o120000": "symbolic links",
                        "0o20000": "devices", "0o60000": "devices",
                        "0o10000": "pipes"}[left["type"]]
                if left.get("device") == [0, 0]:
                    kind = "whiteouts"
                kinds[kind] = kinds.get(kind, 0) + 1
                for name, found in (("hard-linked", left.get("links", 1) > 1),
                                    ("with attributes", bool(left["xattrs"])),
                                    ("opaque", "trusted.overlay.opaque" in left["xattrs"])):
                    kinds[name] = kinds.get(name, 0) + found
    for line in differences[:40]:
        print("differs: " + line[:400])
    print(f"{len(a['images'])} images, {len(a['snapshots'])} snapshots, {count} entries "
          f"({', '.join(f'{n} {k}' for k, n in sorted(kinds.items()))}): "
          + (f"{len(differences)} differences" if differences else "equal"))
    return 1 if differences or not count else 0


if sys.argv[1] == "note":
    note(sys.argv[2])
else:
    sys.exit(compare(*sys.argv[2:]))
