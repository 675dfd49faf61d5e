"""Does the change meet its targets, over all the runs that a gate has measured of it?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from synapse_perf.analyze.decision import decide
from synapse_perf.analyze.gate_figures import results_of
from synapse_perf.model import Check, Result, Suite

_UNJUDGED = ("not-measured", "not-comparable")


def checks_over(runs: Sequence[Result | Suite]) -> tuple[Check, ...]:
    """The checks of the newest run, each decided by the processes of all of them."""
    return tuple(_checks(runs)) if runs else ()


def _checks(runs: Sequence[Result | Suite]) -> Iterator[Check]:
    for newest in results_of(runs[-1]):
        alike = [result for run in runs for result in results_of(run) if result.benchmark == newest.benchmark]
        for check in newest.checks:
            metrics = [metric for result in alike for metric in result.metrics if metric.key == check.metric]
            if check.status in _UNJUDGED or not metrics or metrics[0].better not in ("lower", "higher"):
                yield check
                continue
            groups = [trial.samples for metric in metrics for trial in metric.trials]
            found = decide(groups, check.statistic, check.limit, metrics[0].better)
            yield replace(check, observed=found.observed, status=found.status, reason=found.reason)
