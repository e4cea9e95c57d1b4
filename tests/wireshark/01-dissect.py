#!/usr/bin/env python3
"""The dissector over captures of usi1.py: every message and record named, every record opened with the key log."""

import os
import shutil
import struct
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

from capture import Capture, Session  # noqa: E402
from tshark import HERE, LUA, ROOT, STORED, VECTORS, Tshark, skip_without_tshark  # noqa: E402

import harness  # noqa: E402
import usi1  # noqa: E402
from identity import Ed25519Key, Identity, RSAKey  # noqa: E402
from password import Password  # noqa: E402

KI, SALT = bytes(range(32)), bytes(range(16))
UP, DOWN = b"what the connector sends", b"what the listener sends"
STREAM = {"c": ["open, pipe", "end, count 24", "bye"], "l": ["end, count 23", "bye"]}


def identities(kept=True):
    return Identity(Ed25519Key(os.urandom(32)), kept), Identity(Ed25519Key(os.urandom(32)), False)


def passwords():
    return Password("correct horse"), Password("correct horse", SALT)


def check_ocb(test, *command, **how):
    """usi_ocb.lua against the vectors of RFC 7253 and others."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=harness.LIMIT, check=False, **how)
    test.assertEqual(done.returncode, 0, done.stderr)
    test.assertIn("opened 62, refused 314\n", done.stdout, done.stderr)


class Ocb(harness.Scenario):
    def test_lua(self):
        found = [lua for lua in ("lua5.2", "lua5.3", "lua5.4") if shutil.which(lua)]
        if not found:
            self.skipTest("no Lua but tshark's")
        for lua in found:
            with self.subTest(lua=lua):
                check_ocb(self, lua, os.path.join(HERE, "check_ocb.lua"), LUA, VECTORS)


@skip_without_tshark
class Stored(Tshark):
    """usi.pcap and usi.keys, and the Lua that is in tshark."""

    def test_ocb(self):
        script = [f"lua_script:{os.path.join(HERE, 'check_ocb.lua')}"]
        words = [word for each in (*script, f"lua_script1:{LUA}", f"lua_script1:{VECTORS}") for word in ("-X", each)]
        check_ocb(self, "tshark", *words, "-r", STORED, env=self.home)

    def test_opens(self):
        units = self.units(STORED, keylog=os.path.join(HERE, "usi.keys"))
        self.assertEqual([unit.notes for unit in units if unit.notes], [])
        names = [unit.name.split(",")[0] for unit in units]
        self.assertEqual(names, [
            "Message 1", "Message 2", "proof", "rekey 1", "rekey 2", "switch", "proof", "switch", "open", "data",
            "data", "end", "end", "bye", "bye",
            "Message 1", "Message 2", "proof", "question", "challenge", "attempt", "verdict", "open", "data", "data",
            "end", "end", "bye", "bye",
            "Message (1)", "Message (2)", "Message (3)", "Message (4)", "proof", "open", "chat hello", "chat welcome",
            "chat joined", "chat say", "chat said", "chat carry", "chat carry", "chat carry", "chat carry", "abort",
        ])
        self.assertEqual(self.data(units, "connector"), b"hello from the connectorfour quite common words")
        self.assertEqual(self.data(units, "listener"), b"hello from the listenerand an answer")
        self.assertEqual(self.data(units, "listener", "file.chunk"), b"file")
        self.assertEqual([unit["chat.text"] for unit in units if unit["chat.text"]], ["good morning", "only for you"])

    def test_made(self):
        """make-capture makes it."""
        subprocess.run([sys.executable, os.path.join(HERE, "make-capture"), self.folder], check=True)
        for name in ("usi.pcap", "usi.keys"):
            self.assert_equal_bytes(self.read(self.path(name)), self.read(os.path.join(HERE, name)), name)


@skip_without_tshark
class Modes(Tshark):
    def session(self, *credentials, **how):
        self.capture = Capture()
        return Session(self.capture.connect(), *credentials, **how).up()

    def read(self, session):
        path, log = self.write(self.capture, session)
        units = self.units(path, keylog=log)
        self.assertEqual([unit.notes for unit in units if unit.notes], [])
        return units

    def stream(self, session, messages):
        """A stream, and all of its units' names but for those in `messages`: a list for each side."""
        session.transfer(UP, DOWN)
        units = self.read(session)
        data = {"c": f"data, {len(UP)} octets", "l": f"data, {len(DOWN)} octets"}
        for sender, side in (("c", "connector"), ("l", "listener")):
            records = STREAM[sender][:]
            records.insert(1 if sender == "c" else 0, data[sender])
            self.assertEqual(self.names(units, side), messages[sender] + records)
        self.assertEqual((self.data(units, "connector"), self.data(units, "listener")), (UP, DOWN))
        return units

    def assert_covered(self, session, units, *names):
        """The messages' fields are all their octets, each once."""
        at = {"connector": 0, "listener": 0}
        sent = {"connector": session.sent["c"], "listener": session.sent["l"]}
        for unit, fields in zip(units, names):
            octets, side = unit.covered(), unit["from"]
            self.assertEqual(octets, sent[side][at[side] : at[side] + len(octets)], unit.text)
            at[side] += len(octets)
            self.assertEqual([name for name, _ in unit.octets], ["length", *fields.split()], unit.text)

    HEADER = "magic mode cipher flags name.length name randms"

    def test_key_mode(self):
        for size, cipher in ((16, 1), (24, 2), (32, 3)):
            with self.subTest(size=size):
                session = self.session(KI[:size], name="büro".encode())
                units = self.stream(session, {"c": ["Message 1, key mode", "proof"], "l": ["Message 2, key mode"]})
                first = units[0]
                self.assertEqual((first["message"], first["magic"], first["name"]), ("Message 1", "USI1", "büro"))
                self.assertEqual((first["mode"], first["cipher"]), ("1", str(cipher)))
                self.assertEqual(first.raw("randms"), session.rand)
                self.assert_covered(
                    session, units, f"{self.HEADER} e noise.tag knock", "flags randnw e noise.tag"
                )
                self.assertEqual((units[2]["record.epoch"], units[2]["record.counter"]), ("0", "0"))
                self.assertEqual(len(units[2].raw("proof")), 16)
                self.assertEqual(len(units[2].raw("record.padding")), 256 - 17)

    def test_identity_mode(self):
        for rsa in (False, True):
            with self.subTest(rsa=rsa):
                who = list(identities())
                if rsa:
                    who[0] = Identity(RSAKey.read(os.path.join(ROOT, "tests", "interop", "rsa-2048.pem")), True)
                session = self.session(*who)
                first = {"c": ["Message 1, identity mode", "proof"], "l": ["Message 2, identity mode"]}
                units = self.stream(session, first)
                header = self.HEADER.replace(" name ", " ")
                self.assert_covered(session, units, f"{header} e", "flags e identity.sealed noise.tag")
                proof = units[2]
                self.assertEqual(proof["identity.mark"], "1")
                self.assertEqual(proof.raw("identity.spki"), who[0].spki)
                self.assertEqual(len(proof.raw("identity.signature")), 256 if rsa else 64)

    def test_password_mode(self):
        session = self.session(*passwords())
        messages = {
            "c": ["Message (1), password mode", "Message (3), password mode", "proof"],
            "l": ["Message (2), password mode", "Message (4), password mode"],
        }
        units = self.stream(session, messages)
        header = self.HEADER.replace(" name ", " ")
        self.assert_covered(session, units, header, "salt pb", "pa e noise.tag", "flags e noise.tag")
        self.assertEqual(units[1].raw("salt"), SALT)

    def test_password_question(self):
        session = self.session(*identities())
        session.l.password = Password("correct horse", SALT)
        for word in ("correct horse", "another"):
            session.c.ask_password(Password(word))
            session.carry()
        session.l.password = None
        session.c.ask_password(Password("any"))
        session.carry()
        units = self.read(session)
        records = ["question", "challenge", "attempt", "verdict"]
        self.assertEqual([unit.name for unit in units[3:]], 2 * records + records[:2])
        shown = [[name for name, _ in unit.octets if "record." not in name and name != "type"] for unit in units[3:]]
        for question in (shown[0], shown[4], shown[8]):
            self.assertEqual(question, self.HEADER.replace(" name ", " ").split())
        challenge, attempt = ["salt", "pb"], ["pa", "e", "noise.tag"]
        self.assertEqual(shown[1:4], [challenge, attempt, ["flags", "e", "noise.tag"]])
        self.assertEqual(shown[5:8], [challenge, attempt, []])
        self.assertEqual(shown[9], [])

    def test_rekeys(self):
        """Both directions by both sides, in each mode; what follows opens under the new keys."""
        for mode, who in (("key", (KI,)), ("identity", identities()), ("password", passwords())):
            with self.subTest(mode=mode):
                session = self.session(*who)
                session.c.rekey()
                session.carry()
                session.l.rekey()
                session.carry()
                session.transfer(UP, DOWN)
                units = self.read(session)
                c, l = self.names(units, "connector"), self.names(units, "listener")
                at = c.index("proof") + 1
                self.assertEqual(c[at : at + 6], 2 * ["rekey 1", "switch", "proof"])
                at = l.index("rekey 2")
                self.assertEqual(l[at : at + 5], ["rekey 2", "switch", "ask", "rekey 2", "switch"])
                epochs = [unit["record.epoch"] for unit in units if unit.name.startswith("data")]
                self.assertEqual(epochs, ["2", "2"])
                first = next(unit for unit in units if unit.name == "rekey 1")
                self.assertEqual(first["mode"], {"key": "1", "identity": "2", "password": "3"}[mode])
                self.assertEqual(first.raw("knock") != b"", mode == "key")
                self.assertEqual((self.data(units, "connector"), self.data(units, "listener")), (UP, DOWN))

    def test_other_records(self):
        session = self.session(KI)
        session.c.ping(b"are you there")
        session.carry()
        session.say("l", usi1.ABORT, b"\5")
        session.say("c", usi1.ABORT, b"\x63")
        session.say("c", usi1.OPEN, b"\1")
        units = self.read(session)[3:]
        self.assertEqual([u.name for u in units], [
            "ping", "pong", "abort, its target cannot be reached", "abort, 99", "open, chat"
        ])
        self.assertEqual((units[0].raw("ping"), units[1].raw("ping")), (b"are you there", b"are you there"))

    def test_services(self):
        """A record of each type of chat and of files, all fields there with their values."""
        session = self.session(KI)
        for sender, number, content, _ in SERVICES:
            session.say(sender, number, content)
        units = self.read(session)[3:]
        self.assertEqual(len(units), len(SERVICES))
        for unit, (_, number, content, values) in zip(units, SERVICES):
            with self.subTest(number=number):
                self.assertEqual(unit["type"], str(number))
                self.assertEqual({name: unit[name] for name in values}, values)
                head = ("length", "type", "record.length", "record.sealed", "record.tag", "record.padding")
                self.assertEqual(unit.covered(*head), content)


def u(*numbers):
    """Numbers of 4 octets; 8 for those given as strings, 1 for those in lists."""
    sizes = {int: ">I", str: ">q", list: ">B"}
    return b"".join(struct.pack(sizes[type(n)], int(n[0] if isinstance(n, list) else n)) for n in numbers)


HASH = bytes(range(32))
SERVICES = [  # sender, type, content, some values
    ("c", 32, u([1], [5]) + "änna".encode(), {"chat.version": "1", "chat.name": "änna"}),
    ("c", 33, b"\1waves", {"chat.kind": "1", "chat.text": "waves"}),
    ("c", 34, u(7) + b"psst", {"chat.to": "7", "chat.text": "psst"}),
    ("c", 36, u(7, 9, [69], 2, "5") + b"abc", {"chat.transfer": "9", "chat.carried": "69", "file.offset": "5"}),
    ("l", 48, u(3, [4]) + b"anna" + u(1), {"chat.id": "3", "chat.name": "anna", "chat.host": "1"}),
    ("l", 49, u(3, [4]) + b"anna" + u([2], [32]) + HASH, {"chat.mode": "2", "chat.fingerprint": HASH.hex(":")}),
    ("l", 49, u(3, [4]) + b"anna" + u([1], [0]), {"chat.mode": "1", "chat.fingerprint": None}),
    ("l", 50, u(3, [2]), {"chat.why_left": "2"}),
    ("l", 51, u(3, [2]) + "grüße".encode(), {"chat.from": "3", "chat.kind": "2", "chat.text": "grüße"}),
    ("l", 52, u([1]), {"chat.why_refused": "1"}),
    ("l", 53, u(3, 9, [65], [1]), {"chat.from": "3", "file.answer": "1"}),
    ("c", 64, u([1], "2", str(2**40), [1]) + b"d" + u(1, "0"), {"file.octets": str(2**40), "file.name": "d"}),
    ("c", 64, u([1], "2", "3", [0], 2, "7"), {"file.things": "2", "file.folders": "7"}),
    ("l", 65, u([0]), {"file.answer": "0"}),
    (
        "c", 66, u(0, [1], 0o640, "-5", 999, "77") + b"\0\3a/b",
        {"file.mode": str(0o640), "file.mtime": "-5", "file.size": "77", "file.path": "a/b"},
    ),
    ("l", 67, u(0, [1], "3") + HASH + b"\0", {"file.want": "1", "file.sha256": HASH.hex(":")}),
    ("c", 68, u(0, "3"), {"file.index": "0", "file.offset": "3"}),
    ("c", 69, u(0, "3") + b"octets", {"file.offset": "3"}),
    ("c", 70, u(0, "4096"), {"file.zeros": "4096"}),
    ("c", 71, u(0, "77", "-5", 999) + HASH, {"file.size": "77", "file.sha256": HASH.hex(":")}),
    ("c", 72, u(1, [7]), {"file.index": "1", "file.reason": "7"}),
    ("l", 73, u(0, [0]), {"file.reason": "0"}),
    ("l", 74, u("77"), {"file.progress": "77"}),
    ("c", 75, u(2), {"file.entries": "2"}),
    ("l", 76, u(1, 0, 1), {"file.kept": "1", "file.skipped": "0", "file.failed": "1"}),
    ("c", 77, u([1]), {"file.why_stopped": "1"}),
]


@skip_without_tshark
class Layouts(Tshark):
    """What usi1.py does not make: ML-KEM's keys, and the mode that is set aside."""

    def message(self, octets, answer=b""):
        capture = Capture()
        wire = capture.connect()
        for sender, body in (("c", octets), ("l", answer)):
            if body:
                wire.send(sender, struct.pack(">H", len(body)) + body)
        units = self.units(self.write(capture, keylog="")[0])
        self.assertEqual([unit.notes for unit in units if unit.notes], [])
        return units

    def header(self, mode, flags=0):
        return b"USI1" + bytes([mode, 3, flags, 6]) + b"office" + bytes(32)

    def test_ml_kem(self):
        kem, cipher = os.urandom(1184), os.urandom(1088)
        units = self.message(self.header(1, 1) + kem + bytes(64), b"\1" + bytes(32) + cipher + bytes(48))
        self.assertIn(units[0]["flags.kem"], ("1", "True"))  # as older and newer ones show it
        self.assertEqual((units[0].raw("kem.key"), len(units[0].raw("knock"))), (kem, 16))
        self.assertEqual((units[1].raw("kem.ciphertext"), len(units[1].raw("e"))), (cipher, 32))
        units = self.message(self.header(2, 1) + kem + bytes(32), b"\1" + cipher + bytes(32 + 100 + 16))
        self.assertEqual(units[1].raw("kem.ciphertext"), cipher)
        self.assertEqual(len(units[1].raw("identity.sealed")), 100)

    def test_aka(self):
        first, second = self.message(self.header(4) + b"first", b"second")
        self.assertEqual(first.name, "Message 1, AKA (set aside) mode")
        self.assertEqual((first["name"], first.raw("aka")), ("office", b"first"))
        self.assertEqual(second.raw("aka"), b"second")


@skip_without_tshark
class Segments(Tshark):
    """However TCP cuts it."""

    def one(self, session, size=5000):
        text, back = os.urandom(size), os.urandom(size // 2)
        session.up().transfer(text, back, size // 5 - 1)
        return text, back

    def assert_data(self, capture, sessions, wanted, *options):
        path, log = self.write(capture, *sessions)
        for passes in ([], ["-2"]):
            units = self.units(path, *passes, *options, keylog=log)
            self.assertEqual([unit.notes for unit in units if unit.notes], [])
            got = self.data(units, "connector"), self.data(units, "listener")
            self.assert_equal_bytes(got[0], b"".join(w[0] for w in wanted))
            self.assert_equal_bytes(got[1], b"".join(w[1] for w in wanted))

    def test_sizes(self):
        for size in (1, 3, 7, 11, 300, 1460):
            with self.subTest(size=size):
                capture = Capture()
                session = Session(capture.connect(), KI, segment=size)
                self.assert_data(capture, [session], [self.one(session, 500 if size < 100 else 5000)])

    def test_most_in_a_record(self):
        capture = Capture()
        session = Session(capture.connect(), KI).up()
        text = os.urandom(3 * 65536)
        session.transfer(text)
        self.assert_data(capture, [session], [(text, b"")])

    def test_other_port(self):
        """Recognised by its first message, if that is in a segment; else by Decode As."""
        for size, options in ((1460, []), (3, ["-d", "tcp.port==17000,usi"])):
            capture = Capture()
            session = Session(capture.connect(17000), KI, segment=size)
            self.assert_data(capture, [session], [self.one(session)], *options)

    def test_two_at_once(self):
        capture = Capture()
        a, b = (Session(capture.connect(), KI[:size], segment=100) for size in (16, 32))
        for session in (a, b):
            session.up()
        for session in (a, b):
            session.c.open()
        for i in range(20):
            for session in (a, b):
                session.c.data(bytes([i]) * 70)
                session.carry()
        path, log = self.write(capture, a, b)
        streams = {}
        wanted = ["-Y", "usi.data", "-T", "fields", "-e", "tcp.stream", "-e", "usi.data"]
        shown = self.tshark(path, "-2", *wanted, keylog=log)
        for line in shown.splitlines():
            stream, data = line.split("\t")
            streams[stream] = streams.get(stream, b"") + bytes.fromhex(data.replace(",", ""))
        wanted = b"".join(bytes([i]) * 70 for i in range(20))
        self.assertEqual(streams, {"0": wanted, "1": wanted})

    def test_ports_used_again(self):
        capture = Capture()
        sessions, wanted = [], []
        for _ in range(2):
            sessions.append(Session(capture.connect(client=50000), KI))
            wanted.append(self.one(sessions[-1]))
        self.assert_data(capture, sessions, wanted)

    def test_visited_again(self):
        """A frame shows the same whichever are visited before it: for the second time, one direction's alone are."""
        capture = Capture()
        session = Session(capture.connect(), KI)
        self.one(session)
        path, log = self.write(capture, session)
        units = self.units(path, keylog=log)
        for side, port in (("connector", "dstport"), ("listener", "srcport")):
            again = self.units(path, "-2", "-R", f"tcp.{port} == 12800", keylog=log)
            self.assertEqual([unit.text for unit in again], [unit.text for unit in units if unit["from"] == side])
            self.assertEqual([unit.notes for unit in again if unit.notes], [])

    def test_out_of_order(self):
        capture = Capture()
        session = Session(capture.connect(), KI, segment=200)
        wanted = self.one(session)
        packets = capture.packets
        for i in range(20, len(packets) - 20, 2):
            packets[i], packets[i + 1] = packets[i + 1], packets[i]
        self.assert_data(capture, [session], [wanted], "-o", "tcp.reassemble_out_of_order:TRUE")

    def test_sent_again(self):
        capture = Capture()
        session = Session(capture.connect(), KI, segment=200)
        wanted = self.one(session)
        capture.packets = [packet for packet in capture.packets for _ in range(2)]
        self.assert_data(capture, [session], [wanted])


@skip_without_tshark
class Keys(Tshark):
    def setUp(self):
        super().setUp()
        self.capture = Capture()
        self.session = Session(self.capture.connect(), KI).up()
        self.session.c.rekey()
        self.session.carry()
        self.session.transfer(UP, DOWN)

    def read(self, keylog, **how):
        path, log = self.write(self.capture, keylog=keylog)
        return self.units(path, keylog=log, **how)

    def assert_opened(self, units):
        self.assertEqual([unit.notes for unit in units if unit.notes], [])
        self.assertEqual((self.data(units, "connector"), self.data(units, "listener")), (UP, DOWN))

    def assert_closed(self, units):
        self.assertEqual([unit.name for unit in units[:2]], ["Message 1, key mode", "Message 2, key mode"])
        self.assertGreater(len(units), 10)
        for unit in units[2:]:
            self.assertEqual((unit.notes, unit["type"]), ({"no_key"}, None), unit.text)

    def test_from_the_environment(self):
        path, log = self.write(self.capture, self.session)
        self.assert_opened(self.units(path, env={"USI_KEYLOG": log}))

    def test_none(self):
        path, log = self.write(self.capture, self.session)
        self.assert_closed(self.units(path))
        self.assertIn("USI_KEYLOG", self.tshark(path, "-V"))
        self.assert_closed(self.units(path, keylog=log + ".not-there"))
        self.assertIn("not-there", self.tshark(path, "-V", keylog=log + ".not-there"))

    def test_of_another_channel(self):
        other = self.session.keylog().replace(self.session.rand.hex(), os.urandom(32).hex())
        self.assert_closed(self.read(other))

    def test_wrong_lines(self):
        """Passed over: lines of another form, and keys of another size."""
        right = self.session.keylog()
        rand = self.session.rand.hex()
        wrong = [
            "", "USI_KEY", "# comment", "\0\0\xff", f"USI_KEY {rand} 0 c", f"USI_KEY {rand} 0 x {'00' * 32}",
            f"USI_KEY {rand} -1 c {'00' * 32}", f"USI_KEY {rand} 0 c {'00' * 31}", f"USI_KEY {rand} 0 c {'0' * 63}",
            f"USI_KEY {rand} {'9' * 400} c {'00' * 32}", f"USI_KEY {rand[:-2]} 0 c {'00' * 32}",
            f"USI_KEY {rand} 0 c {'00' * 16}", f"USI_KEY {rand} 0 c {'zz' * 32}", "x" * 100000,
        ]
        self.assert_opened(self.read("\n".join(wrong) + "\n" + right))
        self.assert_closed(self.read("\n".join(wrong) + "\n"))

    def test_a_wrong_key(self):
        """It says that the tag is wrong; a right line beside it is found."""
        rand = self.session.rand.hex()
        wrong = "".join(f"USI_KEY {rand} {epoch} {side} {'00' * 32}\n" for epoch in (0, 1) for side in "cl")
        units = self.read(wrong)
        self.assertEqual({tuple(unit.notes) for unit in units[2:]}, {("tag",)})
        self.assert_opened(self.read(wrong + self.session.keylog() + wrong))

    def test_later_keys_alone(self):
        """Records under the first keys stay closed, the others open."""
        lines = self.session.keylog().splitlines(True)
        units = self.read("".join(line for line in lines if line.split()[2] == "1"))
        self.assertEqual((self.data(units, "connector"), self.data(units, "listener")), (UP, DOWN))
        self.assertEqual({unit["record.epoch"] for unit in units[2:] if not unit.notes}, {"1"})
        self.assertEqual({unit["record.epoch"] for unit in units[2:] if unit.notes == {"no_key"}}, {"0"})

    def test_one_direction(self):
        lines = self.session.keylog().splitlines(True)
        units = self.read("".join(line for line in lines if line.split()[3] == "c"))
        self.assertEqual((self.data(units, "connector"), self.data(units, "listener")), (UP, b""))


if __name__ == "__main__":
    harness.main()
