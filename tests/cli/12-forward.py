#!/usr/bin/env python3
"""Forwards: connect -L to listen --forward, and what happens to single streams and to the
processes."""

import hashlib
import os
import socket
import threading

from harness import (
    FAR,
    KIB,
    LIMIT,
    LISTENING,
    MIB,
    OK,
    SLOW,
    Scenario,
    Server,
    dial,
    echo,
    main,
    receive_all,
    reserve_port,
    reset_on_close,
)


class ForwardScenario(Scenario):
    def pair(self, handle=echo, listen=(), connect=(), target=None, local="127.0.0.1:0"):
        """A server, a listener that forwards to it, and a connector with one -L; the latter's
        address."""
        if target is None:
            self.server = Server(handle)
            self.addCleanup(self.server.close)
            target = self.server.address
        self.listener = self.listen("--forward", target, *listen)
        self.connector = self.connect(self.listener, "-L", local, *connect).ready()
        return self.connector.address

    def exchange(self, address, data):
        """Sends everything, half-closes, and returns everything that comes."""
        with dial(address) as peer:
            sender = threading.Thread(
                target=lambda: (peer.sendall(data), peer.shutdown(socket.SHUT_WR))
            )
            sender.start()
            got, was_reset = receive_all(peer)
            sender.join(LIMIT)
            self.assertFalse(was_reset)
            return got

    def assert_works(self, address):
        data = os.urandom(1000)
        self.assert_equal_bytes(self.exchange(address, data), data)

    def assert_fails(self, address):
        """A stream that cannot be: not a byte, and a reset rather than an end."""
        try:
            with dial(address) as peer:
                self.assertEqual(receive_all(peer), (b"", True))
        except ConnectionResetError:
            pass  # it came before connect() had returned


class Streams(ForwardScenario):
    def test_echo(self):
        address = self.pair()
        for size in (0, 1, 65536, 1000003):
            with self.subTest(size=size):
                data = os.urandom(size)
                self.assert_equal_bytes(self.exchange(address, data), data)

    def test_unix_target(self):
        path = self.path("target")
        server = Server(echo, path=path)
        self.addCleanup(server.close)
        address = self.pair(target="unix:" + path)
        self.assert_works(address)

    def test_unix_everywhere(self):
        """Local socket, channel and target are all Unix sockets."""
        server = Server(echo, path=self.path("target"))
        self.addCleanup(server.close)
        listener = self.listen("--forward", server.address, address="unix:" + self.path("channel"))
        connector = self.connect(listener, "-L", "unix:" + self.path("local")).ready()
        self.assert_works(connector.address)

    def test_ipv6_target(self):
        with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
            address = self.pair(target="[::1]:%d" % server.getsockname()[1])
            with dial(address) as peer:
                far = server.accept()[0]
                with far:
                    far.sendall(b"six")
                    self.assertEqual(peer.recv(3, socket.MSG_WAITALL), b"six")

    def test_several_locals(self):
        server = Server(echo)
        self.addCleanup(server.close)
        listener = self.listen("--forward", server.address)
        connector = self.connect(
            listener, "-L", "127.0.0.1:0", "-L", "127.0.0.1:0", "-L", "unix:" + self.path("u")
        )
        for number in (1, 2, 3):
            self.assert_works(connector.says(LISTENING, number).group(1))

    def test_half_close_up(self):
        """The target sees the client's end, and answers after it."""

        def digest(peer):
            total = hashlib.sha256()
            while chunk := peer.recv(64 * KIB):
                total.update(chunk)
            peer.sendall(total.digest())

        address = self.pair(digest)
        data = os.urandom(300000)
        self.assertEqual(self.exchange(address, data), hashlib.sha256(data).digest())

    def test_half_close_down(self):
        """The client sees the target's end, and goes on sending."""
        result = []
        done = threading.Event()

        def handle(peer):
            peer.sendall(b"hello")
            peer.shutdown(socket.SHUT_WR)
            result.append(receive_all(peer))
            done.set()

        address = self.pair(handle)
        with dial(address) as peer:
            self.assertEqual(receive_all(peer), (b"hello", False))
            peer.sendall(b"still here")
            peer.shutdown(socket.SHUT_WR)
            self.assertTrue(done.wait(LIMIT))
        self.assertEqual(result, [(b"still here", False)])

    def test_target_that_speaks_first(self):
        address = self.pair(lambda peer: peer.sendall(b"220 ready\r\n"))
        with dial(address) as peer:
            self.assertEqual(receive_all(peer), (b"220 ready\r\n", False))

    def test_reset_of_the_client_reaches_the_target(self):
        seen = []
        done = threading.Event()

        def handle(peer):
            peer.sendall(peer.recv(1))
            seen.append(receive_all(peer))
            done.set()

        address = self.pair(handle)
        peer = dial(address)
        peer.sendall(b"x")
        self.assertEqual(peer.recv(1), b"x")
        reset_on_close(peer)
        peer.close()
        self.assertTrue(done.wait(LIMIT))
        self.assertEqual(seen, [(b"", True)], "a reset must not look like a clean end")
        self.pair_still_works()

    def test_reset_of_the_target_reaches_the_client(self):
        first = threading.Event()

        def handle(peer):
            peer.sendall(peer.recv(1))
            if not first.is_set():
                first.set()
                reset_on_close(peer)
            else:
                echo(peer)

        address = self.pair(handle)
        with dial(address) as peer:
            peer.sendall(b"x")
            data, was_reset = receive_all(peer)
            self.assertIn(data, (b"", b"x"))
            self.assertTrue(was_reset, "a reset must not look like a clean end")
        self.pair_still_works()

    def pair_still_works(self):
        with dial(self.connector.address) as peer:
            peer.sendall(b"y")
            self.assertEqual(peer.recv(1), b"y")
        self.assertTrue(self.listener.running() and self.connector.running())

    def test_slow_client_holds_only_itself(self):
        """One client that does not read, and another that goes on."""

        def flood(peer):
            if peer.recv(1) == b"f":
                while True:
                    peer.sendall(bytes(64 * KIB))
            peer.sendall(b"quick")

        address = self.pair(flood)
        with dial(address) as slow:
            slow.sendall(b"f")
            self.assertEqual(len(slow.recv(100, socket.MSG_WAITALL)), 100)
            for _ in range(5):
                with dial(address) as quick:
                    quick.sendall(b"q")
                    self.assertEqual(receive_all(quick), (b"quick", False))

    def test_many_clients_of_one_listener(self):
        """Several connectors at the same time."""
        address = self.pair()
        addresses = [address] + [
            self.connect(self.listener, "-L", "127.0.0.1:0").ready().address for _ in range(3)
        ]
        peers = [dial(a) for a in addresses * 4]
        for number, peer in enumerate(peers):
            peer.sendall(b"%04d" % number)
        for number, peer in enumerate(peers):
            self.assertEqual(peer.recv(4, socket.MSG_WAITALL), b"%04d" % number)
            peer.close()

    def test_pipe_to_a_forward(self):
        """A connector without -L: its stdin and stdout are joined to the target."""
        self.pair()
        connector = self.connect(self.listener, stdin=b"across")
        connector.wait(OK)
        self.assertEqual(connector.out.finish(), b"across")

    def test_keep_open_changes_nothing(self):
        address = self.pair(listen=["-k"])
        self.assert_works(address)
        self.assert_works(address)

    def test_stream_to_a_pipe_listener(self):
        """-L against a listener without --forward: the first stream is the pipe."""
        listener = self.listen(stdin=b"down")
        connector = self.connect(listener, "-L", "127.0.0.1:0").ready()
        self.assertEqual(self.exchange(connector.address, b"up"), b"down")
        listener.wait(OK)
        self.assertEqual(listener.out.finish(), b"up")
        self.assertTrue(connector.running())

    def test_rekey(self):
        """Long streams both ways, rekeyed every 64 KiB."""
        little = ["--rekey-bytes", "64K"]
        address = self.pair(listen=little, connect=little)
        for _ in range(3):
            data = os.urandom(MIB if SLOW else 3 * MIB)
            self.assert_equal_bytes(self.exchange(address, data), data)


class Failures(ForwardScenario):
    """One stream fails: a reset, one line, and everything else lives on."""

    def test_target_refuses(self):
        holder, target = reserve_port()
        self.addCleanup(holder.close)
        address = self.pair(target=target)
        for count in (1, 2, 3):
            before = len(self.connector.lines)
            self.assert_fails(address)
            self.connector.says(r"^usi-tunnel: (?!listening)", count)
            self.assertEqual(len(self.connector.lines), before + 1, self.connector.story())
        holder.listen()
        with dial(address) as peer:
            far = holder.accept()[0]
            with far:
                far.sendall(b"recovered")
                self.assertEqual(peer.recv(9, socket.MSG_WAITALL), b"recovered")
        self.assertTrue(self.listener.running() and self.connector.running())

    def test_unix_target_missing(self):
        path = self.path("target")
        address = self.pair(target="unix:" + path)
        self.assert_fails(address)
        server = Server(echo, path=path)
        self.addCleanup(server.close)
        self.assert_works(address)

    def test_listener_is_not_there(self):
        holder, far = reserve_port()
        self.addCleanup(holder.close)
        connector = self.connect(far, "-L", "127.0.0.1:0").ready()
        self.assert_fails(connector.address)
        self.assertIn(far, connector.says(r"^usi-tunnel: (?!listening).*$").group(0))
        server = Server(echo)
        self.addCleanup(server.close)
        self.listen("--forward", server.address, address=far)
        self.assert_works(connector.address)

    def test_wrong_key(self):
        self.pair()
        other = self.key_file("other", os.urandom(32).hex())
        stranger = self.connect(self.listener, "-L", "127.0.0.1:0", key=other).ready()
        self.assert_fails(stranger.address)
        self.assertIn("key", stranger.says(r"^usi-tunnel: (?!listening).*$").group(0))
        self.assertTrue(stranger.running())
        self.assert_works(self.connector.address)

    def test_target_refuses_a_pipe(self):
        holder, target = reserve_port()
        self.addCleanup(holder.close)
        listener = self.listen("--forward", target)
        connector = self.connect(listener, stdin=b"x")
        connector.wait(FAR)
        self.assert_one_line(connector)
        self.assertTrue(listener.running())

    def test_listener_dies(self):
        """Streams under way are reset; the connector lives on and finds the next listener."""
        address = self.pair()
        far = self.listener.address
        peers = [dial(address) for _ in range(3)]
        for peer in peers:
            peer.sendall(b"x")
            self.assertEqual(peer.recv(1), b"x")
        self.listener.kill()
        for peer in peers:
            self.assertEqual(receive_all(peer), (b"", True))
            peer.close()
        self.listen("--forward", self.server.address, address=far)
        self.assert_works(address)

    def test_connector_dies(self):
        """The targets' connections are reset, and the listener serves the next one."""
        seen = []
        changed = threading.Condition()

        def handle(peer):
            peer.sendall(peer.recv(1))
            got = receive_all(peer)
            with changed:
                seen.append(got)
                changed.notify_all()

        address = self.pair(handle)
        peers = [dial(address) for _ in range(3)]
        for peer in peers:
            peer.sendall(b"x")
            self.assertEqual(peer.recv(1), b"x")
        self.connector.kill()
        with changed:
            self.assertTrue(changed.wait_for(lambda: len(seen) == 3, LIMIT))
        self.assertEqual(seen, [(b"", True)] * 3)
        again = self.connect(self.listener, "-L", "127.0.0.1:0").ready()
        with dial(again.address) as peer:
            peer.sendall(b"y")
            self.assertEqual(peer.recv(1), b"y")
        for peer in peers:
            peer.close()

    def test_client_that_leaves_at_once(self):
        address = self.pair()
        for _ in range(50):
            peer = dial(address)
            reset_on_close(peer)
            peer.close()
        self.assert_works(address)


if __name__ == "__main__":
    main()
