"""Captures without a network: pcap files of TCP connections whose segments a test chooses, and their key logs."""

import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))
sys.dont_write_bytecode = True

from usi1 import Channel  # noqa: E402

RAW_IP = 101
SYN, FIN, PSH, ACK = 2, 1, 8, 16
SEGMENT = 16384  # octets of a segment, where a test does not choose


class Capture:
    """Packets in their order: what was captured of each, and its size."""

    def __init__(self):
        self.packets, self.ports = [], 40000

    def connect(self, port=12800, client=None, snap=None):
        """snap: the most octets that are captured of a packet."""
        self.ports += 1
        return Connection(self, client or self.ports, port, snap)

    def write(self, path):
        with open(path, "wb") as file:
            file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, RAW_IP))
            for number, (packet, size) in enumerate(self.packets):
                second, part = divmod(number, 1000)
                file.write(struct.pack("<IIII", second, 1000 * part, len(packet), size) + packet)


class Connection:
    """A TCP connection; its ends are "c" and "l"."""

    def __init__(self, capture, client, server, snap):
        self.capture, self.snap = capture, snap
        self.ports = {"c": (client, server), "l": (server, client)}
        start = 1000 + 100_000_000 * len(capture.packets) % 2**31  # another for those that use ports again
        self.next = {"c": start, "l": start + 1000}
        self.packet("c", b"", SYN)
        self.packet("l", b"", SYN | ACK)

    def packet(self, sender, octets, flags=PSH | ACK, seq=None):
        other = "l" if sender == "c" else "c"
        seq = self.next[sender] if seq is None else seq
        ack = self.next[other] if flags & ACK else 0
        tcp = struct.pack(">HHIIBBHHH", *self.ports[sender], seq % 2**32, ack % 2**32, 5 << 4, flags, 65535, 0, 0)
        ends = [bytes([127, 0, 0, 1]), bytes([127, 0, 0, 2])]
        size = 20 + len(tcp) + len(octets)
        ip = struct.pack(">BBHHHBBH", 0x45, 0, size, 0, 0x4000, 64, 6, 0)
        ip += b"".join(ends if sender == "c" else ends[::-1])
        self.capture.packets.append(((ip + tcp + octets)[: self.snap], size))
        self.next[sender] = seq + len(octets) + (1 if flags & (SYN | FIN) else 0)

    def send(self, sender, octets, segment=SEGMENT):
        for i in range(0, len(octets), segment):
            self.packet(sender, octets[i : i + segment])

    def close(self):
        self.packet("c", b"", FIN | ACK)
        self.packet("l", b"", FIN | ACK)


class Session:
    """A connector and a listener of usi1.py, captured. segment: most octets of a TCP segment."""

    def __init__(self, connection, connector, listener=None, segment=SEGMENT, random=(os.urandom, os.urandom), **how):
        self.wire, self.segment = connection, segment
        self.rand, self.keys = None, {"c": [], "l": []}
        self.c = Channel(connector, True, random=random[0], trace=self.trace, **how)
        self.l = Channel(listener or connector, False, random=random[1], **how)
        self.sent = {"c": b"", "l": b""}  # what was captured

    def trace(self, label, octets):
        """What the connector tells of itself: the first RANDms, and each pair of keys, more than once."""
        if label == "RANDms" and not self.rand:
            self.rand = octets
        side = {"key, connector's": "c", "key, listener's": "l"}.get(label)
        if side and octets not in self.keys[side]:
            self.keys[side].append(octets)

    def carry(self):
        """Until nothing waits on either side."""
        moved = True
        while moved:
            moved = False
            for sender, here, there in (("c", self.c, self.l), ("l", self.l, self.c)):
                octets = here.take()
                if octets:
                    moved = True
                    self.capture(sender, octets)
                    there.receive(octets)

    def capture(self, sender, octets):
        self.sent[sender] += octets
        self.wire.send(sender, octets, self.segment)

    def up(self):
        self.carry()
        for side in (self.c, self.l):
            side.approve()
        self.carry()
        return self

    def say(self, sender, number, content=b""):
        """A record of any type; its receiver does not take it."""
        channel = self.c if sender == "c" else self.l
        channel.seal(number, content)
        self.capture(sender, channel.take())
        (self.l if sender == "c" else self.c).receiver.counter += 1

    def transfer(self, up=b"", down=b"", size=65536):
        """A stream: both directions to their ends, `bye` from both, the connection closed."""
        self.c.open()
        for channel, data in ((self.c, up), (self.l, down)):
            channel.data(data, size)
            self.carry()
        while self.c.queue or self.l.queue:
            self.carry()
        for channel in (self.c, self.l):
            channel.end()
        self.carry()
        for channel in (self.c, self.l):
            channel.bye()
        self.carry()
        self.wire.close()

    def keylog(self):
        """Its lines."""
        return "".join(
            f"USI_KEY {self.rand.hex()} {epoch} {side} {key[: self.c.last.key_size].hex()}\n"
            for side in "cl"
            for epoch, key in enumerate(self.keys[side])
        )
