"""Serving whole layers of the v1.18.2 set to many clients, beside docker-registry and crane's."""
import hashlib
import os
import statistics
import subprocess
import sys
import time
import urllib.request

import bundle
import report
import sets
import tools

CLIENTS = [1, 8, 64]


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def check_bytes(port, image_set, server):
    for path in image_set.paths:
        hashed = hashlib.sha256()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as answer:
            while piece := answer.read(1 << 20):
                hashed.update(piece)
        if not path.endswith(hashed.hexdigest()):
            sys.exit(f"{server}: {path} is {hashed.hexdigest()}")


def load(work, image_set, port, clients, seconds):
    """Bytes and seconds of one load."""
    listed = "\n".join(f"{path} {size}" for path, size in image_set.paths.items())
    done = subprocess.run([f"{work.memory}/drain", str(port), str(clients), str(seconds)],
                          input=listed, capture_output=True, text=True, env=work.environment)
    if done.returncode != 0:
        sys.exit(f"port {port}, {clients} clients: {done.stderr}")
    count, took, _ = done.stdout.split()
    return int(count), float(took)


def start_kbundle(work, image_sets):
    content, port = bundle.Bundle(work, image_sets), tools.free_port()
    child = work.start([tools.SITE, "serve", content.path, "--listen", f"127.0.0.1:{port}",
                        "--plain-http", *content.trust])
    return child, port


def start_crane(work, image_set):
    port = tools.free_port()
    child = work.start(["crane", "registry", "serve", f"--address=127.0.0.1:{port}",
                        f"--disk={work.folder('crane-registry')}"])
    tools.wait_for(f"http://127.0.0.1:{port}/v2/")
    for image in image_set.images:
        subprocess.run(["crane", "copy", "--insecure", "--platform=linux/amd64",
                        f"127.0.0.1:{image_set.port}/{image}", f"127.0.0.1:{port}/{image}"],
                       check=True, env=work.environment, capture_output=True)
    return child, port


def start_all(work, image_sets):
    """Server: process and port. Each is a fresh one, so that its peak memory is of this load."""
    lab = image_sets[0]
    servers = {"kbundle": start_kbundle(work, image_sets)}
    servers["docker-registry"] = sets.start_registry(work, lab.storage)
    servers["crane registry"] = start_crane(work, lab)
    return servers


def run(work, image_sets, quick):
    lab = image_sets[0]
    seconds, count = (1, 1) if quick else (2, 3)
    rates, memory, cost = {}, {}, {}
    for clients in CLIENTS:
        servers = start_all(work, image_sets)
        for server, (_, port) in servers.items():
            tools.wait_for(f"http://127.0.0.1:{port}/v2/")
            check_bytes(port, lab, server)
        for _, server in tools.rounds(list(servers), count):
            child, port = servers[server]
            before = cpu_seconds(child.pid)
            got, took = load(work, lab, port, clients, seconds)
            time.sleep(0.2)  # what was on its way when the load ended
            rates.setdefault((server, clients), []).append(got / took / 1e9)
            cost.setdefault((server, clients), []).append(
                (cpu_seconds(child.pid) - before) / (got / 1e9))
        for server, (child, _) in servers.items():
            memory[server, clients] = tools.peak_memory(child.pid)
            work.stop(child)
    for clients in CLIENTS:
        table = report.Table(f"serve, v1.18.2 set, {clients} client{'s' * (clients > 1)}",
                             ["server", "GB/s", "of docker-registry", "CPU seconds a GB",
                              "VmHWM MB"], "GB/s")
        base = statistics.median(rates["docker-registry", clients])
        for server in (s for s, c in rates if c == clients):
            rate = statistics.median(rates[server, clients])
            table.add([server, report.spread(rates[server, clients], 2), f"{rate / base:.2f}",
                       report.spread(cost[server, clients], 2), f"{memory[server, clients]:.1f}"],
                      rate)
        yield table
