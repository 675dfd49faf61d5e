"""What does a gate find, metric by metric, and which exit code follows from all of it?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from synapse_perf.analyze.gate_figures import EVERY_TIME
from synapse_perf.errors import PRECEDENCE, ExitCode
from synapse_perf.model import Check, Comparison, Json

Method = Literal["paired", "stored", "files"]

_CODES: Mapping[str, ExitCode] = {
    "pass": ExitCode.PASS,
    "fail": ExitCode.FAIL,
    "not-measured": ExitCode.PASS,
    "regressed": ExitCode.FAIL,
    "improved": ExitCode.PASS,
    "unchanged": ExitCode.PASS,
    "inconclusive": ExitCode.INCONCLUSIVE,
    "not-comparable": ExitCode.NOT_COMPARABLE,
    "missing": ExitCode.NOT_COMPARABLE,
}


@dataclass(frozen=True, slots=True)
class GateRow:
    """One metric: how it compares, the slowdown below which nothing is made of it, and what would decide it."""

    comparison: Comparison
    better: str
    floor: float
    needs: int | None = None  # about how many further trials (pairs, runs) would decide
    waived: str = ""  # the reason of the waiver that covers it
    is_principal: bool = True  # has to be decided
    stands_for: str = ""  # a companion: heard only where this metric (or any time) is inconclusive

    @property
    def is_companion(self) -> bool:
        return bool(self.stands_for)

    @property
    def is_new(self) -> bool:
        return self.comparison.is_new


@dataclass(frozen=True, slots=True)
class GateReport:
    """A whole gate: every renderer and the exit code are made from this alone."""

    method: Method
    baseline: str  # what it was compared with, in words
    current: str
    rows: tuple[GateRow, ...]
    effect: float  # the slowdown that has to be found
    detects: str  # what this way of comparing can see, in words
    started_at: str
    duration_s: float
    checks: tuple[Check, ...] = ()
    warnings: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()  # what fails the gate beside its rows, such as an expired waiver
    facts: Mapping[str, Json] = field(default_factory=dict)  # seed, pairs, contention: for whoever reads the JSON
    is_interrupted: bool = False
    has_samples: bool = True  # nothing measured at all is a failed measurement, never a pass
    failures: tuple[str, ...] = ()  # what failed while the run that is judged was measured
    created: str = ""  # the baseline that this gate has just made, if it did

    @property
    def exit_code(self) -> ExitCode:
        found = set(self._codes())
        return next(code for code in PRECEDENCE if code in found)

    def _codes(self) -> Iterator[ExitCode]:
        yield ExitCode.PASS
        if self.is_interrupted:
            yield ExitCode.INTERRUPTED
        if not self.has_samples or self.failures:
            yield ExitCode.MEASUREMENT_FAILED
        if not self.created and not any(map(is_compared, self.rows)):
            yield ExitCode.NOT_COMPARABLE  # nothing was compared, which is no pass
        if self.faults:
            yield ExitCode.FAIL
        for check in self.checks:
            yield _CODES[check.status]
        for row in self.rows:
            yield row_code(row, self.rows)


def is_compared(row: GateRow) -> bool:
    return not row.is_companion and row.comparison.status not in ("missing", "not-comparable")


def row_code(row: GateRow, rows: Sequence[GateRow]) -> ExitCode:
    """What one row does to the gate."""
    if row.waived or row.is_new:
        return ExitCode.PASS
    if row.is_companion:
        stands_in = row.comparison.status == "regressed" and any(_is_spoken_for(other, row) for other in rows)
        return ExitCode.FAIL if stands_in else ExitCode.PASS
    if not row.is_principal and row.comparison.status == "inconclusive":
        return ExitCode.PASS
    return _CODES[row.comparison.status]


def _is_spoken_for(row: GateRow, companion: GateRow) -> bool:
    if row.is_companion or row.waived or row.comparison.unit != "s" or row.comparison.status != "inconclusive":
        return False
    return companion.stands_for in (EVERY_TIME, row.comparison.metric)
