"""What does a gate of pairs report?"""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import TYPE_CHECKING

from synapse_perf.analyze.gate_figures import middle
from synapse_perf.analyze.gate_paired import Judgement, PairedRuns, metrics_in
from synapse_perf.analyze.gate_policy import judge, replaced
from synapse_perf.analyze.gate_report import GateReport, GateRow
from synapse_perf.analyze.gate_targets import checks_over
from synapse_perf.host.privacy import redact
from synapse_perf.model import Comparison
from synapse_perf.units import format_percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synapse_perf.analyze.gate_figures import Figure
    from synapse_perf.analyze.gate_paired import Rules
    from synapse_perf.commands.gate_arms import PairedGate


def paired_report(gate: PairedGate, started_at: str, duration_s: float) -> GateReport:
    request, pairs = gate.request, gate.pairs
    figures = metrics_in([pair.runs for pair in pairs])
    runs = [pair.runs for pair in pairs]
    rows = tuple(
        GateRow(
            comparison=_comparison(one, runs, figures[one.metric]),
            better=figures[one.metric].better,
            floor=request.rules.floor_of(one.metric),
            needs=one.needs,
            is_principal=figures[one.metric].is_principal or one.is_incomplete,
            stands_for=figures[one.metric].stands_for,
        )
        for one in judge(pairs, request.rules)
    )
    return GateReport(
        method="paired",
        baseline=gate.before.shown,
        current=gate.after.shown,
        rows=rows,
        effect=request.rules.effect,
        detects=_detects(rows, request.rules),
        started_at=started_at,
        duration_s=duration_s,
        checks=checks_over(gate.afters),
        warnings=tuple(_warnings(gate)),
        facts={
            "seed": request.seed,
            "pairs": len(pairs),
            "stages": dict(Counter(pair.spec.stage for pair in pairs)),
            "orders": ["".join(arm[0] for arm in pair.spec.order) for pair in pairs],
            "disturbances": [list(pair.disturbances) for pair in pairs],
            "commands": [redact(command) for command in request.commands],
        },
        is_interrupted=gate.is_interrupted,
        has_samples=bool(pairs) or gate.is_interrupted,
    )


def _detects(rows: Sequence[GateRow], rules: Rules) -> str:
    """What was asked for, as far as the floor of each metric lets it be seen."""
    least = max(rules.effect, rules.floor)
    told = f"slowdowns from {format_percent(least)} on, or it says inconclusive; makes nothing of any below "
    told += format_percent(rules.floor)
    floors = [row.floor for row in rows if not row.is_companion]
    raised = [floor for floor in floors if floor > least]
    if not raised:
        return told
    of = f"{len(raised)} of {len(floors)} metrics from {format_percent(max(raised))} on at worst"
    return f"{told}; in {of}, as builds of the same code differ (--calibrate)"


def _warnings(gate: PairedGate) -> list[str]:
    found = []
    if not gate.request.can_differ:
        found.append(
            "nothing that was measured is of this repository: the profile lies outside, and names no code of it"
        )
    if gate.before.tree == gate.after.tree:
        found.append(f"both sides are the same code: {gate.before.shown} is what the work tree holds")
    if gate.after.left_out:
        names = ", ".join(gate.after.left_out[:3])
        found.append(f"new files above 10 MB are not in the worktree: {names}; commit or ignore them")
    disturbed = [pair for pair in gate.pairs if pair.disturbances]
    if disturbed:
        again = len(replaced(gate.pairs, gate.request.rules))
        causes = "; ".join(
            dict.fromkeys(re.split(r" \d", cause)[0] for pair in disturbed for cause in pair.disturbances)
        )
        found.append(f"{len(disturbed)} of {len(gate.pairs)} pairs were disturbed ({causes}), {again} measured anew")
    if gate.is_accompanied:
        found.append("another gate measured on this machine at the same time: each disturbs the other")
    if gate.is_out_of_time:
        found.append("--max-time was over before every metric was decided")
    return found


def _comparison(one: Judgement, runs: list[PairedRuns], figure: Figure) -> Comparison:
    sides = [[getattr(run, arm).get(one.metric) for run in runs] for arm in ("before", "after")]
    values = [[each.value for each in side if each is not None and each.unit == figure.unit] for side in sides]
    before, after = map(_known, map(middle, values))
    sign = -1 if figure.better == "higher" else 1
    ratio, low, high = (
        None if value is None else math.exp(sign * value) for value in (one.slowdown, one.low, one.high)
    )
    if sign < 0:
        low, high = high, low
    return Comparison(one.metric, one.status, before, after, figure.unit, ratio, low, high, one.reason)


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
