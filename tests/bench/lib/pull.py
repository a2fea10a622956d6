"""Pulling both sets: over loopback to memory and to disk, over slow lines, over one that resets."""
import os
import shlex
import shutil
import sys

import lines
import report
import tools

TOOLS = ["kbundle", "crane", "regctl", "skopeo"]
RE_RUNS = 3
LONGEST = 90  # seconds that one start may take on a line that resets


def command(tool, host, images, out, work):
    references = [f"{host}/{image}" for image in images]
    if tool == "kbundle":
        return shlex.join([tools.KBUNDLE, "--progress", "quiet", "pull", *references, "-o", out,
                           "--plain-http", host, "--arch", "amd64"])
    if tool == "crane":
        return shlex.join(["crane", "pull", "--format=oci", "--insecure",
                           "--platform=linux/amd64", *references, out])
    if tool == "regctl":  # one process an image: it has no command for several
        return "\n".join(shlex.join(
            ["regctl", "--host", f"reg={host},tls=disabled", "image", "copy",
             "--platform=linux/amd64", reference, f"ocidir://{out}:{number}"])
            for number, reference in enumerate(references))
    # dir: keeps the digests; its oci: turns Docker's manifests into other ones.
    wanted = f"{work.home}/sync.yml"
    with open(wanted, "w") as file:
        file.write(f'"{host}":\n  tls-verify: false\n  images:\n')
        for image in images:
            repository, tag = image.rsplit(":", 1)
            file.write(f"    {repository}: [{tag}]\n")
    return shlex.join(["skopeo", "--override-arch=amd64", "sync", "--src=yaml", "--dest=dir", wanted,
                       out])


def once(work, tool, image_set, host, on_disk):
    out = work.folder(tool, on_disk)
    text = command(tool, host, image_set.images, out, work)
    if on_disk:
        os.system("sync -f " + shlex.quote(out))
        if tool != "kbundle":
            text += "\nsync -f " + shlex.quote(out)
    measured = work.measure(text)
    if measured.status != 0:
        sys.exit(f"{tool} failed ({measured.status}):\n{measured.said}")
    image_set.check_folder(out, tool)
    shutil.rmtree(out)
    return measured


def compare(work, image_set, on_disk, count, title):
    results = {tool: [] for tool in TOOLS}
    for _, tool in tools.rounds(TOOLS, count):
        results[tool].append(once(work, tool, image_set, f"127.0.0.1:{image_set.port}", on_disk))
    return report.times_table(f"pull, {image_set.name}, {title}", results)


def compare_lines(work, image_set, far, count, title):
    results = {tool: [] for tool in TOOLS}
    for _ in range(count):
        for tool, measured in far.at_once(
                TOOLS, lambda tool, line: once(work, tool, image_set, line.host(image_set), False)
        ).items():
            results[tool].append(measured)
    return report.times_table(f"pull, {image_set.name}, {title}", results)


def until_done(work, tool, image_set, far, seed):
    """Starts a tool again and again; starts, seconds in all, bytes in all, whether it finished."""
    out, host = work.folder(tool), far.host(image_set)
    wall = memory = 0.0
    before = far.bytes_in()
    with lines.Resets(far, seed):
        for start in range(1 + RE_RUNS):
            measured = work.measure(command(tool, host, image_set.images, out, work), LONGEST)
            wall += measured.wall
            memory = max(memory, measured.memory)
            if measured.status == 0:
                break
    came = far.bytes_in() - before
    finished = measured.status == 0
    if finished:
        image_set.check_folder(out, tool)
    shutil.rmtree(out)
    return start + 1, wall, came, finished, memory


def resetting(work, image_set, far, count):
    table = report.Table(
        f"pull, {image_set.name}, the line of {lines.RATE} Mbit/s in all and {lines.DELAY} ms, "
        f"every connection reset each 2 to 4 s; started up to {1 + RE_RUNS} times",
        ["tool", "finished", "starts", "seconds in all", "came in, of the set's size", "VmHWM MB"])
    runs = {tool: [] for tool in TOOLS}
    for seed in range(count):
        for tool, result in far.at_once(
                TOOLS, lambda tool, line: until_done(work, tool, image_set, line, seed)).items():
            runs[tool].append(result)
    for tool, some in runs.items():
        starts, walls, came, finished, memory = zip(*some)
        table.add([tool, f"{sum(finished)} of {len(some)}", report.spread(starts, 0),
                   report.spread(walls, 1), report.spread([c / image_set.size for c in came], 2),
                   f"{max(memory):.1f}"])
    return table


def run(work, image_sets, quick):
    for image_set, count in zip(image_sets, (7, 5)):
        for on_disk, where in ((False, "to memory"), (True, "to disk and synced")):
            yield compare(work, image_set, on_disk, 3 if quick else count, f"loopback, {where}")
    if quick:
        return
    far = lines.Lines.of(work, image_sets, TOOLS)
    line = f"{lines.RATE} Mbit/s {{}}, {lines.DELAY} ms"
    far.shape(shared=True)
    for image_set in image_sets:
        yield compare_lines(work, image_set, far, 2, line.format("in all"))
    yield resetting(work, image_sets[0], far, 2)
    far.shape(shared=False)
    yield compare_lines(work, image_sets[0], far, 2, line.format("each connection"))
