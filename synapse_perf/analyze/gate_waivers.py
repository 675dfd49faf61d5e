"""Which regressions of a gate were agreed to, and which agreements have run out?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from synapse_perf.analyze.gate_report import GateReport, GateRow
from synapse_perf.baselines.waivers import Waiver
from synapse_perf.units import format_percent


def with_waivers(report: GateReport, waivers: Sequence[Waiver], today: date) -> GateReport:
    """The report with its waived rows marked; a waiver that has run out fails the gate, whatever its metric does.

    One of no metric here may be of another gate, or misspelt: it is told where it has run out, or could be missed.
    """
    judged = {row.comparison.metric for row in report.rows}
    ours = [waiver for waiver in waivers if waiver.metric in judged]
    valid = {waiver.metric: waiver for waiver in ours if not waiver.is_expired(today)}
    faults = tuple(
        f"the waiver of {waiver.metric} ran out on {waiver.expires} ({waiver.reason}): mend it, waive it anew, "
        "or drop it: synapse-perf baseline prune"
        for waiver in ours
        if waiver.is_expired(today)
    )
    rows = tuple(_row(row, valid.get(row.comparison.metric)) for row in report.rows)
    has_regressed = any(row.comparison.status == "regressed" and not row.waived for row in rows)
    idle = tuple(
        f"the waiver of {waiver.metric} is of no metric here"
        + (f", and ran out on {waiver.expires}" if waiver.is_expired(today) else "")
        for waiver in waivers
        if waiver not in ours and (has_regressed or waiver.is_expired(today))
    )
    return replace(report, rows=rows, faults=(*report.faults, *faults), warnings=(*report.warnings, *idle))


def _row(row: GateRow, waiver: Waiver | None) -> GateRow:
    if waiver is None or row.comparison.status not in ("regressed", "inconclusive"):
        return row
    one, up_to = row.comparison, waiver.up_to
    if up_to is not None:
        is_open = one.status == "inconclusive"  # then it may be as slow as its interval goes
        ratio = one.ratio if not is_open else one.low if row.better == "higher" else one.high
        if ratio is None:
            return row
        slowdown = (1 / ratio if row.better == "higher" else ratio) - 1
        if slowdown > up_to:
            beyond = f"{'it may be ' * is_open}beyond the {format_percent(up_to)} that were waived"
            return replace(row, comparison=replace(one, reason=f"{one.reason}; {beyond}"))
    return replace(row, waived=f"{waiver.reason} (through {waiver.expires})")
