"""Pushing both sets into an empty docker-registry: over loopback, and over a slow line."""
import shlex
import shutil
import subprocess
import sys

import bundle
import lines
import pull
import report
import sets
import tools


class Sources:
    """What each tool pushes from, all in memory: kbundle its bundle; crane a layout an image, as it
    pushes a layout whole; regctl one layout; skopeo dir: folders."""

    def __init__(self, work, image_sets, layers):
        self.pushed = image_sets if layers else image_sets[:1]
        self.images = [(image_set, image) for image_set in self.pushed
                       for image in image_set.images]
        self.bundle = bundle.Bundle(work, image_sets, layers)
        self.crane, self.regctl, self.skopeo = (work.folder(name) for name in
                                                ("from-crane", "from-regctl", "from-skopeo"))
        for number, (image_set, image) in enumerate(self.images):
            host = f"127.0.0.1:{image_set.port}"
            for command in (
                    ["crane", "pull", "--format=oci", "--insecure", "--platform=linux/amd64",
                     f"{host}/{image}", f"{self.crane}/{number}"],
                    ["regctl", "--host", f"reg={host},tls=disabled", "image", "copy",
                     "--platform=linux/amd64", f"{host}/{image}", f"ocidir://{self.regctl}:{number}"],
                    ["skopeo", "--override-arch=amd64", "copy", "--src-tls-verify=false",
                     f"docker://{host}/{image}", f"dir:{self.skopeo}/{image.rsplit('/', 1)[-1]}"]):
                subprocess.run(command, check=True, env=work.environment, capture_output=True)

    def command(self, tool, host):
        if tool == "kbundle":
            return shlex.join([tools.KBUNDLE, "--progress", "quiet", "push", self.bundle.path, host,
                               "--plain-http", host, *self.bundle.trust])
        if tool == "skopeo":
            return shlex.join(["skopeo", "sync", "--src=dir", "--dest=docker",
                               "--dest-tls-verify=false", self.skopeo, host])
        text = []
        for number, (_, image) in enumerate(self.images):  # one process an image
            if tool == "crane":
                text.append(["crane", "push", "--insecure", f"{self.crane}/{number}",
                             f"{host}/{image}"])
            else:
                text.append(["regctl", "--host", f"reg={host},tls=disabled", "image", "copy",
                             f"ocidir://{self.regctl}:{number}", f"{host}/{image}"])
        return "\n".join(map(shlex.join, text))


class Target:
    """An empty docker-registry, made anew for each push; here or at the far end of a line."""

    def __init__(self, work, far):
        self.work, self.far = work, far

    def __enter__(self):
        self.storage = self.work.folder("pushed")
        if self.far is None:
            self.child, port = sets.start_registry(self.work, self.storage, readonly=False)
            self.host = f"127.0.0.1:{port}"
        else:
            self.child = self.far.start_registry(self.storage)
            self.host = self.far.push_host
        return self

    def __exit__(self, *_):
        self.work.stop(self.child)
        shutil.rmtree(self.storage)


def once(work, sources, tool, far):
    with Target(work, far) as target:
        measured = work.measure(sources.command(tool, target.host))
        if measured.status != 0:
            sys.exit(f"{tool} failed ({measured.status}):\n{measured.said}")
        for image_set in sources.pushed:
            image_set.check_storage(target.storage, tool)
    return measured


def compare(work, sources, names, far, count, title):
    results = {tool: [] for tool in names}
    if far is None:
        for _, tool in tools.rounds(names, count):
            results[tool].append(once(work, sources, tool, None))
    else:
        for _ in range(count):
            for tool, measured in far.at_once(
                    names, lambda tool, line: once(work, sources, tool, line)).items():
                results[tool].append(measured)
    what = " and ".join(image_set.name for image_set in sources.pushed)
    return report.times_table(f"push, {what}, {title}", results)


def run(work, image_sets, quick):
    names = list(pull.TOOLS)
    sources = [Sources(work, image_sets, layers) for layers in (False, True)]
    for each, count in zip(sources, (7, 5)):
        yield compare(work, each, names, None, 3 if quick else count, "loopback")
    if quick:
        return
    far = lines.Lines.of(work, image_sets, pull.TOOLS)
    far.shape(shared=True)
    yield compare(work, sources[0], names, far, 2, f"{lines.RATE} Mbit/s in all, {lines.DELAY} ms")
