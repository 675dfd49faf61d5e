"""How often is leak-hunt wrong on the corpus? Hunts case after case, keeps what each told, and adds it up.

``python -m tests.bench.leak_rates SECONDS [KIND]...`` goes on with the case that has the fewest hunts, of those kinds
(bytes, count, collected, innocent) if some are named, in the user's state directory, one file of JSON lines for each
digest of the rules and of the code that takes the readings; ``... 0`` prints the table alone. Two may run at a time.
The sums go into ``leak_rates.json`` beside this file, from which the README's table is made.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from scipy import stats

from synapse_perf.analyze import leak_attribution as attribution_plan
from synapse_perf.analyze import leak_owners, leak_plan, leak_rows
from synapse_perf.benchmarks import (
    leak_attribution,
    leak_function,
    leak_holders,
    leak_loop,
    leak_native,
    leak_sites,
    leak_users_code,
)
from synapse_perf.host import leak_holdings, leak_probes
from synapse_perf.model import Trial
from synapse_perf.results import state_directory
from tests.faults.leak_cases import CASES, FOLDER, SIZES, Case, hunt, is_named, is_still_fresh, owners, rules_digest
from tests.module_digest import digest

KEPT = state_directory() / "leak-rates"  # of the user, at import: tests get a directory of their own
WANTED = {"bytes": 35, "count": 35, "collected": 35, "innocent": 10}  # hunts of each case
WANTED_SMALLEST = 12
READING = (leak_function, leak_loop, leak_users_code, leak_probes, leak_rows, leak_plan)
ATTRIBUTING = (attribution_plan, leak_attribution, leak_holders, leak_holdings, leak_native, leak_owners, leak_sites)
COMMITTED = Path(__file__).with_name("leak_rates.json")
BARE_LOOP = Path(__file__).with_name("bare_calls.py")


@dataclass(frozen=True, slots=True)
class Record:
    """One hunt: what it said, what it took, and what the same calls take without it."""

    case: str
    is_right: bool
    status: dict[str, str]  # by probe
    growth: dict[str, float | None]
    looks: int
    calls: int
    hunt_s: float
    bare_s: float | None  # measured in every third hunt
    is_crowded: bool  # others had the processors for a good part of the time
    at: float
    owners: dict[str, str] | None = None  # by probe, in every fifth hunt that found a leak
    is_owner_named: bool | None = None

    @property
    def is_accused(self) -> bool:
        return "leak" in self.status.values()


def kept_file() -> Path:
    return KEPT / f"{rules_digest()}-{digest(*READING, *ATTRIBUTING)}.jsonl"


def read_records(path: Path) -> list[Record]:
    if not path.exists():
        return []
    return [Record(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


def wanted(case: Case) -> int:
    return WANTED_SMALLEST if case.size == SIZES[0] else WANTED[case.kind]


def accumulate(seconds: float, path: Path, cases: Sequence[Case] = CASES) -> list[Record]:
    """Hunt the cases in turn until the time is spent or each has been hunted often enough; all records of the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ends_s = time.monotonic() + seconds
    while time.monotonic() < ends_s:
        records = read_records(path)
        counts = {case: sum(record.case == case.name for record in records) for case in cases}
        case = min(cases, key=lambda one: (counts[one] / wanted(one), random.random()))
        if counts[case] >= wanted(case):
            break
        record = measure(case, is_compared=counts[case] % 3 == 0, is_owner_asked=counts[case] % 5 == 0)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(record)) + "\n")
    return read_records(path)


def measure(case: Case, *, is_compared: bool, is_owner_asked: bool) -> Record:
    with tempfile.TemporaryDirectory() as folder:
        started_s = time.monotonic()
        hunted = hunt(case, Path(folder))
        hunt_s = time.monotonic() - started_s
        told = owners(case, hunted, Path(folder)) if is_owner_asked and case.owner and hunted.leaking else None
    calls = sum(calls_of(trial) for trial in hunted.trials)
    return Record(
        case=case.name,
        is_right=hunted.is_right(case),
        status={probe: leak.status for probe, leak in hunted.leaks.items()},
        growth={probe: leak.growth for probe, leak in hunted.leaks.items() if leak.status != "clean"},
        looks=len(hunted.trials),
        calls=calls,
        hunt_s=hunt_s,
        bare_s=bare_s(case, calls) if is_compared else None,
        is_crowded=any(trial.warnings for trial in hunted.trials),
        at=time.time(),
        owners=told,
        is_owner_named=None if told is None else is_named(case, told),
    )


def calls_of(trial: Trial) -> int:
    return sum(int(sample.facts.get("calls") or 1) for sample in trial.samples)


def bare_s(case: Case, calls: int) -> float:
    """In a session of its own, which is ended with all that the function started."""
    command = [sys.executable, str(BARE_LOOP), str(FOLDER), case.reference, str(calls)]
    command += [str(case.size)] if case.size else []
    worker = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
    assert worker.stdout is not None
    with worker, worker.stdout:
        try:
            return float(worker.stdout.readline())  # not to the end: what the function started has it open too
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(worker.pid, signal.SIGKILL)


# --- the table -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rate:
    """So many of so many, and between which shares the true one lies at 95 % (Clopper and Pearson)."""

    hits: int
    count: int

    @property
    def interval(self) -> tuple[float, float]:
        if not self.count:
            return 0.0, 1.0
        found = stats.binomtest(self.hits, self.count).proportion_ci(0.95, method="exact")
        return float(found.low), float(found.high)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.hits:4} of {self.count:4}  {100 * low:5.1f} to {100 * high:5.1f} %" if self.count else "none yet"


def right(records: Iterable[Record]) -> Rate:
    told = [record.is_right for record in records]
    return Rate(sum(told), len(told))


def accused(records: Iterable[Record]) -> Rate:
    told = [record.is_accused for record in records]
    return Rate(sum(told), len(told))


def named(records: Iterable[Record]) -> Rate:
    told = [record.is_owner_named for record in records if record.is_owner_named is not None]
    return Rate(sum(told), len(told))


def of_cases(records: Sequence[Record], cases: Iterable[Case]) -> list[Record]:
    names = {case.name for case in cases}
    return [record for record in records if record.case in names]


def table(records: Sequence[Record]) -> str:
    """Rates by family, in sample and fresh apart, with their sums, and what a hunt costs."""
    lines = [
        f"rules {kept_file().stem}, {len(records)} hunts, {sum(r.is_crowded for r in records)} on a crowded machine"
    ]
    for is_fresh in (False, True):
        cases = [case for case in CASES if is_still_fresh(case) == is_fresh]
        if not cases:
            lines.append("\nno family is fresh: the rules have changed since they were written")
            continue
        lines.append("\nfresh families" if is_fresh else "\nfamilies seen before the rules were frozen")
        lines += _section(records, cases)
    lines += ["", *_costs(records)]
    return "\n".join(lines)


def _section(records: Sequence[Record], cases: Sequence[Case]) -> list[str]:
    lines: list[str] = []
    innocent = [case for case in cases if case.kind == "innocent"]
    for case in innocent:
        if not of_cases(records, [case]):
            continue
        undecided = sum("inconclusive" in r.status.values() for r in of_cases(records, [case]))
        told = f", {undecided} undecided" if undecided else ""
        lines.append(f"  {case.name:55} called a leak  {accused(of_cases(records, [case]))}{told}")
    lines.append(f"  {'INNOCENT':55} called a leak  {accused(of_cases(records, innocent))}")
    faults = [case for case in cases if case.kind != "innocent"]
    held = [case for case in faults if case.is_held]
    sums = [(case.name, [case]) for case in faults] + list(groups(faults).items())
    lines += [_fault_line(name, of_cases(records, members)) for name, members in sums if of_cases(records, members)]
    return [*lines, f"  {'LEAKS THAT AN OBJECT HOLDS':55} owner named    {named(of_cases(records, held))}"]


def _fault_line(name: str, records: Sequence[Record]) -> str:
    owned = named(records)
    told = f"; the owner named in {owned.hits} of {owned.count}" if owned.count else ""
    return f"  {name:55} told           {right(records)}{told}"


def groups(faults: Iterable[Case]) -> dict[str, list[Case]]:
    """The faults that share a target."""
    found: dict[str, list[Case]] = {}
    for case in faults:
        name = f"BYTES, {case.size} a call" if case.kind == "bytes" else case.kind.upper()
        found.setdefault(name, []).append(case)
    return found


def summary(records: Sequence[Record]) -> dict[str, object]:
    """The sums by what is left behind: hunts, those that told one, those undecided, owners named of those asked for."""
    rows = []
    innocent = [case for case in CASES if case.kind == "innocent"]
    for name, cases in {"INNOCENT": innocent, **groups(case for case in CASES if case.kind != "innocent")}.items():
        own = of_cases(records, cases)
        rate = accused(own) if name == "INNOCENT" else right(own)
        low, high = rate.interval
        rows.append(
            {
                "name": name,
                "cases": len(cases),
                "hunts": len(own),
                "told": rate.hits,
                "undecided": sum("inconclusive" in one.status.values() and not one.is_accused for one in own),
                "low": low,
                "high": high,
                "owners": [named(own).hits, named(own).count],
            }
        )
    crowded = sum(record.is_crowded for record in records)
    return {"rules": kept_file().stem, "hunts": len(records), "crowded": crowded, "rows": rows}


def _costs(records: Sequence[Record]) -> list[str]:
    lines = []
    for kind in WANTED:
        own = of_cases(records, [case for case in CASES if case.kind == kind])
        ratios = [record.hunt_s / record.bare_s for record in own if record.bare_s]
        if ratios:
            took = [record.hunt_s for record in own]
            told = f"a hunt takes {median(took):.1f} s, the longest took {max(took):.1f} s"
            lines.append(f"  {kind}: {told}; {median(ratios):.1f} times as long as its calls in a bare loop")
    return lines


if __name__ == "__main__":
    asked = sys.argv[2:] or list(WANTED)
    every = accumulate(float(sys.argv[1]), kept_file(), [case for case in CASES if case.kind in asked])
    sys.stdout.write(table(every) + "\n")
    if every:  # else what is known of earlier rules is better than nothing
        COMMITTED.write_text(json.dumps(summary(every), indent=2) + "\n")
