#!/usr/bin/env python3
"""A registry that misbehaves in the way that the repository's name says: "short:v1" is an image
whose layer breaks off. A name may go on after a dot ("short.twice"), to be counted apart.

usage: bad_registry.py LAYER_FILE [--other URL] [--tls CERT KEY]

Each repository holds one image: a config, and LAYER_FILE as its layer. It is the layer that goes
wrong; manifest and config are served as they should be, unless the fault is `everywhere`. A path
that is no image's (/v2/short/x) gives the layer's bytes in the same way, as a file server would.

It prints its port. GET /log gives one line per request, PATH|Range|Authorization; GET /sums what
was sent in all: "bytes=… connections=…"; GET /manifest the image's manifest.
"""
import argparse
import base64
import collections
import hashlib
import json
import socket
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
BASIC = "Basic " + base64.b64encode(b"tester:secret").decode()
GIGABYTE = 1 << 30


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Image:
    """Blobs by digest, and the manifest over them."""

    def __init__(self, layers, label="image"):
        config = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Labels": {"l": label}},
                             "rootfs": {"type": "layers",
                                        "diff_ids": [digest_of(l) for l in layers]}}).encode()
        self.layers = layers
        self.blobs = {digest_of(data): data for data in [config, *layers]}
        self.config_digest = digest_of(config)
        describe = lambda kind, data: {"mediaType": kind, "digest": digest_of(data),
                                       "size": len(data)}
        self.manifest = json.dumps({
            "schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": describe(OCI_CONFIG, config),
            "layers": [describe(OCI_LAYER, layer) for layer in layers]}).encode()
        self.digest = digest_of(self.manifest)


def everywhere(method):
    """Marks a fault that strikes manifests and configs as well."""
    method.everywhere = True
    return method


class BaseHandler(BaseHTTPRequestHandler):
    """Answers, right and wrong ones. The server has: image, other (a URL), log, counts, lock,
    bytes_sent, connections."""

    protocol_version = "HTTP/1.1"

    def setup(self):
        with self.server.lock:
            self.server.connections += 1
        super().setup()
        # What waits in the kernel is sent, but not received: a client that is killed loses it.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)

    def log_message(self, *arguments):
        pass

    def send_bytes(self, data):
        """How many went out before the client hung up."""
        sent = 0
        try:
            for at in range(0, len(data), 1 << 15):
                self.wfile.write(data[at : at + (1 << 15)])
                sent = min(at + (1 << 15), len(data))
        except OSError:
            self.close_connection = True
        with self.server.lock:
            self.server.bytes_sent += sent
        return sent

    def answer(self, status, body=b"", headers=(), length=None):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        return self.send_bytes(body)

    def endless(self, status, most=GIGABYTE):
        """No length, and no end that anybody should wait for."""
        self.send_response(status)
        self.end_headers()
        self.close_connection = True
        piece = b"x" * (1 << 18)
        for _ in range(most // len(piece)):
            if self.send_bytes(piece) < len(piece):
                return

    def cut(self, content, pause=0):
        """Promises all of the content, gives two thirds, and hangs up."""
        self.answer(200, content[: len(content) * 2 // 3], length=len(content))
        self.wfile.flush()
        time.sleep(pause)
        self.close_connection = True

    def wanted_range(self, content):
        """(first, last) that the client asks for; None without a Range."""
        wanted = self.headers.get("Range")
        if not wanted:
            return None
        first, last = wanted.removeprefix("bytes=").split("-")
        # An open range is an error of the client's: int("") makes it a 500, so to speak.
        return int(first), min(int(last), len(content) - 1)

    def give(self, content, headers=()):
        wanted = self.wanted_range(content)
        if wanted is None:
            return self.answer(200, content, headers)
        first, last = wanted
        return self.answer(206, content[first : last + 1], [
            ("Content-Range", f"bytes {first}-{last}/{len(content)}"), *headers])

    def give_manifest(self, image):
        return self.answer(200, image.manifest, [("Content-Type", OCI_MANIFEST),
                                                 ("Docker-Content-Digest", image.digest)])

    def challenge(self, parameters, body=b""):
        self.answer(401, body, [("WWW-Authenticate", parameters)])


class Handler(BaseHandler):
    def do_POST(self):
        form = self.rfile.read(int(self.headers["Content-Length"])).decode()
        with self.server.lock:
            self.server.log.append(f"{self.path}|{form}|{self.headers.get('Authorization', '')}")
        self.answer(200, b'{"access_token":"from-refresh"}')

    def do_GET(self):
        server = self.server
        if self.path == "/log":
            return self.answer(200, "\n".join(server.log).encode())
        if self.path == "/sums":
            return self.answer(200, b"bytes=%d connections=%d" % (server.bytes_sent, server.connections))
        if self.path == "/manifest":
            return self.answer(200, server.image.manifest)
        self.authorization = self.headers.get("Authorization", "")
        self.layer = server.image.layers[0]
        self.me = f"http://127.0.0.1:{server.server_port}"
        repository = self.path.split("/")[2] if self.path.count("/") > 2 else self.path
        honest = self.honest_answer()
        method = getattr(self, "on_" + repository.replace("-", "_").split(".")[0], None)
        strikes = honest is None or getattr(method, "everywhere", False)
        with server.lock:
            server.log.append(f"{self.path}|{self.headers.get('Range', '')}|{self.authorization}")
            server.counts[repository, strikes] += 1
            self.turn = server.counts[repository, strikes]
        if self.path.startswith("http://"):
            return self.answer(407, b"log in to the proxy")
        if self.path.startswith("/token"):
            return self.token()
        if method is None:
            return self.answer(404, b'{"errors":[{"code":"NAME_UNKNOWN"}]}')
        if strikes:
            return method()
        return honest()

    def honest_answer(self):
        """What gives the manifest or the config; None when the layer is asked for."""
        image, path = self.server.image, self.path.split("?")[0]
        if "/manifests/" in path:
            return lambda: self.give_manifest(image)
        if path.endswith(image.config_digest):
            return lambda: self.give(image.blobs[image.config_digest])
        return None

    def right_answer(self):
        (self.honest_answer() or (lambda: self.give(self.layer)))()

    def token(self):
        if "giant" in self.path:
            return self.answer(200, b'{"token":"' + b"x" * 100_000 + b'"}')
        if "evil" in self.path:
            return self.answer(200, b'{"token":"x\\r\\nX-Evil: y"}')
        self.answer(200, b'{"token":"token-%d","expires_in":300}' % self.turn)

    def on_good(self):
        self.give(self.layer)

    # -- 29: a server in trouble
    def on_flaky(self):
        self.answer(500 if self.turn == 1 else 503, b"oops") if self.turn < 3 else self.give(self.layer)

    def on_broken(self):
        self.answer(500, b"\x1b[31moops " + b"x" * 500)

    # -- 30: too many requests
    def on_busy(self):
        if self.turn == 1:
            return self.answer(429, b"slow down", [("Retry-After", "2")])
        self.give(self.layer)

    def on_quota(self):
        self.answer(429, b'{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your'
                         b' pull rate limit."}]}')

    def on_long_wait(self):
        self.answer(429, b"", [("Retry-After", "3600")])

    # -- 31, 32: bodies that break off, and what becomes of ranges
    def on_short(self):
        self.cut(self.layer) if self.turn == 1 else self.give(self.layer)

    def on_ignores_range(self):
        self.cut(self.layer) if self.turn == 1 else self.answer(200, self.layer)

    def on_refuses_range(self):
        if self.turn == 1:
            self.cut(self.layer)
        elif self.headers.get("Range"):
            self.answer(416)
        else:
            self.answer(200, self.layer)

    def on_lies_about_range(self):
        if self.turn == 1:
            self.cut(self.layer)
        elif self.headers.get("Range"):
            self.answer(206, self.layer[:100], [("Content-Range", f"bytes 0-99/{len(self.layer)}")])
        else:
            self.answer(200, self.layer)

    def on_shifts_range(self):
        """The right Content-Range over the wrong bytes: only the digest can tell."""
        if self.turn == 1:
            self.cut(self.layer)
        elif wanted := self.wanted_range(self.layer):
            first, last = wanted
            self.answer(206, self.layer[: last - first + 1],
                        [("Content-Range", f"bytes {first}-{last}/{len(self.layer)}")])
        else:
            self.answer(200, self.layer)

    def on_hopeless(self):
        if self.headers.get("Range"):
            return self.answer(206, self.layer[:100])
        self.cut(bytes(len(self.layer)))

    # -- 33: wrong bytes
    def on_wrong_once(self):
        self.answer(200, bytes(len(self.layer))) if self.turn == 1 else self.give(self.layer)

    def on_wrong(self):
        self.answer(200, bytes(len(self.layer)))

    def on_wrong_size(self):
        self.answer(200, self.layer + b"x")

    def on_endless(self):
        self.endless(200)

    @everywhere
    def on_manifest_mismatch(self):
        self.answer(200, b'{"schemaVersion":2}', [("Content-Type", OCI_MANIFEST),
                                                  ("Docker-Content-Digest", "sha256:" + "0" * 64)])

    # -- 34: redirects
    @everywhere
    def on_moves(self):
        if self.authorization != BASIC:
            return self.challenge('Basic realm="x"')
        where = self.path.replace("/v2/moves/", "/v2/good/")
        self.answer(307, b"", [("Location", f"{self.server.other}{where}?signature=hidden")])

    def on_loops(self):
        self.answer(302, b"", [("Location", self.path)])

    def on_downgrades(self):
        self.answer(302, b"", [("Location", self.server.other + "/v2/good/x")])

    # -- 36: slow or silent
    def on_stalls(self):
        self.cut(self.layer, pause=6) if self.turn == 1 else self.give(self.layer)

    def on_stalls_for_long(self):
        """Drips a byte now and then, for longer than anybody should wait."""
        if self.turn > 1:
            return self.give(self.layer)
        self.answer(200, self.layer[: len(self.layer) // 2], length=len(self.layer))
        for at in range(120):
            if not self.send_bytes(self.layer[len(self.layer) // 2 + at :][:1]):
                return
            time.sleep(1)
        self.close_connection = True

    def on_slow(self):
        if self.headers.get("Range"):
            return self.give(self.layer)
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.layer)))
        self.end_headers()
        for at in range(0, len(self.layer), 65536):
            if not self.send_bytes(self.layer[at : at + 65536]):
                return
            time.sleep(0.2)

    # -- tokens, and 37: hostile ones
    @everywhere
    def on_bearer(self):
        if self.authorization not in ("Bearer token-1", "Bearer token-2"):
            return self.challenge(f'Bearer realm="{self.me}/token",service="bad"')
        self.right_answer()

    @everywhere
    def on_expires(self):
        # The first token is good for one request.
        if self.turn <= 2 and self.authorization or self.authorization == "Bearer token-2":
            return self.right_answer()
        self.challenge(f'Bearer realm="{self.me}/token",service="bad"')

    @everywhere
    def on_never(self):
        self.challenge(f'Bearer realm="{self.me}/token",service="bad"',
                       b'{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}')

    @everywhere
    def on_refresh(self):
        if self.authorization == "Bearer from-refresh":
            return self.right_answer()
        self.challenge(f'Bearer realm="{self.me}/token"')

    @everywhere
    def on_hostile_realm(self):
        self.challenge('Bearer realm="http://169.254.169.254/token"')

    @everywhere
    def on_giant_token(self):
        self.challenge(f'Bearer realm="{self.me}/token?giant=1"')

    @everywhere
    def on_evil_token(self):
        self.challenge(f'Bearer realm="{self.me}/token?evil=1"')

    # -- 40: a tag that names another image each time; digests stay what they are
    @everywhere
    def on_tag_moves(self):
        if "/manifests/" in self.path and not self.path.endswith(self.server.image.digest):
            return self.give_manifest(Image(self.server.image.layers, f"moved {self.turn} times"))
        self.right_answer()

    # -- 41: errors and headers without end
    def on_chatty(self):
        self.endless(403)

    def on_header_flood(self):
        self.answer(200, self.layer, [(f"X-{i}", "y" * 1000) for i in range(90)])

    # -- files without a published sum
    def on_changing(self):
        """Other content under the same URL after the first, cut answer."""
        if self.turn == 1:
            self.send_response(200)
            self.send_header("ETag", '"one"')
            self.send_header("Content-Length", str(len(self.layer)))
            self.end_headers()
            self.send_bytes(bytes(len(self.layer) // 2))
            self.close_connection = True
        elif self.headers.get("If-Range") == '"two"':
            self.give(self.layer)
        else:
            self.answer(200, self.layer, [("ETag", '"two"')])


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, handler, image=None, other="", tls=None):
        super().__init__(("127.0.0.1", 0), handler)
        self.image, self.other = image, other
        self.lock = threading.Lock()
        self.log = []
        self.counts = collections.Counter()
        self.bytes_sent = self.connections = 0
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            # The handshake belongs into the connection's thread, or one bad client stops all.
            self.socket = context.wrap_socket(self.socket, server_side=True,
                                              do_handshake_on_connect=False)

    def handle_error(self, request, client_address):
        pass  # clients hang up: that is what they are here for


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("layer")
    parser.add_argument("--other", default="")
    parser.add_argument("--tls", nargs=2)
    options = parser.parse_args()
    with open(options.layer, "rb") as file:
        image = Image([file.read()])
    server = Server(Handler, image, options.other, options.tls)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
