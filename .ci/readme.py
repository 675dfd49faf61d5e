"""Which parts of the README are made from the code? Writes them anew; --check tells whether they are up to date.

A part stands between ``<!-- made: NAME -->`` and ``<!-- end -->``; each name is a function here.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
PART = re.compile(r"(<!-- made: ([a-z -]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def exit_codes() -> str:
    from synapse_perf.errors import MEANINGS, PRECEDENCE

    rows = [f"| {code:d} | {text} |" for code, text in MEANINGS.items()]
    order = " > ".join(str(int(code)) for code in PRECEDENCE)
    return "\n".join(
        ["| code | meaning |", "| ---: | --- |", *rows, "", f"When several apply, the first wins: {order}."]
    )


def metric_names() -> str:
    from synapse_perf.benchmarks import (
        bench_cgrag,
        concurrent_retrieval,
        leak_loop,
        profile_load,
        retrieval_caches,
        service_startup,
        tier_latency,
        ui_fps,
        ui_leak,
        ws_disconnect,
        ws_latency,
    )

    commands = {
        "profile-load": profile_load.METRICS,
        "bench-cgrag": {**concurrent_retrieval.METRICS, **retrieval_caches.METRICS, **bench_cgrag.METRICS},
        "tier-latency": tier_latency.METRICS,
        "leak-hunt": leak_loop.METRICS,
        "service-startup": service_startup.METRICS,
        "ws-latency": {**ws_latency.METRICS, **ws_disconnect.METRICS},
        "ui-fps": {**ui_fps.METRICS, **ui_leak.METRICS},
    }
    rows = [
        f"| `{metric.name}` | {metric.unit} | {metric.better} | {metric.meaning} | `{command}` |"
        for command, metrics in commands.items()
        for metric in metrics.values()
    ]
    titles = ["| metric | unit | better | what it is | measured by |", "| --- | --- | --- | --- | --- |"]
    return "\n".join([*titles, *rows])


def targets() -> str:
    from synapse_perf.analyze.targets import TARGETS
    from synapse_perf.analyze.ui_targets import UI_ANIMATION, ui_targets
    from synapse_perf.units import format_value

    units = {"1/s": "per second", "in 10 s": "in 10 s"}
    checks = []
    for target in TARGETS:
        checks += ui_targets(TARGETS, uses_gpu=True) if target.id == UI_ANIMATION else [target]
    rows = []
    for check in checks:
        sign = "<" if check.better == "lower" else "≥"
        labels = ",".join(f"{name}={values[0]}" for name, values in check.labels.items() if values[0])
        limit = format_value(check.limit, "s") if check.unit == "s" else f"{check.limit:g} {units[check.unit]}"
        judged = f"{check.statistic} `{check.metric}{{{labels}}}`" if labels else f"{check.statistic} `{check.metric}`"
        rows.append(f"| `{check.id}` | {sign} {limit} | {judged} | {check.minimum} |")
    return "\n".join(["| target | limit | judged on | at least |", "| --- | --- | --- | ---: |", *rows])


def gate_rates() -> str:
    found = json.loads((ROOT / "tests/bench/gate_rates.json").read_text("utf-8"))
    names = list(found["machines"][0]["peers"])
    rules = [f"{name}: alarms, found" for name in names]
    titles = ["machine", "false alarms", "found", "undecided", "called unchanged", "pairs, as a rule", *rules]
    rows = []
    for row in found["machines"]:
        same, slowed = row["identical"], row["slowed"]
        told = [slowed.get(status, 0) for status in ("regressed", "inconclusive", "unchanged")]
        peers = [", ".join(map(str, row["peers"][name])) for name in names]
        cells = [row["machine"], same["false alarms"], *told, round(same["pairs"] / found["gates"]), *peers]
        rows.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join([f"| {' | '.join(titles)} |", f"| --- {'| --: ' * (len(titles) - 1)}|", *rows])


def leak_rates() -> str:
    from tests.bench.leak_rates import kept_file

    found = json.loads((ROOT / "tests/bench/leak_rates.json").read_text("utf-8"))
    titles = [
        "left behind at each call",
        "functions",
        "hunts",
        "told as a leak",
        "between, at 95 %",
        "undecided",
        "owner named",
    ]
    names = {"INNOCENT": "nothing, though it may look so", "COUNT": "a descriptor, thread, task, socket or process"}
    names |= {"COLLECTED": "garbage that only `gc.collect()` frees, 1 MB"}
    rows = []
    for row in found["rows"]:
        name = names.get(row["name"]) or f"{int(row['name'].split(' ')[1]):,} bytes"
        bounds = f"{100 * row['low']:.1f} to {100 * row['high']:.1f} %"
        owners = "{} of {}".format(*row["owners"]) if row["owners"][1] else ""
        cells = [name, row["cases"], row["hunts"], row["told"], bounds, row["undecided"], owners]
        rows.append(f"| {' | '.join(map(str, cells))} |")
    told = f"{found['hunts']} hunts, {found['crowded']} of them while others crowded the machine"
    stale = "" if found["rules"] == kept_file().stem else ", under rules or readings that have changed since"
    head = [f"| {' | '.join(titles)} |", f"| --- {'| --: ' * (len(titles) - 1)}|"]
    return "\n".join([*head, *rows, "", f"({told}{stale}.)"])


def profile_load_help() -> str:
    return _help("profile-load")


def bench_cgrag_help() -> str:
    return _help("bench-cgrag")


def tier_latency_help() -> str:
    return _help("tier-latency")


def retriever_example() -> str:
    return "\n".join(["```python", (ROOT / "tests/examples/retriever_example.py").read_text("utf-8").strip(), "```"])


def commands_help() -> str:
    return _help()


def _help(*command: str) -> str:
    told = subprocess.run(
        [sys.executable, "-m", "synapse_perf", *command, "--help"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1", "PYTHONUTF8": "1"},
        cwd=ROOT,
    )
    lines = [line.rstrip() for line in told.stdout.strip().splitlines()]
    return "\n".join(["```text", *lines, "```"])


PARTS: dict[str, Callable[[], str]] = {
    "exit codes": exit_codes,
    "metric names": metric_names,
    "targets": targets,
    "gate rates": gate_rates,
    "leak rates": leak_rates,
    "commands": commands_help,
    "profile-load help": profile_load_help,
    "bench-cgrag help": bench_cgrag_help,
    "tier-latency help": tier_latency_help,
    "retriever example": retriever_example,
}


def renew(text: str) -> str:
    """The README with every part made anew."""
    return PART.sub(lambda match: f"{match[1]}{PARTS[match[2]]()}\n{match[3]}", text)


def main() -> int:
    before = README.read_text(encoding="utf-8")
    after = renew(before)
    if before == after:
        return 0
    if "--check" in sys.argv:
        print("README.md is not what the code says now: run make docs", file=sys.stderr)
        return 1
    README.write_text(after, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
