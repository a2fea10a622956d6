#!/usr/bin/env python3
"""A registry that misbehaves in the way that the repository's name says.

usage: bad_server.py CONTENT_FILE [--other URL] [--tls CERT KEY]
Prints its port. GET /log gives one line per request: PATH|Range|Authorization.
"""
import argparse
import base64
import collections
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

parser = argparse.ArgumentParser()
parser.add_argument("content")
parser.add_argument("--other", default="")
parser.add_argument("--tls", nargs=2)
options = parser.parse_args()

CONTENT = open(options.content, "rb").read()
WRONG = bytes(len(CONTENT))
BASIC = "Basic " + base64.b64encode(b"tester:secret").decode()
lock = threading.Lock()
log = []
counts = collections.Counter()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def answer(self, status, body=b"", headers=(), length=None):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        try:
            self.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def cut(self, content=CONTENT, pause=0):
        """Promises all of the content, gives two thirds, and hangs up."""
        self.answer(200, content[: len(content) * 2 // 3], length=len(content))
        time.sleep(pause)
        self.close_connection = True

    def content(self, content=CONTENT, headers=()):
        wanted = self.headers.get("Range")
        if not wanted:
            return self.answer(200, content, headers)
        first, last = wanted.removeprefix("bytes=").split("-")
        first, last = int(first), int(last)  # an open range is an error of the client's: 500
        total = len(content)
        self.answer(206, content[first : last + 1],
                    [("Content-Range", f"bytes {first}-{last}/{total}"), *headers])

    def do_POST(self):
        form = self.rfile.read(int(self.headers["Content-Length"])).decode()
        with lock:
            log.append(f"{self.path}|{form}|{self.headers.get('Authorization', '')}")
        self.answer(200, b'{"access_token":"from-refresh"}')

    def do_GET(self):
        if self.path == "/log":
            return self.answer(200, "\n".join(log).encode())
        authorization = self.headers.get("Authorization", "")
        with lock:
            log.append(f"{self.path}|{self.headers.get('Range', '')}|{authorization}")
            repository = self.path.split("/")[2] if self.path.count("/") > 2 else self.path
            counts[repository] += 1
            turn = counts[repository]
        if self.path.startswith("http://"):
            return self.answer(407, b"log in to the proxy")
        me = f"http://127.0.0.1:{self.server.server_port}"
        if self.path.startswith("/token"):
            if "giant" in self.path:
                return self.answer(200, b'{"token":"' + b"x" * 100_000 + b'"}')
            if "evil" in self.path:
                return self.answer(200, b'{"token":"x\\r\\nX-Evil: y"}')
            return self.answer(200, b'{"token":"token-%d","expires_in":300}' % turn)
        method = getattr(self, "on_" + repository.replace("-", "_").split(".")[0], None)
        if method is None:
            return self.answer(404, b'{"errors":[{"code":"NAME_UNKNOWN"}]}')
        method(turn, authorization, me)

    def on_good(self, turn, authorization, me):
        self.content()

    def on_short(self, turn, authorization, me):
        self.cut() if turn == 1 else self.content()

    def on_ignores_range(self, turn, authorization, me):
        self.cut() if turn == 1 else self.answer(200, CONTENT)

    def on_lies_about_range(self, turn, authorization, me):
        if turn == 1:
            self.cut()
        elif self.headers.get("Range"):
            self.answer(206, CONTENT[:100], [("Content-Range", f"bytes 0-99/{len(CONTENT)}")])
        else:
            self.answer(200, CONTENT)

    def on_hopeless(self, turn, authorization, me):
        self.answer(206, CONTENT[:100]) if self.headers.get("Range") else self.cut(WRONG)

    def on_refuses_range(self, turn, authorization, me):
        if turn == 1:
            self.cut()
        elif self.headers.get("Range"):
            self.answer(416)
        else:
            self.answer(200, CONTENT)

    def on_flaky(self, turn, authorization, me):
        self.answer(500 if turn == 1 else 503, b"oops") if turn < 3 else self.content()

    def on_broken(self, turn, authorization, me):
        self.answer(500, b"\x1b[31moops " + b"x" * 500)

    def on_busy(self, turn, authorization, me):
        self.answer(429, b"slow down", [("Retry-After", "2")]) if turn == 1 else self.content()

    def on_quota(self, turn, authorization, me):
        self.answer(429, b'{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your'
                         b' pull rate limit."}]}')

    def on_long_wait(self, turn, authorization, me):
        self.answer(429, b"", [("Retry-After", "3600")])

    def on_wrong_once(self, turn, authorization, me):
        self.answer(200, WRONG) if turn == 1 else self.content()

    def on_wrong(self, turn, authorization, me):
        self.answer(200, WRONG)

    def on_wrong_size(self, turn, authorization, me):
        self.answer(200, CONTENT + b"x")

    def on_endless(self, turn, authorization, me):
        self.send_response(200)
        self.end_headers()
        self.close_connection = True
        try:
            while True:
                self.wfile.write(bytes(65536))
        except OSError:
            pass

    def on_stalls(self, turn, authorization, me):
        if turn == 1:
            self.wfile.flush()
            self.cut(pause=6)
        else:
            self.content()

    def on_slow(self, turn, authorization, me):
        if self.headers.get("Range"):
            return self.content()
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        try:
            for at in range(0, len(CONTENT), 65536):
                self.wfile.write(CONTENT[at : at + 65536])
                time.sleep(0.2)
        except OSError:
            self.close_connection = True

    def on_moves(self, turn, authorization, me):
        if authorization != BASIC:
            return self.answer(401, b"", [("WWW-Authenticate", 'Basic realm="x"')])
        self.answer(307, b"", [("Location", options.other + "/v2/good/x?signature=hidden")])

    def on_loops(self, turn, authorization, me):
        self.answer(302, b"", [("Location", self.path)])

    def on_downgrades(self, turn, authorization, me):
        self.answer(302, b"", [("Location", options.other + "/v2/good/x")])

    def on_bearer(self, turn, authorization, me):
        if authorization not in ("Bearer token-1", "Bearer token-2"):
            return self.answer(401, b"", [("WWW-Authenticate",
                                           f'Bearer realm="{me}/token",service="bad"')])
        self.content()

    def on_expires(self, turn, authorization, me):
        # The first token is good for one request.
        if turn <= 2 and authorization or authorization == "Bearer token-2":
            return self.content()
        self.answer(401, b"", [("WWW-Authenticate", f'Bearer realm="{me}/token",service="bad"')])

    def on_never(self, turn, authorization, me):
        self.answer(401, b'{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}',
                    [("WWW-Authenticate", f'Bearer realm="{me}/token",service="bad"')])

    def on_refresh(self, turn, authorization, me):
        if authorization == "Bearer from-refresh":
            return self.content()
        self.answer(401, b"", [("WWW-Authenticate", f'Bearer realm="{me}/token"')])

    def on_hostile_realm(self, turn, authorization, me):
        self.answer(401, b"", [("WWW-Authenticate", 'Bearer realm="http://169.254.169.254/token"')])

    def on_giant_token(self, turn, authorization, me):
        self.answer(401, b"", [("WWW-Authenticate", f'Bearer realm="{me}/token?giant=1"')])

    def on_evil_token(self, turn, authorization, me):
        self.answer(401, b"", [("WWW-Authenticate", f'Bearer realm="{me}/token?evil=1"')])

    def on_chatty(self, turn, authorization, me):
        self.answer(403, b"x" * 20_000_000)

    def on_header_flood(self, turn, authorization, me):
        self.answer(200, CONTENT, [(f"X-{i}", "y" * 1000) for i in range(90)])

    def on_changing(self, turn, authorization, me):
        # Other content under the same URL after the first, cut answer.
        if turn == 1:
            self.send_response(200)
            self.send_header("ETag", '"one"')
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()
            self.wfile.write(WRONG[: len(WRONG) // 2])
            self.close_connection = True
        elif self.headers.get("If-Range") == '"two"':
            self.content()
        else:
            self.answer(200, CONTENT, [("ETag", '"two"')])

    def on_manifest_mismatch(self, turn, authorization, me):
        self.answer(200, b'{"schemaVersion":2}', [
            ("Content-Type", "application/vnd.oci.image.manifest.v1+json"),
            ("Docker-Content-Digest", "sha256:" + "0" * 64)])


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
if options.tls:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*options.tls)
    server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
