"""What the benchmarks of this folder have in common: the program that they measure, and who can be measured."""

import os
import pathlib
import re
import shutil
import signal
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
        if not file.exists():
            sys.exit(f"{sys.argv[0]}: there is no {file}; usi.so has to lie beside the program")
        if file.parent == folder.resolve():
            continue
        fresh = folder / f".{file.name}"  # and a rename: what runs there now keeps its own
        shutil.copy2(file, fresh)
        fresh.replace(folder / file.name)
    return folder / program.name


def measure_peers(results, program, peers, *arguments):
    """Runs measure-peers to its end; stops it, and so what it started, when this process is told to stop."""
    command = [HERE / "measure-peers", "--results", results, "--no-tables", *arguments, *peers]
    environment = dict(os.environ, USI_TUNNEL=str(program), PATH=os.environ["PATH"] + ":/usr/sbin")
    process = subprocess.Popen(command, env=environment)
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    signal.signal(signal.SIGINT, lambda *_: None)  # a terminal's goes to both: it ends measure-peers, and that us
    status = process.wait()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if status != 0:
        there = f"; what there is: {results}" if results.exists() else ""
        sys.exit(f"{sys.argv[0]}: measure-peers ended with {status}{there}")


def processor():
    found = re.search(r"^model name\s*: (.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    return found[1] if found else os.uname().machine


def openssl_version():
    return subprocess.run(["openssl", "version"], stdout=subprocess.PIPE, text=True).stdout.strip()
