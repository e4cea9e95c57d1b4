"""face_demo in place of usi-tunnel."""

import contextlib
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))

import harness  # noqa: E402

DEMO = os.environ["USI_FACE_DEMO"]
FEATURES = subprocess.run([DEMO, "--features"], stdout=subprocess.PIPE, check=True).stdout.decode().split()


@contextlib.contextmanager
def as_program():
    """What is started meanwhile is the demo."""
    before, harness.PROGRAM = harness.PROGRAM, DEMO
    try:
        yield
    finally:
        harness.PROGRAM = before
