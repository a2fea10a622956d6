#!/usr/bin/env python3
"""A registry in memory that only takes uploads, keeps broken-off ones, and misbehaves in the way
that the repository's name says. Prints its port. GET /log gives the requests so far, one a line:
METHOD PATH|Content-Range|bytes that came|Authorization.

  good       keeps what came of a broken chunk, refuses chunks out of order (416)
  cut        the second chunk breaks off in its middle, once
  expire     wants tokens (Bearer); the one that the first requests have runs out before chunk two
  no-chunks  405 for PATCH
  limited    413 for more than 3 MiB at once, as a proxy in front would
  least      OCI-Chunk-Min-Length of 24 MiB, and means it
  busy       503 with Retry-After, then 429, before it takes the first chunk
  lost       the upload is gone at chunk two, once
  gone       the upload is gone at chunk two, always
  silent     stores the blob, then breaks off instead of answering the PUT, once
  elsewhere  wants tokens; the uploads are on another origin
  wrong      finds another digest, always
"""
import hashlib
import http.server
import json
import sys
import threading
import urllib.parse

MIB = 1 << 20
uploads, blobs, log, count = {}, {}, [], {}
lock = threading.Lock()
other_port = 0


def once(*key):
    with lock:
        count[key] = count.get(key, 0) + 1
        return count[key] == 1


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def body(self, most=None):
        left = int(self.headers.get("Content-Length") or 0)
        if most is not None:
            left = min(left, most)
        data = bytearray()
        while left > 0:
            part = self.rfile.read1(min(left, 65536))
            if not part:
                break
            data += part
            left -= len(part)
        return bytes(data)

    def answer(self, status, headers=(), code=None):
        text = json.dumps({"errors": [{"code": code, "message": "as told"}]}).encode() if code else b""
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    def note(self, received):
        with lock:
            log.append("%s %s|%s|%d|%s" % (self.command, self.path, self.headers.get("Content-Range", ""),
                                          received, self.headers.get("Authorization", "")))

    def handle_any(self):
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        if url.path == "/log":
            with lock:
                text = "\n".join(log).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            return self.wfile.write(text)
        if url.path == "/token":
            self.note(0)
            with lock:
                count["tokens"] = count.get("tokens", 0) + 1
                token = json.dumps({"token": "t%d" % count["tokens"]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(token)))
            self.end_headers()
            return self.wfile.write(token)
        mode = url.path.split("/")[2]
        if mode == "expire":
            wanted = "Bearer t2" if "chunk two" in count else "Bearer t1"
            if self.headers.get("Authorization") != wanted:
                self.note(0)
                self.close_connection = True
                return self.answer(401, [("WWW-Authenticate",
                    'Bearer realm="http://127.0.0.1:%d/token",service="s"' % self.server.server_port)])
        if mode == "elsewhere" and self.server.server_port != other_port and \
                not self.headers.get("Authorization"):
            self.note(0)
            return self.answer(401, [("WWW-Authenticate",
                'Bearer realm="http://127.0.0.1:%d/token",service="s"' % self.server.server_port)])
        if "/blobs/uploads/" in url.path:
            return self.upload(mode, url.path, query)
        self.note(0)
        digest = url.path.rsplit("/", 1)[1]
        if digest in blobs:
            return self.answer(200, [("Docker-Content-Digest", digest)])
        self.answer(404)

    def upload(self, mode, path, query):
        session = path.rsplit("/", 1)[1]
        if self.command == "POST":
            self.note(0)
            with lock:
                session = "u%d" % len(uploads)
                uploads[session] = b""
            place = f"/v2/{mode}/x/blobs/uploads/{session}"
            if mode == "elsewhere":
                place = "http://127.0.0.1:%d%s" % (other_port, place)
            headers = [("Location", place)]
            if mode == "least":
                headers.append(("OCI-Chunk-Min-Length", str(24 * MIB)))
            return self.answer(202, headers)
        if session not in uploads:
            self.note(0)
            self.close_connection = True
            return self.answer(404, code="BLOB_UPLOAD_UNKNOWN")
        if self.command == "GET":
            self.note(0)
            return self.answer(204, self.stand(path, session))
        if self.command == "PATCH":
            return self.patch(mode, path, session)
        self.put(mode, session, query)

    def stand(self, path, session):
        return [("Location", path), ("Range", "0-%d" % max(0, len(uploads[session]) - 1))]

    def patch(self, mode, path, session):
        have = len(uploads[session])
        length = int(self.headers["Content-Length"])

        def refuse(status, code):
            self.note(0)
            self.close_connection = True
            self.answer(status, self.stand(path, session), code)

        if mode == "no-chunks":
            return refuse(405, "UNSUPPORTED")
        if mode == "limited" and length > 3 * MIB:
            return refuse(413, None)
        if mode == "busy" and once("503"):
            self.note(0)
            self.close_connection = True
            return self.answer(503, [("Retry-After", "1")])
        if mode == "busy" and once("429"):
            return refuse(429, "TOOMANYREQUESTS")
        if have and (mode == "gone" or (mode == "lost" and once("lost"))):
            del uploads[session]
            self.note(0)
            self.close_connection = True
            return self.answer(404, code="BLOB_UPLOAD_UNKNOWN")
        if have and mode == "expire":
            count["chunk two"] = 1
            if self.headers["Authorization"] == "Bearer t1":
                self.note(0)
                self.close_connection = True
                return self.answer(401, [("WWW-Authenticate",
                    'Bearer realm="http://127.0.0.1:%d/token",service="s"' % self.server.server_port)])
        if not self.headers.get("Content-Range", "").startswith("%d-" % have):
            return refuse(416, "RANGE_INVALID")
        cut = have and mode == "cut" and once("cut")
        data = self.body(length // 2 if cut else None)
        uploads[session] += data
        self.note(len(data))
        if cut or len(data) < length:
            self.close_connection = True
            return
        self.answer(202, self.stand(path, session))

    def put(self, mode, session, query):
        if mode == "limited" and int(self.headers.get("Content-Length") or 0) > 3 * MIB:
            self.note(0)
            self.close_connection = True
            return self.answer(413)
        data = uploads[session] + self.body()
        self.note(len(data) - len(uploads[session]))
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        if mode == "wrong" or digest != query["digest"]:
            del uploads[session]
            return self.answer(400, code="DIGEST_INVALID")
        blobs[digest] = len(data)
        del uploads[session]
        if mode == "silent" and once("silent"):
            self.close_connection = True
            return
        self.answer(201, [("Docker-Content-Digest", digest)])

    do_GET = do_HEAD = do_POST = do_PATCH = do_PUT = handle_any


def main():
    global other_port
    servers = [http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) for _ in range(2)]
    other_port = servers[1].server_port
    threading.Thread(target=servers[1].serve_forever, daemon=True).start()
    print(servers[0].server_port, other_port, flush=True)
    servers[0].serve_forever()


main()
