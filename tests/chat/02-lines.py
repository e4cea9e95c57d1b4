#!/usr/bin/env python3
"""A chat's face in pipes, files and sockets: lines in, lines out."""

import os
import re
import socket

from demo import as_program

from harness import PIPE, Scenario, main, until


class Lines(Scenario):
    def demo(self, **how):
        with as_program():
            return self.start(**how)

    def lines_of(self, process):
        process.wait(0)
        return bytes(process.out.data).decode().splitlines()

    def test_lines(self):
        process = self.demo(stdin=b"hello\n\nwindows\r\nh\xc3\xa9\nno end")
        self.assertEqual(
            self.lines_of(process),
            ["-- ready", "-- 5: hello", "-- 7: windows", "-- 3: h\u00e9", "-- 6: no end", "-- end 0"],
        )

    def test_what_is_no_text_is_not_sent(self):
        process = self.demo(stdin=b"a\xffb\na\0b\n\xed\xa0\x80\nfine\n")
        self.assertEqual(self.lines_of(process), ["-- ready", "-- 4: fine", "-- end 0"])
        process.says(r"not UTF-8 text", 3)

    def test_lines_have_a_length(self):
        longest, more = b"x" * 4096, b"y" * 4097
        data = b"\n".join([longest, more, b"z" * 100_000, longest + b"\r", b"end"])
        lines = self.lines_of(self.demo(stdin=data))
        told = [re.match(r"-- (\d+):", line) for line in lines]
        self.assertEqual([found[1] for found in told if found], ["4096", "4096", "3"])

    def test_other_kinds_of_input_and_output(self):
        path = self.file("in", b"one\ntwo\n")
        wanted = b"-- ready\n-- 3: one\n-- 3: two\n-- end 0\n"
        with open(path, "rb") as source, open(self.path("out"), "wb") as out:
            self.demo(stdin=source, stdout=out).wait(0)
        self.assertEqual(self.read(self.path("out")), wanted)
        self.assertEqual(self.lines_of(self.demo()), ["-- ready", "-- end 0"])
        ours, its = socket.socketpair()
        with ours, its:
            process = self.demo(stdin=its, stdout=its)
            its.close()
            ours.sendall(b"one\ntwo\n")
            ours.shutdown(socket.SHUT_WR)
            received = b""
            while chunk := ours.recv(4096):
                received += chunk
            process.wait(0)
        self.assertEqual(received, wanted)

    def test_nothing_is_lost_to_a_slow_reader(self):
        source, sink = os.pipe()
        process = self.demo(stdin=b"/flood 100000\n", stdout=sink)
        os.close(sink)
        seen, data = 0, b""
        with open(source, "rb") as reader:
            self.assertEqual(reader.readline(), b"-- ready\n")
            for line in reader:
                seen += line.startswith(b"<flood> line ")
                data = line
        process.wait(0)
        self.assertEqual(seen, 100_000)
        self.assertEqual(data, b"<flood> line 1\n")

    def test_a_reader_that_does_not_read_stops_nothing(self):
        """Lines are counted instead of kept, past what is bounded; the program can be ended."""
        source, sink = os.pipe()
        process = self.demo(stdin=PIPE, stdout=sink)
        os.close(sink)
        process.write(b"/loss\n/stderr\n")
        process.says("on stderr")
        process.write(b"/loss\n/stderr\n")
        process.says("on stderr", 2)
        self.assertLess(process.status_field("VmRSS"), 64 * 1024)
        process.close_stdin()
        with open(source, "rb") as reader:
            lines = reader.read().decode().splitlines()
        process.wait(0)
        lost = [re.match(r"-- (\d+) lines are lost", line) for line in lines]
        self.assertTrue(any(lost), "what waits has a bound")
        total = sum(int(found[1]) for found in lost if found) + lines.count("<loss> 0123456789")
        self.assertIn(total, range(400_000, 400_010))  # other lines may be lost too

    def test_nobody_reads_any_more(self):
        source, sink = os.pipe()
        os.close(source)
        process = self.demo(stdin=PIPE, stdout=sink)
        os.close(sink)
        process.says("output: broken pipe")
        process.wait(0)

    def test_a_pause(self):
        feed = self.path("feed")
        os.mkfifo(feed)
        with as_program():
            process = self.start(feed, stdin=PIPE)
        process.write(b"/stop\none\n")
        process.close_stdin()
        until(lambda: b"-- 5: /stop" in process.out.data, "the first line")
        with open(feed, "wb") as fifo:
            fifo.write(b"meanwhile\n")
        until(lambda: b"<anna> meanwhile" in process.out.data, "what anna says")
        self.assertNotIn(b"one", process.out.data)
        with open(feed, "wb") as fifo:
            fifo.write(b"!go\n")
        self.assertEqual(self.lines_of(process)[-2:], ["-- 3: one", "-- end 0"])


if __name__ == "__main__":
    main()
