"""Runs real gates, one after another, on a workload of a tenth of a second, and keeps every outcome in a file.

``python -m tests.bench.real_gates quiet`` goes on where an earlier run of that name stopped, until there are 100 gates
of identical code and 15 of each slowdown; ``loaded --hogs 2`` does so beside two processes that never rest. Other rules
begin a file of their own.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from scipy import stats

from synapse_perf.analyze import gate_agreement, gate_paired, gate_policy, gate_signed_rank
from synapse_perf.clock import now_ns, seconds_between, utc_timestamp
from synapse_perf.commands.gate_arms import CPU_METRIC
from tests.commands.made_repository import git
from tests.module_digest import digest

KEPT = Path(__file__).parents[2] / "build" / "real-gates"
IDENTICAL, SLOWED = 100, 15  # gates of each at least
ROUND = (0, 0, 5, 0, 0, 10, 0, 0, 20, 0)  # per cent by which a busy loop lengthens one of the two phases
COMMAND = f'"{sys.executable}" -I -S bench.py'

# Two phases, each measured seven times after one that warms up; `SLOWER` per cent of further turns are the change.
BENCHMARK = """\
import os
import time

SLOWER = 0
TURNS = 80_000


def spin(turns):
    total = 0
    for turn in range(turns):
        total += turn * turn
    return total


def read():
    spin(TURNS)


def rank():
    spin(TURNS)
    spin(TURNS * SLOWER // 100)


def seconds(phase):
    started = time.perf_counter()
    phase()
    return time.perf_counter() - started


def times(phase):
    return [seconds(phase) for _ in range(8)][1:]


told = ", ".join('{"command": "%s", "times": %s}' % (phase.__name__, times(phase)) for phase in (read, rank))
with open(os.environ["SYNAPSE_PERF_OUTPUT"], "w") as output:
    output.write('{"results": [%s]}' % told)
"""
UNTOUCHED, CHANGED = "command_time{command=read}", "command_time{command=rank}"


@dataclass(frozen=True, slots=True)
class Gate:
    """One real gate; `statuses` are those of the phase that never changes and of the one that may."""

    slower_percent: int
    code: int
    statuses: tuple[str, str]
    ratio: float | None
    processor_ratio: float | None  # of the whole command
    reason: str  # of the status of the phase that may change
    pairs: int
    disturbed_pairs: int
    took_s: float
    load: float  # of the last minute, before it
    at: str

    @property
    def is_false_alarm(self) -> bool:
        return self.statuses[0] == "regressed" or (self.slower_percent == 0 and self.code == 1)

    @property
    def is_found(self) -> bool:
        return self.slower_percent > 0 and self.code == 1


def made_project(place: Path) -> Path:
    """A repository whose tag `base` is the benchmark, with a branch for each change."""
    place.mkdir()
    git(place, "init", "-q", "-b", "base")
    for percent in (None, *sorted(set(ROUND))):
        text = BENCHMARK if percent is None else BENCHMARK.replace("SLOWER = 0", f"SLOWER = {percent}  # changed")
        if percent is not None:
            git(place, "checkout", "-q", "-b", f"change-{percent}", "base")
        (place / "bench.py").write_text(text)
        git(place, "add", "-A")
        git(place, "commit", "-q", "-m", f"{percent}")
    return place


def one_gate(project: Path, percent: int) -> Gate:
    """As a user would run it, in a process of its own."""
    git(project, "checkout", "-q", f"change-{percent}")
    load, at, started = os.getloadavg()[0], utc_timestamp(), now_ns()
    words = ["gate", "--against", "base", "--command", COMMAND, "--format", "json", "--quiet"]
    done = subprocess.run(
        [sys.executable, "-m", "synapse_perf", *words],
        cwd=project,
        env={**os.environ, "SYNAPSE_PERF_STATE_DIR": str(project.parent / "state")},
        capture_output=True,
        text=True,
        check=False,
    )
    took_s = seconds_between(started, now_ns())
    if not done.stdout:
        raise RuntimeError(f"the gate told nothing: {done.stderr}")
    report = json.loads(done.stdout)
    rows = {row["metric"]: row for row in report["rows"]}
    disturbed = sum(map(bool, report["facts"]["disturbances"]))
    return Gate(
        slower_percent=percent,
        code=done.returncode,
        statuses=(rows[UNTOUCHED]["status"], rows[CHANGED]["status"]),
        ratio=rows[CHANGED]["ratio"],
        processor_ratio=rows[CPU_METRIC]["ratio"],
        reason=rows[CHANGED]["reason"],
        pairs=report["facts"]["pairs"],
        disturbed_pairs=disturbed,
        took_s=took_s,
        load=load,
        at=at,
    )


def kept_file(name: str) -> Path:
    return KEPT / f"{name}-{digest(gate_agreement, gate_paired, gate_policy, gate_signed_rank)}.jsonl"


def kept(name: str) -> list[Gate]:
    path = kept_file(name)
    lines = path.read_text().splitlines() if path.exists() else []
    return [Gate(**{**made, "statuses": tuple(made["statuses"])}) for made in map(json.loads, lines)]


def carry_out(name: str, hogs: int = 0, identical: int = IDENTICAL, slowed: int = SLOWED) -> list[Gate]:
    """Gates until there are enough of each kind, those of earlier runs included."""
    found = kept(name)
    KEPT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, busy(hogs):
        project = made_project(Path(folder) / "project")
        while missing := _missing(found, identical, slowed):
            percent = next(each for each in _turn(len(found)) if each in missing)
            found.append(one_gate(project, percent))
            with kept_file(name).open("a") as stream:
                stream.write(json.dumps(asdict(found[-1])) + "\n")
    return found


def table(gates: Sequence[Gate]) -> str:
    """What became of them, with the bound on the rate of false alarms."""
    rows = ["slower   gates  found  unchanged  undecided  time to verdict (median, worst)   pairs"]
    for percent in sorted(set(ROUND)):
        some = [gate for gate in gates if gate.slower_percent == percent]
        if not some:
            continue
        outcomes = Counter(gate.statuses[1] for gate in some)
        took = [gate.took_s for gate in some]
        rows.append(
            f"{percent:>4} %   {len(some):>5}  {sum(gate.code == 1 for gate in some):>5}  "
            f"{outcomes['unchanged']:>9}  {outcomes['inconclusive']:>9}  "
            f"{statistics.median(took):>13.1f} s {max(took):>13.1f} s  {statistics.median(g.pairs for g in some):>8g}"
        )
    identical = [gate for gate in gates if gate.slower_percent == 0]
    alarms = sum(gate.is_false_alarm for gate in identical)
    also = sum(gate.is_false_alarm for gate in gates if gate.slower_percent)
    doubted = sum("does not confirm it" in gate.reason for gate in identical)
    load = statistics.median(gate.load for gate in gates) if gates else 0.0
    rows.append(
        f"{alarms} false alarms in {len(identical)} gates of identical code: below "
        f"{most_alarms(alarms, len(identical)):.2%} at 95 %; {also} on the phase that no change touches; "
        f"{doubted} that the clock would have raised and processor time did not confirm; "
        f"median load {load:.1f}, {sum(g.disturbed_pairs for g in gates)} of {sum(g.pairs for g in gates)} "
        "pairs disturbed"
    )
    return "\n".join(rows)


def most_alarms(alarms: int, gates: int) -> float:
    """The rate of false alarms that so few of them exclude at 95 % (Clopper and Pearson, one-sided)."""
    return float(stats.beta.ppf(0.95, alarms + 1, gates - alarms)) if gates > alarms else 1.0


@contextmanager
def busy(count: int) -> Iterator[None]:
    """So many processes that want a processor all the time."""
    hogs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()


def _missing(gates: Sequence[Gate], identical: int, slowed: int) -> set[int]:
    counts = Counter(gate.slower_percent for gate in gates)
    return {percent for percent in ROUND if counts[percent] < (slowed if percent else identical)}


def _turn(done: int) -> tuple[int, ...]:
    place = done % len(ROUND)
    return (*ROUND[place:], *ROUND[:place])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--hogs", type=int, default=0)
    parser.add_argument("--identical", type=int, default=IDENTICAL)
    parser.add_argument("--slowed", type=int, default=SLOWED)
    asked = parser.parse_args()
    sys.stdout.write(table(carry_out(asked.name, asked.hogs, asked.identical, asked.slowed)) + "\n")
