"""Many clients at once, in one thread: each sends, half-closes, and must get its own bytes back."""

import errno
import os
import random
import selectors
import socket
import time

from harness import KIB, LIMIT


class Client:
    def __init__(self, data):
        self.data, self.sent, self.got = data, 0, 0
        self.socket = None
        self.problem = None

    def dial(self, host, port):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        error = self.socket.connect_ex((host, port))
        if error not in (0, errno.EINPROGRESS):
            self.problem = os.strerror(error)

    def wants(self):
        return selectors.EVENT_READ | (selectors.EVENT_WRITE if self.sent <= len(self.data) else 0)

    def write(self):
        if self.sent < len(self.data):
            self.sent += self.socket.send(memoryview(self.data)[self.sent : self.sent + 64 * KIB])
        if self.sent == len(self.data):
            self.socket.shutdown(socket.SHUT_WR)
            self.sent += 1

    def read(self):
        """True at the end."""
        chunk = self.socket.recv(64 * KIB)
        if not chunk:
            if self.got != len(self.data):
                self.problem = f"ended after {self.got} of {len(self.data)} octets"
            return True
        if chunk != memoryview(self.data)[self.got : self.got + len(chunk)]:
            self.problem = f"differs after octet {self.got}"
            return True
        self.got += len(chunk)
        return False


def run_clients(address, count, at_once, sizes, limit=None):
    """Runs `count` clients, never more than `at_once` together; returns the problems of those
    that had one."""
    host, port = address.rsplit(":", 1)
    block = os.urandom(max(sizes) + KIB)
    problems = []
    left = count
    end = time.monotonic() + (limit or 4 * LIMIT)
    with selectors.DefaultSelector() as selector:
        while left or selector.get_map():
            while left and len(selector.get_map()) < at_once:
                left -= 1
                start = random.randrange(KIB)
                client = Client(block[start : start + random.choice(sizes)])
                client.dial(host, int(port))
                if client.problem:
                    problems.append(client.problem)
                    client.socket.close()
                else:
                    selector.register(client.socket, client.wants(), client)
            events = selector.select(max(0.0, end - time.monotonic()))
            if not events:
                stuck = len(selector.get_map())
                for key in list(selector.get_map().values()):
                    selector.unregister(key.fileobj)
                    key.fileobj.close()
                problems.append(f"time is up: {stuck} clients stand, {left} not begun")
                return problems
            for key, mask in events:
                serve(selector, key.data, mask, problems)
    return problems


def serve(selector, client, mask, problems):
    done = False
    try:
        if mask & selectors.EVENT_WRITE and client.sent <= len(client.data):
            client.write()
        if mask & selectors.EVENT_READ:
            done = client.read()
    except BlockingIOError:
        pass
    except OSError as error:
        client.problem, done = error.strerror, True
    if done:
        selector.unregister(client.socket)
        client.socket.close()
        if client.problem:
            problems.append(client.problem)
    else:
        selector.modify(client.socket, client.wants(), client)


def echo_loop(listening):
    """An echo server in one thread for any number of clients; run it in a daemon thread."""
    with selectors.DefaultSelector() as selector:
        selector.register(listening, selectors.EVENT_READ, None)
        while True:
            for key, mask in selector.select():
                if key.data is None:
                    try:
                        peer = listening.accept()[0]
                    except OSError:
                        return
                    peer.setblocking(False)
                    selector.register(peer, selectors.EVENT_READ, bytearray())
                else:
                    echo_some(selector, key)


def echo_some(selector, key):
    """One step for one client; key.data is what was read and not yet written."""
    peer, waiting = key.fileobj, key.data
    try:
        if waiting:
            del waiting[: peer.send(waiting)]
        else:
            chunk = peer.recv(64 * KIB)
            if not chunk:
                raise ConnectionError
            waiting += chunk
            del waiting[: peer.send(waiting)]
    except BlockingIOError:
        pass
    except OSError:
        selector.unregister(peer)
        peer.close()
        return
    selector.modify(peer, selectors.EVENT_WRITE if waiting else selectors.EVENT_READ, waiting)
