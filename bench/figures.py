"""A figure: what was measured, beside a peer or what was asked for in the same run, and within which bound.

This machine may be shared: the ratio is what counts, so it comes first.
"""

import os
import statistics
import subprocess
import time


def percentile(values, share):
    """The value that a share of the values does not exceed, by nearest rank."""
    ordered = sorted(values)
    rank = max(1, -(-len(ordered) * share // 1))
    return ordered[int(rank) - 1]


def figure(name, unit, values, peer=None, beside=None, **bounds):
    """A row of the table.

    `values` and `beside` are what was measured, of us and of the `peer` that is named. Bounds: `most` of the p95, `ratio_most` and
    `ratio_least` of the ratio.
    """
    row = {"name": name, "unit": unit, "p50": statistics.median(values), "p95": percentile(values, 0.95), "runs": len(values)}
    if peer:
        row |= {"peer": peer, "peer_p50": statistics.median(beside)}
        row["ratio"] = row["p50"] / row["peer_p50"] if row["peer_p50"] else None
    return row | bounds


def accuracy(fault, unit, asked, values, within):
    """A row that compares what was measured with what was asked for; `within` is the share that it may be off."""
    return figure(
        fault, unit, values, "asked for", [asked],
        ratio_least=1 - within, ratio_most=1 + within, kind="accuracy", fault=fault,
    )


def misses(row):
    """Which bounds of a row do not hold, in words."""
    ratio = row.get("ratio")
    if "most" in row and row["p95"] > row["most"]:
        yield f"{row['name']}: p95 {row['p95']:.3g} {row['unit']}, at most {row['most']} is owed"
    if "ratio_most" in row and not (ratio is not None and ratio <= row["ratio_most"] + 1e-9):
        yield f"{row['name']}: {shown(ratio)}, at most {row['ratio_most']:.3g}x is owed"
    if "ratio_least" in row and not (ratio is not None and ratio >= row["ratio_least"] - 1e-9):
        yield f"{row['name']}: {shown(ratio)}, at least {row['ratio_least']:.3g}x is owed"


def shown(ratio):
    """A ratio as the table has it."""
    return "" if ratio is None else f"{ratio:.3f}x" if 0.9 < ratio < 1.1 else f"{ratio:.2f}x"


def bound(row):
    """The bounds of a row as the table has them."""
    if "most" in row:
        return f"≤ {row['most']:g}"
    least, most = row.get("ratio_least"), row.get("ratio_most")
    if least is not None and most is not None:
        return f"± {(most - least) / 2 * 100:.3g} %" if most > least else "exact"
    return f"≤ {most:g}x" if most is not None else f"≥ {least:g}x" if least is not None else ""


def show(rows):
    """Prints rows as a part of the table."""
    for row in rows:
        beside = f"  (beside {row['peer']}: {row['peer_p50']:.4g})" if "peer" in row else ""
        mark = " MISSED" if any(misses(row)) else ""
        print(
            f"{shown(row.get('ratio')):>9}  {row['p50']:>10.4g}  {row['p95']:>10.4g}  {bound(row):>9}  "
            f"{row['name']}, {row['unit']}{beside}{mark}",
            flush=True,
        )


def heading():
    """Prints the head of the table."""
    print(f"{'ratio':>9}  {'p50':>10}  {'p95':>10}  {'bound':>9}  what")


def milliseconds(action):
    """How long an action takes."""
    began = time.perf_counter()
    action()
    return (time.perf_counter() - began) * 1000


def run(*arguments, **options):
    """Runs a program to its end and returns it; its output is kept."""
    return subprocess.run(arguments, capture_output=True, text=True, check=False, **options)


def tool(*arguments, **options):
    """Runs a tool that must do what it is told, and returns what it printed."""
    done = run(*arguments, **options)
    if done.returncode != 0:
        raise SystemExit(f"bench: {' '.join(map(str, arguments))}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def until(condition, seconds=10, pause=0.001):
    """Waits until something holds."""
    end = time.perf_counter() + seconds
    while not condition():
        if time.perf_counter() > end:
            raise SystemExit(f"bench: nothing came of it in {seconds} s: {condition}")
        time.sleep(pause)


IS_ROOT = os.geteuid() == 0
