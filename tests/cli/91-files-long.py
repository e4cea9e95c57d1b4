#!/usr/bin/env python3
"""The long ones of send and receive: a file of 3 GiB, and a tree of 2,000 files for three receivers
at once, each killed and resumed; and memory that does not grow with any of it."""

import contextlib
import hashlib
import os
import random
import threading
import time

from files import FilesScenario, part_of, size_of
from harness import GIB, KIB, MIB, OK, SANITIZED, Pattern, main, tally, until

SIZE = int(os.environ.get("USI_LONG_SIZE", 3 * GIB))
FILES = 2000
LARGEST = 32 * KIB  # in KiB, as /proc says it


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


class Peaks(threading.Thread):
    """The most memory that each of some processes ever had, as long as they run."""

    def __init__(self):
        super().__init__(daemon=True)
        self.processes, self.peaks, self.done = [], {}, threading.Event()
        self.start()

    def run(self):
        while not self.done.is_set():
            for process in list(self.processes):
                with contextlib.suppress(OSError, AttributeError):  # just gone
                    self.peaks[process] = process.status_field("VmHWM")
            time.sleep(0.1)


class Long(FilesScenario):
    def setUp(self):
        super().setUp()
        self.peaks = Peaks()
        self.addCleanup(self.peaks.done.set)

    def start(self, *arguments, **how):
        process = super().start(*arguments, **how)
        self.peaks.processes.append(process)
        return process

    def assert_small(self):
        self.peaks.done.set()
        self.peaks.join()
        if not SANITIZED:
            for process, peak in self.peaks.peaks.items():
                self.assertLess(peak, LARGEST, process.story())

    def killed(self, receiver, path, count):
        """Kills a receiver when so much of the file at path has come; False if all had come."""
        until(
            lambda: not receiver.running()
            or size_of(part_of(path)) >= count
            or os.path.exists(path),
            f"{count} octets of {path}",
        )
        receiver.signal(9)
        return receiver.wait() == -9

    def test_large_file(self):
        """3 GiB, killed at three places by turns, and gone on with."""
        self.put("large", Pattern(SIZE))
        target = os.path.join(self.here, "large")
        sender = self.send("large")
        for part in range(3):
            receiver = self.receive(sender)
            self.assertTrue(self.killed(receiver, target, SIZE * (part + 1) // 5))
        self.receive(sender).wait(OK)
        sender.signal(15)
        sender.wait(OK)
        self.assertEqual(digest(os.path.join(self.there, "large")), digest(target))
        self.assert_small()
        tally("files: the receiver of a large one is killed", 3, "resumed, all there, under 32 MiB")

    def make_many(self):
        """2,000 files of many sizes in folders, some large enough to be killed in."""
        for i in range(FILES):
            size = 6 * MIB if i % 100 == 0 else random.randrange(100) ** 2
            self.put(f"tree/{i % 20}/{i % 7}/{i}", Pattern(size))

    def get_it_all(self, sender, folder):
        """A receiver that is killed over and over, each time after some files more."""
        for number in (0, 500, 1000):
            receiver = self.receive(sender, folder=folder)
            done = os.path.join(folder, "tree")
            target = (number + 100) * (FILES - 400) // FILES // 2
            until(
                lambda receiver=receiver, done=done, target=target: not receiver.running()
                or sum(len(files) for _, _, files in os.walk(done)) > target,
                "more files",
            )
            receiver.signal(9)
            receiver.wait()
        self.receive(sender, folder=folder).wait(OK)

    def test_tree_for_three(self):
        self.make_many()
        sender = self.send("tree")
        folders = [self.folder_at(f"receiver {i}") for i in range(3)]
        errors = []

        def work(folder):
            try:
                self.get_it_all(sender, folder)
            except BaseException as error:  # noqa: BLE001 - told below
                errors.append(error)

        threads = [threading.Thread(target=work, args=(folder,)) for folder in folders]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(errors, [])
        # Folders that an earlier run made keep the time that it left them with.
        made = [f"tree/{i}/{j}" for i in range(20) for j in range(7)]
        made += ["tree", *(f"tree/{i}" for i in range(20))]
        for self.here in folders:
            self.assert_same(old=made)
        sender.signal(15)
        sender.wait(OK)
        self.assert_small()
        tally("files: three receivers of 2,000 are killed", 9, "resumed, all there, under 32 MiB")


if __name__ == "__main__":
    main()
