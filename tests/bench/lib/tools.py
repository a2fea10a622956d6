"""The programs that are compared, folders to work in, processes, and measuring one command."""
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.normpath(os.path.join(HERE, "../../.."))
LAB = os.environ.get("KBUNDLE_LAB_CACHE", "/var/cache/kbundle-lab")
CACHE = os.path.join(LAB, "bench")
KBUNDLE = os.environ.get("KBUNDLE", os.path.join(ROOT, "build/release/kbundle"))
SITE = KBUNDLE + "-static"  # what serves at a site
MEMORY = "/dev/shm"  # a memory file system
PEERS = {  # program: module and version
    "crane": "github.com/google/go-containerregistry/cmd/crane@v0.22.1",
    "regctl": "github.com/regclient/regclient/cmd/regctl@v0.11.7",
    "server": "github.com/Shopify/toxiproxy/v2/cmd/server@v2.12.0",  # toxiproxy
}


def say(text):
    print(text, file=sys.stderr, flush=True)


def build_peers():
    go = subprocess.run([os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib/go")],
                        check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    for name, module in PEERS.items():
        marker = os.path.join(CACHE, f".{name}-{module.rsplit('@', 1)[1]}")
        if os.path.exists(marker) and os.path.exists(os.path.join(CACHE, name)):
            continue
        say(f"compiling {module}")
        os.makedirs(CACHE, exist_ok=True)
        subprocess.run([go, "install", module], check=True, cwd="/", env={
            **os.environ, "GOBIN": CACHE, "GOPATH": f"{LAB}/go", "GOCACHE": f"{LAB}/go-build",
            "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod -buildvcs=false", "CGO_ENABLED": "0"})
        open(marker, "w").close()
    for name in ("docker-registry", "skopeo", "tc", "g++"):
        if not shutil.which(name):
            sys.exit(f"{name} is missing: apt-get install docker-registry skopeo iproute2 g++")
    if not os.path.exists(KBUNDLE):
        sys.exit(f"{KBUNDLE} is missing: cmake --preset release && cmake --build --preset release")


class Measured:
    """One command's wall time and CPU time in seconds, peak memory of its largest process in MB."""

    def __init__(self, wall, cpu, memory, status, said):
        self.wall, self.cpu, self.memory, self.status, self.said = wall, cpu, memory, status, said


class Work:
    """Folders in memory and on disk, servers; all of it goes when the work ends."""

    def __enter__(self):
        os.makedirs(CACHE, exist_ok=True)
        self.memory = tempfile.mkdtemp(prefix="kbundle-bench-", dir=MEMORY)
        self.disk = tempfile.mkdtemp(prefix="work-", dir=CACHE)
        self.children = []
        self.home = self.folder("home")
        self.environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        self.environment.update(HOME=self.home, XDG_RUNTIME_DIR=self.home,
                                PATH=CACHE + ":" + os.environ["PATH"])
        for name in ("measure", "drain"):
            subprocess.run(["g++", "-std=c++20", "-O2", "-o", f"{self.memory}/{name}",
                            f"{HERE}/{name}.cpp"], check=True)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        return self

    def __exit__(self, *_):
        for child in reversed(self.children):
            self.stop(child)
        shutil.rmtree(self.memory, ignore_errors=True)
        shutil.rmtree(self.disk, ignore_errors=True)

    def folder(self, name, on_disk=False):
        return tempfile.mkdtemp(prefix=f"{name}-", dir=self.disk if on_disk else self.memory)

    def start(self, command, **options):
        options.setdefault("stdout", subprocess.DEVNULL)
        with open(os.path.join(self.memory, "servers.log"), "ab") as log:
            child = subprocess.Popen(command, stderr=log, stdin=subprocess.DEVNULL,
                                     env=self.environment, **options)
        self.children.append(child)
        return child

    def stop(self, child):
        if child in self.children:
            self.children.remove(child)
            child.terminate()
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()

    def measure(self, command, limit=120):
        """Runs a command (a list, or a text for sh) and says what it used. `limit` in seconds."""
        if isinstance(command, str):
            command = ["sh", "-ec", command]
        folder = self.folder("measured")
        figures, log = f"{folder}/figures", f"{folder}/log"
        with open(log, "wb") as output:
            child = subprocess.Popen([f"{self.memory}/measure", figures, *command], stdout=output,
                                     stderr=output, stdin=subprocess.DEVNULL, env=self.environment,
                                     start_new_session=True)
            try:
                child.wait(limit)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
                return Measured(limit, 0, 0, 124, "took too long")
        with open(figures) as file:
            wall, cpu, kib, status = file.read().split()
        with open(log, errors="replace") as file:
            said = file.read()[-2000:]
        return Measured(float(wall), float(cpu), int(kib) * 1024 / 1e6, int(status), said)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(url):
    for _ in range(200):
        try:
            return urllib.request.urlopen(url, timeout=5).read()
        except urllib.error.HTTPError:
            return b""
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    sys.exit(f"{url} does not answer")


def peak_memory(pid):
    """VmHWM of a process, in MB."""
    with open(f"/proc/{pid}/status") as file:
        for line in file:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    return 0.0


def rounds(names, count):
    """(round, name) so that each has its turn in every round, and goes first in its turn."""
    for i in range(count):
        for j in range(len(names)):
            yield i, names[(i + j) % len(names)]
