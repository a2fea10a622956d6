"""Strikes kbundle at one system call after the other and runs it again.

usage: sweep.py LAYERS_FOLDER KEY_FINGERPRINT [SCENARIO...]

Only kbundle's main thread is traced: it is the one that publishes files, and strace counts calls
per thread. Its children run untouched; what they leave when kbundle dies is the subject, too.
"""
import collections
import concurrent.futures
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
POINTS = int(os.environ.get("KBUNDLE_TEST_POINTS", "2"))
AT_ONCE = os.cpu_count() or 1
# Where an install leaves something; calls elsewhere (progress, pipes) are not struck.
PLACES = ("/etc/", "/usr/", "/opt/", "/var/lib/", "/root/", "/run/kbundle")
CALLS = ("write", "fsync", "rename", "renameat2", "openat", "unlink", "unlinkat", "ftruncate", "mkdir", "mkdirat",
         "fchmod", "copy_file_range")
REFUSALS = (("write", "ENOSPC"), ("openat", "ENOSPC"), ("fsync", "EIO"), ("rename", "EIO"))
# Different in each run by nature: times, and what the runtime's fake sorts.
VARIES = re.compile(r"^/(var/lib/kbundle/(journal|join-ticket\.json|snapshot\.json|before/.*)"
                    r"|var/lib/kbundle/backup/.*|etc/kubernetes/tmp/kubeadm-backup-manifests/.*"
                    r"|var/lib/fake/.*|var/lib/containerd/.*|var/log/.*|run/.*|tmp/.*|var/cache/.*)$")
# Random tokens, that an install makes and an upgrade keeps.
SECRETS = "/var/lib/kbundle/kubeadm.yaml"


class Failure(Exception):
    pass


def entry(path):
    """(kind, mode, content) of what lies there."""
    status = os.lstat(path)
    kind = status.st_mode >> 12
    content = ""
    if kind == 8:
        with open(path, "rb") as file:
            content = file.read()
        if path.endswith("/receipt.json"):
            content = json.dumps({**json.loads(content), "installed": ""}).encode()
        content = hashlib.sha256(content).hexdigest()
    elif kind == 10:
        content = os.readlink(path)
    return kind, status.st_mode & 0o7777 if kind == 8 else 0, content


class World:
    """One node: an overlay over the machine, thrown away with its folder."""

    def __init__(self, layers, name, below):
        self.folder = os.path.join(layers, name)
        self.below = below
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)

    def run(self, *command):
        return subprocess.run(
            ["unshare", "--mount", "--uts", "--net", "--ipc", "--pid", "--fork", "--kill-child", "--propagation", "private",
             os.path.join(HERE, "world"), self.folder, self.below, *command],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300)

    @property
    def upper(self):
        return os.path.join(self.folder, "upper")

    def tree(self):
        """What was changed: {path: (kind, mode, content)}."""
        found = {}
        for folder, folders, files in os.walk(self.upper):
            for name in files + folders:
                path = os.path.join(folder, name)
                shown = path[len(self.upper):]
                if VARIES.match(shown) or VARIES.match(shown + "/"):
                    continue
                found[shown] = entry(path)
        return found

    def before(self, path):
        """The entry of a path as the layers below have it."""
        for layer in self.below.split(":"):
            if os.path.lexists(layer + path):
                return entry(layer + path)
        return None


class Sweep:
    def __init__(self, layers, name, below, command):
        self.layers, self.name, self.below, self.command = layers, name, below, command

    def fail(self, what, result):
        raise Failure(f"{self.name}: {what}\n{result.stdout[-1500:]}")

    def undisturbed(self):
        world = World(self.layers, "undisturbed", self.below)
        trace = os.path.join("/tmp", "trace")
        result = world.run("sh", "-c", f'strace -y -qq -e trace={",".join(CALLS)} -o {trace} "$@"; status=$?; cat {trace} >/var/cache/trace; exit $status',
                           "sh", *self.command)
        if result.returncode != 0:
            self.fail(f"an undisturbed run ends with {result.returncode}", result)
        self.wanted = world.tree()
        numbers = {}
        self.points = {call: [] for call in CALLS}
        with open(os.path.join(world.upper, "var/cache/trace")) as file:
            for line in file:
                call = line.split("(", 1)[0]
                if call not in self.points:
                    continue
                numbers[call] = numbers.get(call, 0) + 1
                changes = call != "openat" or "O_WRONLY" in line or "O_RDWR" in line or "O_CREAT" in line
                if changes and any(place in line for place in PLACES):
                    self.points[call].append(numbers[call])
        return world

    def chosen(self, call):
        numbers = self.points[call]
        if POINTS == 0 or len(numbers) <= POINTS:
            return numbers
        step = len(numbers) / POINTS
        return sorted({numbers[int(i * step)] for i in range(POINTS)} | {numbers[-1]})

    def strike(self, call, number, action):
        """One run with the NUMBERth CALL struck, and the same command again. What became of it, as a word."""
        world = World(self.layers, f"struck-{threading.get_ident()}", self.below)
        what = f"{action} at {call} {number}"
        result = world.run("strace", "-qq", "-e", f"trace={call}", "-e", f"inject={call}:{action}:when={number}", "-o", "/dev/null",
                           *self.command)
        if result.returncode == 0:
            word = "went on"  # what was struck is a convenience, or comes again
        elif "signal" in action and result.returncode == 137:
            word = "killed"
        elif "error" in action and result.returncode in (6, 8):
            word = "refused"
            if "error:" not in result.stdout or "next:" not in result.stdout:
                self.fail(f"{what}: no error with a next step", result)
        else:
            self.fail(f"{what}: exit {result.returncode}", result)
        again = world.run(*self.command)
        if again.returncode != 0:
            self.fail(f"{what}, then again: exit {again.returncode}\nthe first run:\n{result.stdout[-2500:]}\nthe second", again)
        self.compare(world, what, again)
        return word

    def compare(self, world, what, result):
        found = world.tree()
        wrong = []
        for path in sorted(self.wanted.keys() | found.keys()):
            if path == SECRETS and self.name == "install":
                continue
            # What was written again as it had been counts as untouched.
            wanted = self.wanted[path] if path in self.wanted else world.before(path)
            if wanted != found.get(path):
                wrong.append(f"{path}: wanted {wanted}, found {found.get(path)}")
        if wrong:
            self.fail(f"{what}, then again: not as after an undisturbed run: " + "; ".join(wrong[:12]), result)

    def run(self):
        self.undisturbed()
        strikes = [(call, number, "signal=KILL") for call in CALLS for number in self.chosen(call)]
        strikes += [(call, number, f"error={error}") for call, error in REFUSALS for number in self.chosen(call)]
        counts = collections.Counter()
        failures = []
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            for future in [pool.submit(self.strike, *strike) for strike in strikes]:
                try:
                    counts[future.result()] += 1
                except Failure as failure:
                    failures.append(failure)
        all_points = sum(len(numbers) for numbers in self.points.values())
        print(f"{self.name}: {all_points} calls that change something, struck {len(strikes)}: "
              f"{counts['killed']} killed, {counts['refused']} refused, {counts['went on']} went on all the same; "
              + (f"{len(failures)} FAILED" if failures else "after one more run each is as an undisturbed one"), flush=True)
        if failures:
            # All in brief, one whole.
            raise Failure("\n".join(str(failure).split("\n", 1)[0] for failure in failures) + f"\n-- {failures[0]}")
        if counts["killed"] * 3 < len(strikes):
            raise Failure("strace hardly ever struck")


def main():
    layers, fingerprint, *wanted = sys.argv[1:]
    base = os.path.join(layers, "base") + ":/"
    usb = "/media/usb/"
    trust = ["--key", usb + "kbundle.pub", "--key-fingerprint", fingerprint]
    upgrade = [usb + "kbundle", "upgrade", usb + "kubernetes-v1.18.10-linux-amd64.tar.zst", "--drain", "--ignore-preflight-errors", "all", *trust]
    install = [usb + "kbundle", "install", usb + "kubernetes-v1.18.2-linux-amd64.tar.zst", "--role", "master", "--node-ip", "10.99.0.1",
               "--ignore-preflight-errors", "all", *trust]
    node = World(layers, "installed", base)
    result = node.run(*install)
    if result.returncode != 0:
        print(f"FAILED: the install: exit {result.returncode}\n{result.stdout}")
        sys.exit(1)
    installed = node.upper + ":" + base
    reset = [usb + "kbundle", "reset", "--yes"]
    scenarios = {"install": (base, install), "upgrade": (installed, upgrade), "reset": (installed, reset)}
    failed = False
    for name in wanted or scenarios:
        try:
            Sweep(layers, name, *scenarios[name]).run()
        except Failure as failure:
            print(f"FAILED: {failure}", flush=True)
            failed = True
    sys.exit(failed)


if __name__ == "__main__":
    main()
