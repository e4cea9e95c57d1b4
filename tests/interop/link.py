"""A usi1.Channel on a socket: what program.py and the tests of usi1.py drive."""

import socket

from usi1 import ASK, REKEY_1, REKEY_2, SWITCH, Channel


class Link:
    """Blocking. piece: how many octets go out in a write (0: all that there is)."""

    def __init__(self, peer, credential, connector, piece=0, **how):
        self.socket, self.piece = peer, piece
        self.channel = Channel(credential, connector, **how)
        self.data = bytearray()
        self.ended = False
        if piece and peer.family != socket.AF_UNIX:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self):
        octets = self.channel.take()
        size = self.piece or len(octets) or 1
        for i in range(0, len(octets), size):
            self.socket.sendall(octets[i : i + size])

    def read(self):
        """Takes in what the peer sent, and answers; False when the peer has ended its side."""
        octets = self.socket.recv(65536)
        if not octets:
            self.ended = True
            return False
        self.channel.receive(octets)
        self.send()
        return True

    def wait(self, kind):
        """The next event that is not data, which is kept in self.data: it must be of this kind."""
        self.send()
        while True:
            while self.channel.events:
                event = self.channel.events.popleft()
                if event[0] == "data":
                    self.data += event[1]
                elif event[0] == "rekeyed" and kind != "rekeyed":
                    continue
                elif event[0] == kind:
                    return event
                else:
                    raise AssertionError(f"{event} instead of {kind}")
            if not self.read():
                raise AssertionError(f"the peer closed instead of {kind}")

    def wait_data(self, count):
        """Reads until count octets of data have come since the link began."""
        self.send()
        while True:
            for event in list(self.channel.events):
                if event[0] in ("data", "rekeyed"):
                    self.channel.events.remove(event)
                    self.data += event[1] if event[0] == "data" else b""
            if len(self.data) >= count:
                return bytes(self.data)
            if self.channel.events:
                raise AssertionError(f"{self.channel.events[0]} instead of data")
            if not self.read():
                raise AssertionError(f"the peer closed after {len(self.data)} of {count} octets")

    def close(self):
        """As PROTOCOL.md says: shut down, read to the end, close. Gives what still came, but for records of
        an unfinished rekey, which is dropped."""
        self.send()
        self.socket.shutdown(socket.SHUT_WR)
        rest = self.drain()
        self.socket.close()
        while rest:
            size = 4 + int.from_bytes(rest[:4], "big")
            kind, _ = self.channel.receiver.open(rest[:4], rest[4:size])
            if kind not in (ASK, REKEY_1, REKEY_2, SWITCH):
                break
            rest = rest[size:] if kind != SWITCH else b""  # what follows is under the new key
        return rest

    def drain(self):
        rest = bytearray()
        while octets := self.socket.recv(65536):
            rest += octets
        return bytes(rest)
