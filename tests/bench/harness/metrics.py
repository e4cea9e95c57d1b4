"""What is measured. Each function takes one reading for one peer and returns flat numbers."""

import os
import select
import socket
import statistics
import subprocess
import time

from . import procs
from .procs import Failure, Load
from .tunnel import Tunnel, next_port

GIB = 1 << 30
BUFFER = 256 * 1024


def cpu_difference(before, after):
    out = {}
    for side in after:
        user, system = (after[side][i] - before[side][i] for i in (0, 1))
        out[f"{side}_user_s"], out[f"{side}_sys_s"], out[f"{side}_cpu_s"] = user, system, user + system
    return out


def run_load(tunnel, options, arguments, patience):
    """One load-generator command through the tunnel: its answer, each side's CPU time and peak memory."""
    before = tunnel.cpu()
    load = Load([options.programs / "load", *arguments], tunnel.log)
    try:
        answer = load.answer(patience)
        used = cpu_difference(before, tunnel.cpu())
        generator = procs.cpu(load.process.pid)
        peaks = {f"{name}_peak_kib": procs.peak_kib(side.pid) for name, side in tunnel.sides().items()}
    finally:
        load.close()
    deaths = tunnel.deaths()
    if not answer.pop("ok") or deaths:
        raise Failure("; ".join([str(answer), *deaths, procs.tail(tunnel.log, 200)]))
    return answer, dict(used, generator_cpu_s=sum(generator)), peaks


def bulk(streams):
    def measure(peer, options):
        total = int(options.gib * GIB) if streams == 1 else int(options.gib * GIB / 2)
        each = total // streams
        with Tunnel(peer, "sink", options.programs) as t:
            answer, used, peaks = run_load(t, options, ["bulk", t.port, streams, each, BUFFER, options.limit],
                                           options.limit + 5)
        gib = answer["bytes"] / GIB
        out = {"gib_per_s": gib / answer["seconds"], "seconds": answer["seconds"], **peaks}
        for name, seconds in used.items():  # client_user_s, client_sys_s, client_cpu_s, ...
            out[f"{name}_per_gib"] = seconds / gib
        if not peer.direct:
            out["tunnel_cpu_s_per_gib"] = sum(used.get(f"{s}_cpu_s", 0) for s in ("client", "server")) / gib
        return out
    return measure


def pingpong(size):
    def measure(peer, options):
        with Tunnel(peer, "echo", options.programs) as t:
            answer, used, _ = run_load(t, options, ["pingpong", t.port, size, options.round_trips, options.limit],
                                       options.limit + 5)
        cpu = sum(used.get(f"{s}_cpu_s", 0) for s in ("client", "server"))
        return dict(answer, tunnel_cpu_us_per_trip=cpu / (answer["count"] + answer["warm_up"]) * 1e6)
    return measure


def connect(concurrency):
    def measure(peer, options):
        with Tunnel(peer, "echo", options.programs) as t:
            answer, used, _ = run_load(t, options, ["connect", t.port, concurrency, 5000, options.connect_seconds],
                                       options.connect_seconds + 20)
        for side in ("client", "server"):
            answer[f"{side}_cpu_us_each"] = used.get(f"{side}_cpu_s", 0) / answer["done"] * 1e6
        return answer
    return measure


def flatten(memory, suffix):
    return {f"{side}_{k}_{suffix}": v for side, values in memory.items() for k, v in values.items()}


def beside(t, options):
    """Medians in us of a round trip and of making a connection, beside what the tunnel holds now. The trips are of five
    generators in turn: where the scheduler puts the one that waits makes up to twice the time."""
    trips = [run_load(t, options, ["pingpong", t.port, 64, min(1000, options.round_trips), 20], 25)[0] for _ in range(5)]
    made, *_ = run_load(t, options, ["connect", t.port, 1, 100, 5], 20)
    return {"trip_p50_us": statistics.median(trip["p50_us"] for trip in trips),
            "trip_p99_us": statistics.median(trip["p99_us"] for trip in trips), "join_p50_us": made["p50_us"]}


def hold(count, many):
    """Memory with idle connections; with many, also whether all stay usable and what they cost."""
    def measure(peer, options):
        with Tunnel(peer, "echo", options.programs) as t:
            alone = beside(t, options)  # and what only the first make resident belongs to no later connection
            time.sleep(0.3)
            idle, available = t.memory(), procs.available_kib()
            out = flatten(idle, "idle")
            out.update(trip_alone_p50_us=alone["trip_p50_us"], join_alone_p50_us=alone["join_p50_us"])
            load = Load([options.programs / "load", "hold", t.port, count, 64, 8], t.log)
            try:
                opened = load.answer(120)
                out.update(established=opened["alive"], refused=opened["dead"], unanswered=opened["unanswered"],
                           open_seconds=opened["seconds"])
                out["open_per_second"] = opened["alive"] / opened["seconds"]
                time.sleep(0.3)
                held = t.memory()
                out.update(flatten(held, "held"))
                # kernel memory too, and both sides, the generator and the service together
                out["machine_kib_each"] = (available - procs.available_kib()) / max(1, opened["alive"])
                for side in held:
                    for kind in ("rss", "pss"):
                        grown = held[side][f"{kind}_kib"] - idle[side][f"{kind}_kib"]
                        out[f"{side}_{kind}_kib_each"] = grown / max(1, opened["alive"])
                if many:
                    before = t.cpu()
                    time.sleep(1)
                    resting = cpu_difference(before, t.cpu())
                    out["resting_cpu_percent"] = 100 * sum(resting.get(f"{s}_cpu_s", 0) for s in ("client", "server"))
                    try:
                        among = beside(t, options)
                        out.update(among, trip_x_alone=among["trip_p50_us"] / alone["trip_p50_us"])
                    except Failure as e:
                        out["trip_failed"] = str(e)
                    load.say("check")
                    checked = load.answer(60)
                    out.update(still_alive=checked["alive"], check_seconds=checked["seconds"])
            finally:
                load.close()
            if many:
                time.sleep(1)
                try:
                    run_load(t, options, ["connect", t.port, 1, 10, 5], 20)
                    out["usable_after"] = 1
                except Failure as e:
                    out["usable_after"], out["after"] = 0, str(e)
            out["deaths"] = "; ".join(t.deaths())
            messages = procs.tail(t.log, 300)
            if messages:
                out["messages"] = messages
        return out
    return measure


def pipe_size(options):
    return int(options.pipe_gib * 1024) << 20


def pipe(source):
    """Standard input (a file, or a pipe of zeros) at one end, standard output at the other; wall time from start to
    last byte counted."""
    def measure(peer, options):
        size = pipe_size(options)
        run = peer.runs / f"{peer.name}-pipe-{next_port()}"
        run.mkdir(exist_ok=True)
        log = run / "log"
        where = {"TUNNEL_PORT": next_port(), "TARGET_PORT": next_port(), "RUN_DIR": run,
                 "RECEIVER": f"{options.programs / 'serve'} stdin"}
        server = receiver = feeder = client = feed = None
        try:
            if peer.direct:
                pass
            elif peer.pipe_to_target:
                receiver = procs.start([options.programs / "serve", "swallow", str(where["TARGET_PORT"])], log,
                                       stdout=subprocess.PIPE)
                server = peer.start("peer_pipe_server", log, **where)
            elif peer.pipe_runs_receiver:
                server = peer.start("peer_pipe_server", log, **where)
            else:
                server = peer.start("peer_pipe_server", log, stdout=subprocess.PIPE, **where)
                receiver = procs.start([options.programs / "serve", "stdin"], log, stdin=server.stdout,
                                       stdout=subprocess.PIPE)
                server.stdout.close()
            if server:
                procs.wait_listening(where["TUNNEL_PORT"], server, log)
            before = procs.cpu(server.pid) if server else (0, 0)
            start = time.monotonic()
            if source == "zeros":
                feeder = procs.start([options.programs / "load", "zeros", str(size), str(BUFFER)], log,
                                     stdout=subprocess.PIPE)
                feed = feeder.stdout
            else:
                feed = open(options.pipe_file, "rb")
            if peer.direct:
                client = procs.start([options.programs / "serve", "stdin"], log, stdin=feed, stdout=subprocess.PIPE)
                answering = client.stdout
            else:
                client = peer.start("peer_pipe_client", log, stdin=feed, **where,
                                    stdout=subprocess.PIPE if peer.pipe_runs_receiver else subprocess.DEVNULL)
                answering = client.stdout if peer.pipe_runs_receiver else receiver.stdout
            feed.close()
            line = read_line(answering, options.limit, log)
            _, status, usage = wait_usage(client, 10)
            seconds = time.monotonic() - start
            got = int(line.split()[1])
            if got != size or status != 0:
                raise Failure(f"{got} of {size} bytes arrived, client status {status}; {procs.tail(log)}")
            out = {"seconds": seconds, "gib_per_s": size / GIB / seconds}
            if not peer.direct:
                out["client_cpu_s_per_gib"] = (usage.ru_utime + usage.ru_stime) / (size / GIB)
                out["server_cpu_s_per_gib"] = (server_cpu(server) - sum(before)) / (size / GIB)
            return out
        finally:
            for process in (client, feeder, server, receiver):
                procs.stop(process)
    return measure


def read_line(stream, limit, log):
    got, deadline = b"", time.monotonic() + limit
    while b"\n" not in got:
        if not select.select([stream], [], [], max(0, deadline - time.monotonic()))[0]:
            raise Failure(f"receiver had not seen the end after {limit} s; {procs.tail(log)}")
        piece = os.read(stream.fileno(), 4096)
        if not piece:
            raise Failure(f"receiver ended early; {procs.tail(log)}")
        got += piece
    return got.decode()


def server_cpu(server):
    """CPU seconds of a server side that either ended with its one connection or goes on listening."""
    try:
        _, _, usage = wait_usage(server, 0.3)
        return usage.ru_utime + usage.ru_stime
    except Failure:
        return sum(procs.cpu(server.pid))


def wait_usage(process, patience):
    deadline = time.monotonic() + patience
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return pid, process.returncode, usage
        if time.monotonic() > deadline:
            raise Failure(f"client side still running {patience} s after the receiver saw the end")
        time.sleep(0.001)


def half_close(peer, options):
    """Send 1 MiB, close the sending direction only, expect the far end's count: given at once, or 2 s later."""
    out = {}
    for service, name in (("swallow", "answered_at_once"), ("late", "answered_late")):
        with Tunnel(peer, service, options.programs) as t:
            with socket.create_connection(("127.0.0.1", t.port), timeout=8) as s:
                try:
                    s.sendall(bytes(1 << 20))
                    s.shutdown(socket.SHUT_WR)
                    answer = b""
                    while len(answer) < 8:
                        piece = s.recv(8 - len(answer))
                        if not piece:
                            break
                        answer += piece
                    out[name] = int(int.from_bytes(answer, "big") == 1 << 20)
                except OSError as e:
                    out[name], out["messages"] = 0, f"{service}: {e}"
    return out


ONCE = {"half-close"}  # yes or no: one round says it

# name: (function, what a peer must offer to take part)
METRICS = {
    "bulk-1": (bulk(1), "forward"),
    "bulk-8": (bulk(8), "forward"),
    "bulk-64": (bulk(64), "forward"),
    "pingpong-1": (pingpong(1), "forward"),
    "pingpong-64": (pingpong(64), "forward"),
    "pingpong-1024": (pingpong(1024), "forward"),
    "connect-1": (connect(1), "forward"),
    "connect-16": (connect(16), "forward"),
    "memory": (hold(1000, many=False), "forward"),
    "many-1000": (hold(1000, many=True), "forward"),
    "many-5000": (hold(5000, many=True), "forward"),
    "many-9900": (hold(9900, many=True), "forward"),
    "half-close": (half_close, "forward"),
    "pipe-zeros": (pipe("zeros"), "pipe"),
    "pipe-file": (pipe("file"), "pipe"),
}
