"""What the benchmarks of this folder have in common: the program that they measure, and who can be measured."""

import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent.parent
ROOT = HERE.parent.parent


def build():
    """The release build, as scripts/bench and scripts/test make it."""
    log = ROOT / "build/log/bench-build.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "w") as f:
        for command in (["cmake", "--preset", "release"], ["cmake", "--build", "--preset", "release"]):
            if subprocess.run(command, cwd=ROOT, stdout=f, stderr=subprocess.STDOUT).returncode != 0:
                sys.stderr.write("".join(open(log).readlines()[-40:]))
                sys.exit(f"{sys.argv[0]}: the build failed; the whole of it: {log}")
    return ROOT / "build/release/usi-tunnel"


def able_peers(peers):
    chosen = []
    for name, program in peers.items():
        if program and shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin") is None:
            print(f"{name}: left out, {program} is not installed", file=sys.stderr)
        elif program == "sshd" and os.geteuid() != 0:
            print(f"{name}: left out, it needs root for its sshd", file=sys.stderr)
        else:
            chosen.append(name)
    return chosen


def keep(program, folder):
    """Copies the program and its provider, so that a build meanwhile does not change what is measured."""
    program = pathlib.Path(program).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    for file in (program, program.with_name("usi.so")):
        shutil.copy2(file, folder)
    return folder / program.name
