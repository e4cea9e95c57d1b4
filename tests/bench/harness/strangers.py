"""What strangers cost a server, and whether others get in meanwhile. The strangers are programs/stranger.c."""

import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import threading
import time

from . import procs, tunnel
from .procs import Failure, Load

AT_ONCE, SOURCES = 8, 250  # fewer at once than sshd's MaxStartups
HELD = 200  # half-open, to measure the memory of each
TRY_SECONDS, TRIES = 5, 8
SETTLE, SETTLE_LIMIT = 0.5, 20


class Recorder:
    """A relay in front of a server, which keeps what the first client says."""

    def __init__(self, port):
        self.server = port
        self.said = b""
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        peer, _ = self.socket.accept()
        far = socket.create_connection(("127.0.0.1", self.server))
        threading.Thread(target=self.copy, args=(far, peer, False), daemon=True).start()
        self.copy(peer, far, True)

    def copy(self, source, sink, keep):
        try:
            while chunk := source.recv(65536):
                if keep:
                    self.said += chunk
                sink.sendall(chunk)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def echo_once(port, limit):
    """Seconds until an octet came back through the tunnel; None if it did not."""
    begun = time.monotonic()
    try:
        with socket.create_connection(("127.0.0.1", port), limit) as peer:
            peer.sendall(b"x")
            if peer.recv(1) == b"x":
                return time.monotonic() - begun
    except OSError:
        pass
    return None


class Server:
    """with Server(...) as s: a peer's server side in front of an echo service, and clients of it."""

    def __init__(self, peer, programs, **environment):
        self.peer, self.programs, self.environment = peer, programs, environment
        self.others = []

    def __enter__(self):
        self.target_port, self.port = tunnel.next_port(), tunnel.next_port()
        self.run = self.peer.runs / f"{self.peer.name}-{self.port}"
        self.run.mkdir()
        self.log = self.run / "log"
        target = procs.start([self.programs / "serve", "echo", str(self.target_port)], self.log)
        self.others.append(target)
        try:
            procs.wait_listening(self.target_port, target, self.log)
            self.server = self.peer.start("peer_server", self.log, **self.where())
            self.others.append(self.server)
            procs.wait_listening(self.port, self.server, self.log)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in reversed(self.others):
            procs.stop(process)

    def where(self, client=0, port=None):
        return {"TARGET_PORT": self.target_port, "TUNNEL_PORT": port or self.port, "CLIENT_PORT": client,
                "RUN_DIR": self.run, **self.environment}

    def client(self, peer=None, port=None):
        """The port of a new client side."""
        client = tunnel.next_port()
        process = (peer or self.peer).start("peer_client", self.log, **self.where(client, port))
        self.others.append(process)
        procs.wait_listening(client, process, self.log)
        return client

    def cpu(self):
        return sum(procs.cpu(self.server.pid))

    def strangers(self, kind, at_once, message=None, random_from=0):
        environment = ["env", f"RANDOM_FROM={random_from}", "PATIENCE_MS=50"]
        argv = [*environment, self.programs / "stranger", self.port, at_once, SOURCES, kind, *([message] if message else [])]
        return Load(argv, self.log)

    def get_in(self, client, limit=TRY_SECONDS, peer=None):
        """Seconds, or None. A peer that has peer_get_in is a new process each time."""
        peer = peer or self.peer
        if "peer_get_in" not in peer.functions:
            return echo_once(client, limit)
        begun = time.monotonic()
        process = peer.start("peer_get_in", self.log, **self.where(client))
        try:
            status = process.wait(limit)
        except subprocess.TimeoutExpired:
            status = -1
        procs.stop(process)
        return time.monotonic() - begun if status == 0 else None


def said(load):
    load.say("?")
    return load.answer(10)


def record(peer, options):
    """What a genuine client says first, as a file; and from where on the first message may be random."""
    path = peer.state / "said"
    if not path.exists():
        with Server(peer, options.programs) as server:
            recorder = Recorder(server.port)
            port = server.client(port=recorder.port)
            if echo_once(port, TRY_SECONDS) is None:
                raise Failure("the genuine client did not get in")
            path.write_bytes(recorder.said[:4096])
        path.with_name("octet").write_bytes(path.read_bytes()[:1])
    first = path.read_bytes()
    return path, first.index(b"\n") + 1 if first.startswith(b"SSH") else {b"USI1": 10}.get(first[2:6], 11 if first[0] == 22 else 0)


def each(server, kind, options, **how):
    """CPU us of the server for each stranger."""
    before = server.cpu()
    load = server.strangers(kind, AT_ONCE, **how)
    time.sleep(options.seconds)
    opened = said(load)["opened"]
    load.close()
    time.sleep(SETTLE)  # processes of the server that have ended are waited for
    if not opened:
        raise Failure("no stranger was connected")
    spent = server.cpu() - before
    return {"us": spent * 1e6 / opened if spent else None, "strangers": opened}  # None: not a tick of the kernel's clock


def leaves(peer, options):
    """Connects, and leaves at once."""
    with Server(peer, options.programs) as server:
        return each(server, "leave", options)


def random(peer, options):
    path, start = record(peer, options)
    with Server(peer, options.programs) as server:
        return each(server, "random", options, message=path, random_from=start)


def replayed(peer, options):
    """All that a genuine client said, again and again, to a server that has heard it."""
    path, _ = record(peer, options)
    with Server(peer, options.programs) as server:
        return each(server, "send", options, message=path)


def stranger_of(peer, options):
    """The same peer with other keys."""
    other = tunnel.Peer(peer.file, pathlib.Path(tempfile.mkdtemp(dir=options.work)))
    for name in ("ssh-host", "ssh-host.pub", "ed25519-listener", "ed25519-listener.fingerprint"):
        if (peer.state / name).exists():  # it knows the server; the server does not know it
            shutil.copy2(peer.state / name, other.state / name)
    return other


def wrong_key(peer, options):
    other = stranger_of(peer, options)
    with Server(peer, options.programs) as server:
        client = server.client(other) if "peer_get_in" not in peer.functions else 0
        before, made = server.cpu(), 0
        until = time.monotonic() + options.seconds
        while time.monotonic() < until:
            if server.get_in(client, peer=other) is not None:
                raise Failure("a stranger got in")
            made += 1
        time.sleep(SETTLE)
        return {"us": (server.cpu() - before) * 1e6 / made, "strangers": made}


def settled(pid):
    """Its memory in KiB, when it has not grown for three seconds."""
    seen, deadline = [], time.monotonic() + SETTLE_LIMIT
    while len(seen) < 4 or (len(set(seen[-4:])) > 1 and time.monotonic() < deadline):
        seen.append(procs.memory(pid)["pss_kib"])
        time.sleep(1)
    return seen[-1]


def half_open(peer, options):
    """An octet, and no more."""
    path, _ = record(peer, options)
    with Server(peer, options.programs, SSH_MAX_STARTUPS=str(2 * HELD)) as server:
        before = settled(server.server.pid)
        load = server.strangers("send", HELD, message=path.with_name("octet"))
        time.sleep(options.seconds)
        there = said(load)["now"]
        grown = settled(server.server.pid) - before
        load.close()
        return {"kib": grown / there, "strangers": there}


def during_attack(peer, options):
    """Getting in: alone, and beside many half-open ones and random first messages at full speed."""
    path, start = record(peer, options)
    with Server(peer, options.programs) as server:
        client = server.client() if "peer_get_in" not in peer.functions else 0
        server.get_in(client)  # what only the first needs
        alone = [server.get_in(client) for _ in range(TRIES)]
        loads = [server.strangers("send", options.half_open, message=path.with_name("octet")),
                 server.strangers("random", 50, message=path, random_from=start)]
        time.sleep(options.seconds)
        before, begun, opened = server.cpu(), time.monotonic(), sum(said(load)["opened"] for load in loads)
        beside = [server.get_in(client) for _ in range(TRIES)]
        took = time.monotonic() - begun
        taken = {"cpus": (server.cpu() - before) / took,
                 "strangers_per_s": (sum(said(load)["opened"] for load in loads) - opened) / took,
                 "peak_mib": procs.peak_kib(server.server.pid) / 1024,
                 "alone_ms": middle(alone), "beside_ms": middle(beside), "most_ms": most(beside),
                 "in": sum(t is not None for t in beside), "tries": len(beside)}
        for load in loads:
            load.close()
        return taken


def middle(times):
    good = sorted(t for t in times if t is not None)
    return good[len(good) // 2] * 1e3 if good else None


def most(times):
    good = [t for t in times if t is not None]
    return max(good) * 1e3 if good else None


METRICS = {"leaves": leaves, "random": random, "replayed": replayed, "wrong-key": wrong_key, "half-open": half_open,
           "attack": during_attack}


def compile_programs(programs):
    """Besides those of harness/build.py."""
    source = tunnel.PEERS_DIR.parent / "programs/stranger.c"
    subprocess.run([os.environ.get("CC", "cc"), "-O2", "-Wall", "-Wextra", "-o", programs / "stranger", source], check=True)
