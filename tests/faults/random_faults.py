"""The faults of random-runs, each between `kbundle pull` and a registry, chosen by a seed.

Through toxiproxy stands Debian's docker-registry, so its bytes are right and its line is bad. What a
proxy cannot do (answers that are wrong by the protocol) the scripted registry does.
"""
import json
import socket
import struct
import subprocess
import threading
import time
import urllib.error
import urllib.request

from bad_registry import OCI_MANIFEST, BaseHandler, Server
from relay import Relay

MIB = 1 << 20


class ToxiproxyGone(Exception):
    pass


class Fault:
    """One run's. `honest`: every byte comes with the right status and range, so that what is fetched
    again is kbundle's doing."""

    honest = True
    kill_after = None  # seconds; of the first attempt

    def host(self):
        raise NotImplementedError

    def begin(self):
        """Before each start of kbundle."""

    def end(self):
        """When kbundle has ended: how many bytes were sent to it since begin()."""
        return 0

    def close(self):
        pass


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Toxiproxy:
    """A toxiproxy with one proxy, for one run: it does not survive for long that toxics come and go
    under load (v2.12.0 panics)."""

    def __init__(self, program, upstream):
        port = free_port()
        self.api = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen([program, "-host", "127.0.0.1", "-port", str(port)],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(200):
            try:
                made = self.call("POST", "/proxies", {
                    "name": "line", "listen": "127.0.0.1:0", "upstream": upstream, "enabled": True})
                break
            except (urllib.error.URLError, OSError):
                time.sleep(0.02)
        self.listen = made["listen"]

    def close(self):
        self.process.kill()
        self.process.wait()

    def call(self, method, path, document=None):
        data = None if document is None else json.dumps(document).encode()
        request = urllib.request.Request(self.api + path, data, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def set(self, kind, toxicity=1.0, **attributes):
        """Adds a toxic on what comes from the registry, or changes it."""
        document = {"name": kind, "type": kind, "stream": "downstream", "toxicity": toxicity,
                    "attributes": attributes}
        try:
            self.call("POST", "/proxies/line/toxics", document)
        except urllib.error.HTTPError as error:
            if error.code != 409:
                raise
            self.call("POST", f"/proxies/line/toxics/{kind}", document)


class BadLine(Fault):
    """kbundle, a relay that counts, toxiproxy, the real registry."""

    def __init__(self, random, program, registry, kind, size):
        self.random, self.kind = random, kind
        self.timers = []
        self.proxy = proxy = Toxiproxy(program, registry)
        self.relay = Relay(proxy.listen)
        toxicity = random.uniform(0.3, 1.0)
        self.text = kind
        if kind in ("cut", "cut and kill"):
            most = random.randint(1, size) if random.random() < 0.5 else \
                int(2 ** random.uniform(12, 20))
            proxy.set("limit_data", toxicity, bytes=most)
            self.text += f" after {most} bytes, toxicity {toxicity:.2f}"
        if kind == "reset":
            after = random.randint(0, 300)
            proxy.set("bandwidth", rate=30_000)
            proxy.set("reset_peer", toxicity, timeout=after)
            self.text += f" after {after} ms, toxicity {toxicity:.2f}"
        if kind in ("kill", "cut and kill"):
            seconds = random.uniform(0.2, 0.8)
            proxy.set("bandwidth", rate=max(1000, int(size / seconds / 1000)))
            self.kill_after = random.uniform(0.01, seconds * 1.1)
            self.text += f", killed after {self.kill_after:.3f} s"

    def host(self):
        return f"127.0.0.1:{self.relay.port}"

    def later(self, seconds, action):
        timer = threading.Timer(seconds, action)
        timer.daemon = True
        timer.start()
        self.timers.append(timer)

    def begin(self):
        self.before = self.relay.sent
        if self.kind == "dribble":  # 1 KB/s to 50 KB/s for a while, then well
            self.proxy.set("bandwidth", rate=self.random.randint(1, 50))
            self.later(self.random.uniform(0.2, 1.5), lambda: self.proxy.set("bandwidth", rate=50_000))
        if self.kind == "off":  # nobody there for a while
            self.proxy.set("bandwidth", rate=20_000)
            start = self.random.uniform(0, 0.4)
            self.later(start, self.relay.stop)
            self.later(start + self.random.uniform(0.1, 1.5), self.relay.start)

    def end(self):
        for timer in self.timers:
            timer.join()
        self.timers = []
        time.sleep(0.02)  # what is still on its way to the killed one fails
        return self.relay.sent - self.before

    def close(self):
        """Error when toxiproxy was gone: then the run says nothing about kbundle."""
        self.relay.stop()
        gone = self.proxy.process.poll()
        self.proxy.close()
        if gone is not None:
            raise ToxiproxyGone(f"toxiproxy ended with {gone}")


class ScriptedHandler(BaseHandler):
    def do_GET(self):
        script, image = self.server.script, self.server.image
        if self.path.startswith("/token"):
            return self.answer(200, b'{"token":"%s","expires_in":300}' % script.new_token().encode())
        if script.token_needed and not script.use_token(self.headers.get("Authorization", "")):
            return self.challenge(
                f'Bearer realm="http://127.0.0.1:{self.server.server_port}/token",service="s"')
        if "/manifests/" in self.path:
            data, digest = image.manifest, "manifest"
        else:
            digest = self.path.rsplit("/", 1)[1]
            data = image.blobs.get(digest)
        if data is None:
            return self.answer(404)
        what = script.next_fault(digest)
        wanted = self.wanted_range(data)
        first, last = wanted or (0, len(data) - 1)
        getattr(self, "do_" + what)(data, wanted, first, last)

    def head(self, data, wanted, first, last, length=None):
        self.send_response(206 if wanted else 200)
        if wanted:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
        # Of what should have come: a manifest asked for by tag has no other check.
        if "/manifests/" in self.path:
            self.send_header("Content-Type", OCI_MANIFEST)
            self.send_header("Docker-Content-Digest", self.server.image.digest)
        self.send_header("Content-Length", str(last - first + 1 if length is None else length))
        self.end_headers()

    def do_well(self, data, wanted, first, last):
        self.head(data, wanted, first, last)
        return self.send_bytes(data[first : last + 1])

    def part(self, data, wanted, first, last):
        """The first of it; how many bytes."""
        self.head(data, wanted, first, last)
        until = self.server.script.randint(first, last)
        self.close_connection = True
        return self.send_bytes(data[first:until])

    def do_cut(self, data, wanted, first, last):
        return self.part(data, wanted, first, last)

    def do_reset(self, data, wanted, first, last):
        sent = self.part(data, wanted, first, last)
        self.wfile.flush()
        # With this, close() resets the connection; what waits in the kernel is lost.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        return sent

    def do_stall(self, data, wanted, first, last):
        sent = self.part(data, wanted, first, last)
        time.sleep(self.server.script.uniform(0.2, 3))
        return sent

    def do_dribble(self, data, wanted, first, last):
        self.head(data, wanted, first, last)
        at = first
        end = time.monotonic() + self.server.script.uniform(0.1, 1)
        while at <= last and time.monotonic() < end:
            step = min(self.server.script.randint(1, 4096), last + 1 - at)
            if not self.send_bytes(data[at : at + step]):
                return at - first
            at += step
            time.sleep(0.01)
        return at - first + self.send_bytes(data[at : last + 1])

    def do_trouble(self, data, wanted, first, last):
        self.answer(self.server.script.choice([500, 502, 503, 504]), b"trouble")

    def do_too_many(self, data, wanted, first, last):
        self.answer(429, b"slow down", [("Retry-After", self.server.script.choice(["0", "1"]))])

    def do_whole(self, data, wanted, first, last):
        """200 for a range, and perhaps not all of it."""
        if not wanted or self.server.script.uniform(0, 1) < 0.3:
            return self.part(data, None, 0, len(data) - 1)
        return self.do_well(data, None, 0, len(data) - 1)

    def do_wrong_range(self, data, wanted, first, last):
        if not wanted:
            return self.part(data, wanted, first, last)
        text = self.server.script.choice([
            f"bytes 0-{last - first}/{len(data)}", f"bytes {first + 1}-{last}/{len(data)}",
            f"bytes {first}-{last}/{len(data) + 1}", f"bytes {first}-{last + 7}/{len(data) + 8}",
            f"bytes */{len(data)}", f"bytes {last}-{first}/{len(data)}", "bytes", "", "5-10/20",
            f"bytes {first}-{2**64 + last}/{2**64 + len(data)}"])
        self.answer(206, data[: last - first + 1], [("Content-Range", text)])

    def do_shifted(self, data, wanted, first, last):
        """The right Content-Range over the wrong bytes."""
        if not wanted or first == 0:
            return self.part(data, wanted, first, last)
        self.head(data, wanted, first, last)
        self.send_bytes(data[first - 1 : last])

    def do_flipped(self, data, wanted, first, last):
        wrong = bytearray(data)
        wrong[self.server.script.randint(first, last)] ^= 1 << self.server.script.randint(0, 7)
        return self.do_well(bytes(wrong), wanted, first, last)


class Script:
    """What the scripted registry does next. Thread-safe."""

    def __init__(self, random, kinds, chance, token_needed):
        self.random, self.kinds, self.chance = random, kinds, chance
        self.token_needed, self.tokens, self.token_number = token_needed, {}, 0
        self.lock = threading.RLock()
        self.burst = 0
        self.lied = set()

    def randint(self, first, last):
        with self.lock:
            return self.random.randint(first, last)

    def uniform(self, low, high):
        with self.lock:
            return self.random.uniform(low, high)

    def choice(self, choices):
        with self.lock:
            return self.random.choice(choices)

    def new_token(self):
        with self.lock:
            self.token_number += 1
            token = f"token-{self.token_number}"
            self.tokens[token] = self.random.randint(1, 6)  # requests that it is good for
            return token

    def use_token(self, authorization):
        token = authorization.removeprefix("Bearer ")
        with self.lock:
            if self.tokens.get(token, 0) == 0:
                return False
            self.tokens[token] -= 1
            return True

    def next_fault(self, digest):
        with self.lock:
            if self.burst > 0:
                self.burst -= 1
                return "trouble"
            if not self.kinds or self.random.random() >= self.chance:
                return "well"
            kind = self.random.choice(self.kinds)
            if kind == "trouble":
                self.burst = self.random.randint(0, 3)
            # Wrong bytes once for each blob: more often is a registry that nobody can pull from.
            if kind in ("flipped", "shifted"):
                if digest in self.lied:
                    return "well"
                self.lied.add(digest)
            return kind


SCRIPTS = {  # name: (kinds, honest, with tokens)
    "server cuts": (["cut"], True, False),
    "server resets": (["reset"], True, False),
    "503 bursts": (["trouble"], True, False),
    "429": (["too_many"], True, False),
    "silence": (["stall"], True, False),
    "server dribbles": (["dribble"], True, False),
    "token expires": (["cut"], True, True),
    "200 for a range": (["whole", "cut"], False, False),
    "wrong Content-Range": (["wrong_range", "cut"], False, False),
    "wrong bytes": (["flipped", "shifted", "cut"], False, False),
    "everything": (["cut", "reset", "stall", "dribble", "trouble", "too_many", "whole",
                    "wrong_range", "shifted", "flipped"], False, True),
}
LINES = ["cut", "cut and kill", "kill", "reset", "dribble", "off"]


class BadServer(Fault):
    def __init__(self, random, image, kind):
        kinds, self.honest, token = SCRIPTS[kind]
        chance = random.uniform(0.2, 0.7)
        self.script = Script(random, kinds, chance, token)
        self.text = f"{kind}, chance {chance:.2f}"
        if random.random() < 0.4:
            self.kill_after = random.uniform(0.01, 0.5)
            self.text += f", killed after {self.kill_after:.3f} s"
        self.server = Server(ScriptedHandler, image)
        self.server.script = self.script
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def host(self):
        return f"127.0.0.1:{self.server.server_port}"

    def begin(self):
        self.before = self.server.bytes_sent

    def end(self):
        time.sleep(0.02)
        return self.server.bytes_sent - self.before

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def choose(random, toxiproxy, registry, image, size):
    """A fault, and the name of its kind; half through each of the two."""
    if random.random() < 0.5:
        kind = random.choice(LINES)
        return "line: " + kind, BadLine(random, toxiproxy, registry, kind, size)
    kind = random.choice(list(SCRIPTS))
    return "server: " + kind, BadServer(random, image, kind)
