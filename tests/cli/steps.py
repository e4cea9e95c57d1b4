"""Reads the trace of --dev."""

import hashlib
import re

PHASES = ("INIT", "CONNECTION", "AUTHENTICATION", "KEY", "MSG", "QUIT")
STEP = re.compile(rf"usi-tunnel: ({'|'.join(PHASES)}) +(\S+)  (us|peer|both|wire) +(.+)$")


def steps(process):
    """(phase, peer, who, text) of each line of the trace."""
    return [m.groups() for m in map(STEP.match, process.lines) if m]


def values(process, name):
    """The values of a name in the trace, in order."""
    found = (re.match(rf"{name} = (?:secret )?(\S+)", text) for _, _, _, text in steps(process))
    return [m.group(1).rstrip(":") for m in found if m]


def keys(process):
    """{(side, epoch): key} of the trace."""
    pattern = r"key (\d+) of the (connector|listener)'s records = (?:secret )?#?([0-9a-f]+)"
    found = (re.match(pattern, text) for _, _, _, text in steps(process))
    return {(m.group(2)[0], int(m.group(1))): m.group(3) for m in found if m}


def shown(secret):
    """What stands for a secret, given in hex, where it is not shown."""
    return hashlib.sha256(b"USI dev" + bytes.fromhex(secret)).hexdigest()[:8]
