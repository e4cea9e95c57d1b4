"""The goals: what was promised beside what a run found."""

import statistics

OURS = "usi-tunnel"


def speed(metric, peer):
    return metric, peer, "gib_per_s"


# what, our reading, the reading that it is divided by (None: as it is), sense, bound
TUNNEL = [
    ("1 stream, x socat -b 65536", speed("bulk-1", OURS), speed("bulk-1", "socat-64k"), ">=", 0.95),
    ("1 stream, x ssh aes128-gcm", speed("bulk-1", OURS), speed("bulk-1", "ssh-aes128-gcm"), ">=", 1.6),
    ("1 stream, x spiped", speed("bulk-1", OURS), speed("bulk-1", "spiped"), ">=", 9),
    ("8 streams, x 1 stream", speed("bulk-8", OURS), speed("bulk-1", OURS), ">=", 0.9),
    ("64 streams, x 1 stream", speed("bulk-64", OURS), speed("bulk-1", OURS), ">=", 0.9),
    ("8 streams, x haproxy", speed("bulk-8", OURS), speed("bulk-8", "haproxy"), ">", 1),
    ("64 streams, x haproxy", speed("bulk-64", OURS), speed("bulk-64", "haproxy"), ">", 1),
    ("CPU s/GiB of both sides, 1 stream, x socat -b 65536", ("bulk-1", OURS, "tunnel_cpu_s_per_gib"),
     ("bulk-1", "socat-64k", "tunnel_cpu_s_per_gib"), "<=", 1.35),
    ("round trip of 64 octets, x haproxy", ("pingpong-64", OURS, "p50_us"), ("pingpong-64", "haproxy", "p50_us"),
     "<=", 1.05),
    ("KiB an idle connection, listening side", ("memory", OURS, "server_pss_kib_each"), None, "<=", 4),
    ("KiB an idle connection, connecting side", ("memory", OURS, "client_pss_kib_each"), None, "<=", 4),
    ("round trip beside 9,900 idle connections, x beside none", ("many-9900", OURS, "trip_x_alone"), None, "<=", 1.1),
    ("pipe of a file, x socat -u", speed("pipe-file", OURS), speed("pipe-file", "socat"), ">", 1),
]

MEETS = {">=": lambda found, bound: found >= bound, "<=": lambda found, bound: found <= bound,
         ">": lambda found, bound: found > bound}


def row(what, values, sense, bound):
    """A goal and the median of what was found for it; "met" is None where nothing was measured."""
    found = statistics.median(values) if values else None
    return {"goal": what, "sense": sense, "bound": bound, "found": found, "values": len(values),
            "least": min(values, default=None), "most": max(values, default=None),
            "met": None if found is None else MEETS[sense](found, bound)}


def by_round(rows, metric, peer, key):
    return {r["round"]: r[key] for r in rows
            if r.get("metric") == metric and r["peer"] == peer and r.get(key) is not None}


def tunnel(rows):
    """The goals of the tunnel; a ratio is the median of those within a round."""
    out = []
    for what, mine, base, sense, bound in TUNNEL:
        values = by_round(rows, *mine)
        if base is not None:
            theirs = by_round(rows, *base)
            values = {n: v / theirs[n] for n, v in values.items() if theirs.get(n)}
        out.append(row(what, list(values.values()), sense, bound))
    return out


def table(goals):
    out = ["| goal | | found | met |", "|---|--:|--:|:-:|"]
    for g in goals:
        found = "-" if g["found"] is None else f"{g['found']:.3g}" if g["found"] >= 10 else f"{g['found']:.2f}"
        if g["values"] > 1:
            found += f" [{g['least']:.2f}..{g['most']:.2f}]"
        met = {True: "yes", False: "no", None: "not measured"}[g["met"]]
        out.append(f"| {g['goal']} | {g['sense']} {g['bound']:g} | {found} | {met} |")
    return "\n".join(out)
