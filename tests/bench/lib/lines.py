"""Lines that are not loopback: a network namespace of its own for the registry, behind toxiproxy.

The test kernel may lack netem, so the delay is toxiproxy's (on what comes from the registry, so one
round trip of a request takes it once; opening a connection does not), and so are the resets. The
rate of the whole line is the kernel's token bucket; toxiproxy's own limit holds for each connection.
"""
import concurrent.futures
import json
import os
import random
import subprocess
import sys
import threading
import time
import urllib.request

import sets
import tools

RATE = 100  # Mbit/s
DELAY = 50  # ms


def loopback_up():
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


class Far:
    """The other end of one line; `host(image_set)` is where that set's registry is reached,
    `push_host` where the one is that start_registry() starts."""

    def __init__(self, work, image_sets, number):
        self.work, self.names, self.ports = work, [], {}
        self.device = f"near{number}"
        near, self.address = f"10.99.{number}.1", f"10.99.{number}.2"
        anchor = work.start(["unshare", "--net", "sleep", "infinity"])
        own = os.readlink("/proc/self/ns/net")
        for _ in range(100):
            if os.readlink(f"/proc/{anchor.pid}/ns/net") != own:
                break
            time.sleep(0.02)
        self.enter = ["nsenter", "-t", str(anchor.pid), "-n"]
        for command in (f"ip link add {self.device} type veth peer name far netns {anchor.pid}",
                        f"ip addr add {near}/30 dev {self.device}",
                        f"ip link set {self.device} up"):
            subprocess.run(command.split(), check=True)
        for command in (f"ip addr add {self.address}/30 dev far", "ip link set far up",
                        "ip link set lo up"):
            subprocess.run([*self.enter, *command.split()], check=True)
        work.start([*self.enter, f"{tools.CACHE}/server", "-host", self.address, "-port", "8474"])
        tools.wait_for(f"http://{self.address}:8474/version")
        for number, image_set in enumerate(image_sets):
            upstream, listen, name = 5000 + number, 6000 + number, f"set{number}"
            sets.start_registry(work, image_set.storage, port=upstream, enter=self.enter)
            self.proxy(name, listen, upstream)
            self.ports[image_set.name] = listen
            tools.wait_for(f"http://{self.address}:{listen}/v2/")
        self.proxy("push", 6100, 5100)
        self.push_host = f"{self.address}:6100"

    def call(self, method, path, document=None):
        data = None if document is None else json.dumps(document).encode()
        request = urllib.request.Request(f"http://{self.address}:8474{path}", data, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def proxy(self, name, listen, upstream):
        self.call("POST", "/proxies",
                  {"name": name, "listen": f"{self.address}:{listen}", "enabled": True,
                   "upstream": f"127.0.0.1:{upstream}"})
        self.names.append(name)

    def start_registry(self, storage):
        child, _ = sets.start_registry(self.work, storage, False, 5100, enter=self.enter)
        tools.wait_for(f"http://{self.push_host}/v2/")
        return child

    def host(self, image_set):
        return f"{self.address}:{self.ports[image_set.name]}"

    def shape(self, shared):
        """RATE for the line as a whole, or for each connection; DELAY in both."""
        for name in self.names:
            for toxic in self.call("GET", f"/proxies/{name}/toxics"):
                self.call("DELETE", f"/proxies/{name}/toxics/{toxic['name']}")
            self.toxic(name, "latency", latency=DELAY)
            if not shared:
                self.toxic(name, "bandwidth", rate=RATE * 1000 // 8)
        verb = "replace" if shared else "delete"
        bucket = f"tbf rate {RATE}mbit burst 128k limit 1m".split() if shared else []
        for enter, device in ((self.enter, "far"), ([], self.device)):
            done = subprocess.run([*enter, "tc", "qdisc", verb, "dev", device, "root", *bucket],
                                  capture_output=True, text=True)
            if shared and done.returncode != 0:
                sys.exit(f"this kernel has no token bucket (sch_tbf): {done.stderr}")

    def toxic(self, name, kind, **attributes):
        self.call("POST", f"/proxies/{name}/toxics",
                  {"name": kind, "type": kind, "toxicity": 1.0, "stream": "downstream",
                   "attributes": attributes})

    def bytes_in(self):
        """What came to this side since it was made, headers and resent segments included."""
        with open("/proc/self/net/dev") as file:
            for line in file:
                if line.strip().startswith(self.device + ":"):
                    return int(line.split(":")[1].split()[0])
        return 0


class Lines:
    """A line for each tool, all alike: they run at the same time, as they hardly need a processor."""

    @classmethod
    def of(cls, work, image_sets, names):
        """One in a run."""
        if not hasattr(work, "lines"):
            work.lines = cls(work, image_sets, names)
        return work.lines

    def __init__(self, work, image_sets, names):
        self.far = {name: Far(work, image_sets, number) for number, name in enumerate(names)}

    def shape(self, shared):
        for far in self.far.values():
            far.shape(shared)

    def at_once(self, names, work):
        """work(tool, its line) for each tool, side by side; tool: result."""
        with concurrent.futures.ThreadPoolExecutor(len(names)) as pool:
            futures = {name: pool.submit(work, name, self.far[name]) for name in names}
            return {name: future.result() for name, future in futures.items()}


class Resets:
    """While it is open, every connection through a line is reset at random moments, the same for
    the same seed."""

    def __init__(self, far, seed, least=2.0, most=4.0):
        self.far, self.random, self.between = far, random.Random(seed), (least, most)
        self.over, self.count = threading.Event(), 0

    def __enter__(self):
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()

    def run(self):
        while not self.over.wait(self.random.uniform(*self.between)):
            for name in self.far.names:
                self.far.toxic(name, "reset_peer", timeout=0)
            time.sleep(0.1)
            for name in self.far.names:
                self.far.call("DELETE", f"/proxies/{name}/toxics/reset_peer")
            self.count += 1
