"""Both ends of forwarded streams, which see how a stream ends. `do` is what makes their sockets."""

import socket
import threading

from harness import KIB, Server, dial, receive_all


def here(call):
    return call()


class Client(threading.Thread):
    """Sends octets to an address, then the end, and keeps what comes back."""

    def __init__(self, address, data, do=here):
        super().__init__(daemon=True)
        self.data, self.got, self.was_reset = data, b"", None
        self.socket = do(lambda: dial(address))
        self.socket.settimeout(None)
        self.start()

    def send(self):
        try:
            self.socket.sendall(self.data)
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # what comes back says how it ended

    def run(self):
        threading.Thread(target=self.send, daemon=True).start()
        with self.socket:
            self.got, self.was_reset = receive_all(self.socket)


class Target:
    """A server that sends back what comes, and keeps how each stream ended."""

    def __init__(self, do=here):
        self.streams = []
        self.server = do(lambda: Server(self.take))
        self.address = self.server.address

    def take(self, peer):
        stream = {"got": bytearray(), "was_reset": None, "over": threading.Event()}
        self.streams.append(stream)
        try:
            while chunk := peer.recv(64 * KIB):
                stream["got"] += chunk
                peer.sendall(chunk)
            peer.shutdown(socket.SHUT_WR)
            stream["was_reset"] = False
        except OSError:
            stream["was_reset"] = True
        finally:
            stream["over"].set()

    @property
    def count(self):
        return sum(len(stream["got"]) for stream in self.streams)
