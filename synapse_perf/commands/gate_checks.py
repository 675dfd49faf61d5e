"""Do both sides of a gate measure the same, and do they measure at all? What else would pass whatever the code does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_perf.errors import MeasurementError, NotComparableError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synapse_perf.commands.gate_arms import PairedGate
    from synapse_perf.measure.worktrees import Revision
    from synapse_perf.model import Result, Suite


def check_same_workload(runs: Sequence[Result | Suite], sides: Sequence[Revision]) -> None:
    """Raise NotComparableError where the change also changes what is measured, such as the queries in its worktree."""
    from synapse_perf.analyze.compare import differing_fields
    from synapse_perf.analyze.gate_figures import results_of

    before, after = runs
    olds = {result.benchmark: result for result in results_of(before)}
    for result in results_of(after):
        difference = differing_fields(result, olds[result.benchmark]) if result.benchmark in olds else []
        if difference:
            named = " and ".join(side.shown for side in sides)
            raise NotComparableError(
                f"{named} do not measure the same; differing: {', '.join(difference)}",
                "give both sides the same workload: take its files from outside of the repository",
            )


def check_measured_anew(gate: PairedGate) -> None:
    """Raise MeasurementError for a side of which every run has the same times."""
    from synapse_perf.analyze.gate_figures import is_written_once

    befores, afters = ([getattr(pair.runs, arm) for pair in gate.pairs] for arm in ("before", "after"))
    for revision, side in ((gate.before, befores), (gate.after, afters)):
        if len(side) >= gate.request.rules.screened_pairs() and is_written_once(side):
            raise MeasurementError(
                f"at {revision.shown} the times of all {len(side)} runs are the same to the last digit",
                "let the command measure anew in each run, and write all digits of its times",
            )
