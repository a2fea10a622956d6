"""A relay that counts what it hands to its clients. toxiproxy's own count leaves out connections that
end with an error, and those are the ones that matter here."""
import socket
import struct
import threading

PIECE = 1 << 16
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close() resets the connection


class Relay:
    def __init__(self, upstream):
        host, port = upstream.rsplit(":", 1)
        self.upstream = (host, int(port))
        self.lock = threading.Lock()
        self.sent = 0
        self.open = set()
        self.listener, self.port = None, 0
        self.start()

    def start(self):
        if self.listener is None:
            self.listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
            self.port = self.listener.getsockname()[1]
            threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def stop(self):
        """Nobody listens any more, and every connection is cut."""
        if self.listener is not None:
            # shutdown() wakes accept(), which close() alone does not.
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
            self.listener = None
        with self.lock:
            connections = list(self.open)
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        # Little may wait in the kernel: it counts as sent, but a killed client never sees it.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, PIECE)
        try:
            server = socket.create_connection(self.upstream, timeout=10)
        except OSError:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            client.close()
            return
        server.settimeout(None)
        with self.lock:
            self.open |= {client, server}
        upward = threading.Thread(target=self.pump, args=(client, server, False), daemon=True)
        upward.start()
        clean = self.pump(server, client, True)
        if not clean:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        # close() does nothing while the other thread still waits in recv(); this wakes it.
        for end in (client, server):
            try:
                end.shutdown(socket.SHUT_RDWR if clean or end is server else socket.SHUT_RD)
            except OSError:
                pass
        upward.join()
        with self.lock:
            self.open -= {client, server}
        client.close()
        server.close()

    def pump(self, source, target, downstream):
        """Until one side ends; whether it ended as it should."""
        try:
            while data := source.recv(PIECE):
                target.sendall(data)
                if downstream:
                    with self.lock:
                        self.sent += len(data)
            target.shutdown(socket.SHUT_WR)
            return True
        except OSError:
            return False
