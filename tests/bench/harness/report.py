"""Results (one JSON object a line) to tables in markdown: medians, their spread, and ratios."""

import json
import statistics

from . import goals

COLUMNS = {
    "bulk": [("gib_per_s", "GiB/s", 3), ("client_cpu_s_per_gib", "client CPU s/GiB", 3),
             ("server_cpu_s_per_gib", "server CPU s/GiB", 3), ("client_user_s_per_gib", "client user", 3),
             ("server_user_s_per_gib", "server user", 3),
             ("tunnel_cpu_s_per_gib", "both CPU s/GiB", 3), ("client_peak_kib", "client peak KiB", 0),
             ("server_peak_kib", "server peak KiB", 0)],
    "pingpong": [("p50_us", "p50 us", 1), ("p99_us", "p99 us", 1), ("mean_us", "mean us", 1), ("tunnel_cpu_us_per_trip", "tunnel CPU us/trip", 1)],
    "connect": [("per_second", "per second", 0), ("p50_us", "p50 us", 0), ("p99_us", "p99 us", 0),
                ("client_cpu_us_each", "client CPU us each", 0), ("server_cpu_us_each", "server CPU us each", 0),
                ("failed", "failed", 0)],
    "memory": [("server_rss_kib_idle", "server RSS idle KiB", 0), ("server_pss_kib_idle", "server PSS idle KiB", 0),
               ("server_pss_kib_each", "server PSS KiB/conn", 1), ("client_pss_kib_each", "client PSS KiB/conn", 1),
               ("server_rss_kib_each", "server RSS KiB/conn", 1), ("server_processes_held", "server processes", 0),
               ("established", "established", 0)],
    "many": [("established", "established", 0), ("refused", "refused", 0), ("unanswered", "unanswered", 0),
             ("still_alive", "alive at check", 0), ("open_per_second", "opened/s", 0),
             ("server_pss_kib_held", "server PSS KiB", 0), ("server_pss_kib_each", "server PSS KiB/conn", 1),
             ("machine_kib_each", "whole machine KiB/conn", 1), ("resting_cpu_percent", "resting CPU %", 1),
             ("trip_alone_p50_us", "64 B trip p50 us beside none", 1), ("trip_p50_us", "beside them", 1),
             ("trip_x_alone", "x beside none", 2), ("trip_p99_us", "p99 us", 0),
             ("join_alone_p50_us", "one more connection p50 us beside none", 0), ("join_p50_us", "beside them", 0),
             ("usable_after", "usable after", 0)],
    "half": [("answered_at_once", "answer arrives", 0), ("answered_late", "answer 2 s later arrives", 0)],
    "pipe": [("seconds", "wall s", 2), ("gib_per_s", "GiB/s", 3), ("client_cpu_s_per_gib", "client CPU s/GiB", 3),
             ("server_cpu_s_per_gib", "server CPU s/GiB", 3)],
}


DISTURBED = 0.1  # CPUs that others used during a reading, from which it counts as disturbed


def load(path):
    with open(path) as f:
        return [json.loads(line) for line in f]


def spread(values, digits):
    values = [v for v in values if v is not None]
    if not values:
        return "-"
    text = f"{statistics.median(values):.{digits}f}"
    if len(values) > 1:
        text += f" [{min(values):.{digits}f}..{max(values):.{digits}f}]"
    return text


def median(rows, peer, metric, key):
    """Median of a peer's good readings; None if there are none."""
    values = [r[key] for r in rows if r["metric"] == metric and r["peer"] == peer and r.get(key) is not None]
    return statistics.median(values) if values else None


def ratio(rows, peer, base, key):
    """Median over rounds of peer/base within the same round, so that slow drift cancels; None if there is none."""
    mine = {r["round"]: r[key] for r in rows if r["peer"] == peer and r.get(key) is not None}
    theirs = {r["round"]: r[key] for r in rows if r["peer"] == base and r.get(key)}
    both = [mine[n] / theirs[n] for n in mine if n in theirs]
    return statistics.median(both) if both else None


def number(value, digits):
    return "-" if value is None else f"{value:.{digits}f}"


BASES = ("direct", "socat", "socat-64k")  # what ratios refer to, where they are in the run


def markdown(results):
    """A table for each metric, with everything."""
    out = []
    runs = [r for r in results if "metric" in r]
    for metric in dict.fromkeys(r["metric"] for r in runs):
        rows = [r for r in runs if r["metric"] == metric]
        columns = COLUMNS[metric.split("-")[0]]
        first = columns[0][0]
        peers = list(dict.fromkeys(r["peer"] for r in rows))
        bases = [b for b in BASES if b in peers]
        out.append(f"\n### {metric} ({max(r['round'] for r in rows)} rounds)\n")
        out.append("| peer | " + " | ".join(c[1] for c in columns) + "".join(f" | x {b}" for b in bases) + " | readings failed |")
        out.append("|---" * (len(columns) + len(bases) + 2) + "|")
        for peer in peers:
            mine = [r for r in rows if r["peer"] == peer]
            good = [r for r in mine if "failure" not in r]
            cells = [spread([r.get(key) for r in good], digits) for key, _, digits in columns]
            cells += [number(ratio(rows, peer, b, first), 2) for b in bases]
            out.append(f"| {peer} | " + " | ".join(cells) + f" | {len(mine) - len(good) or ''} |")
        for note in dict.fromkeys(f"{r['peer']}: {r[k]}" for r in rows
                                  for k in ("failure", "trip_failed", "after", "deaths", "messages") if r.get(k)):
            out.append(f"\n- {note[:400]}")
    return "\n".join(out)


# ---- the short table ----

NAMES = {
    "direct": "no tunnel", "socat": "socat, *plain*", "socat-64k": "socat -b 65536, *plain*",
    "haproxy": "haproxy, *plain*", "ssh-aes128-gcm": "ssh -L, aes128-gcm",
    "ssh-chacha20-poly1305": "ssh -L, chacha20-poly1305", "stunnel": "stunnel, TLS 1.3 PSK, AES-128-GCM",
    "socat-tls": "socat, TLS 1.3, AES-256-GCM", "spiped": "spiped", "ncat": "ncat, *plain*", "ncat-ssl": "ncat --ssl",
    "usi-tunnel": "**usi-tunnel**, AES-256-OCB", "usi-tunnel-128": "**usi-tunnel**, AES-128-OCB",
}
SHORT = [("bulk-1", "gib_per_s", "1 stream, GiB/s", 2), ("bulk-1", "ratio", "x socat -b 65536", 2),
         ("bulk-1", "tunnel_cpu_s_per_gib", "CPU s/GiB, both sides", 2),
         ("bulk-64", "gib_per_s", "64 streams, GiB/s", 2),
         ("pingpong-64", "p50_us", "round trip of 64 octets, µs", 0), ("connect-16", "per_second", "connections/s", 0),
         ("memory", "server_pss_kib_each", "KiB an idle connection", 1), ("pipe-file", "gib_per_s", "pipe, GiB/s", 2)]


def summary(results):
    """What was measured, in medians: {"date", "machine", "rounds", "peers": {peer: {"metric key": number}}, "goals"}."""
    runs = [r for r in results if "metric" in r]
    about = next((r for r in results if "machine" in r), {})
    peers = {}
    for peer, metric in dict.fromkeys((r["peer"], r["metric"]) for r in runs):
        rows = [r for r in runs if r["metric"] == metric]
        values = {key: median(rows, peer, metric, key) for key, _, _ in COLUMNS[metric.split("-")[0]]}
        if metric == "bulk-1":
            values["ratio"] = ratio(rows, peer, "socat-64k", "gib_per_s")
        peers.setdefault(peer, {}).update({f"{metric} {k}": v for k, v in values.items() if v is not None})
    return {"date": about.get("date"), "machine": about.get("machine", {}), "readings": len(runs),
            "failed": sum("failure" in r for r in runs),
            "disturbed": sum(r.get("others_cpus", 0) >= DISTURBED for r in runs),
            "rounds": max((r["round"] for r in runs), default=0), "peers": peers, "goals": goals.tunnel(runs)}


def short(results):
    """One table, a peer a line, and a line that says what it is; and the goals that were measured."""
    s = summary(results)
    columns = [c for c in SHORT if any(f"{c[0]} {c[1]}" in values for values in s["peers"].values())]
    if not columns:
        return "nothing that the short table shows was measured\n"
    out = ["| over loopback | " + " | ".join(c[2] for c in columns) + " |", "|---" + "|--:" * len(columns) + "|"]
    for peer, values in s["peers"].items():
        cells = [number(values.get(f"{metric} {key}"), digits) for metric, key, _, digits in columns]
        out.append(f"| {NAMES.get(peer, peer)} | " + " | ".join(cells) + " |")
    out.append(f"\n{s['date']}, {s['machine'].get('cpu')}, {s['machine'].get('cores')} cores: medians of {s['rounds']} "
               "rounds, all in one run; the ratio is\nthe median of those within a round.")
    if s["failed"]:
        out.append(f"{s['failed']} of the {s['readings']} readings failed and are left out.")
    if s["disturbed"]:
        out.append(f"During {s['disturbed']} of the {s['readings']} readings something else used the machine.")
    measured = [g for g in s["goals"] if g["met"] is not None]
    if measured:
        out.append("\n" + goals.table(measured))
    return "\n".join(out) + "\n"
