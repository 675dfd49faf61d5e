"""What do several results say together? Each row of the target table, also those that nothing measured."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from synapse_perf.analyze.targets import Target
from synapse_perf.analyze.verdict import overall_verdict
from synapse_perf.model import Check, Result, Suite


def suite_of(
    results: Sequence[Result],
    targets: Sequence[Target],
    reasons: Mapping[str, str],
    *,
    profile: str,
    required: Collection[str] = (),
) -> Suite:
    """The results under one verdict, with at least one check for each target, in the order of the targets.

    reasons: by target, why nothing measured it.
    """
    judged = [check for result in results for check in result.checks]
    checks: list[Check] = []
    for target in targets:
        own = [check for check in judged if check.target == target.id]
        checks += own or [_unmeasured(target, profile, reasons.get(target.id, "nothing measured it"))]
    verdict = overall_verdict(
        checks,
        [one for result in results for one in result.comparisons],
        required,
        [one for result in results for one in result.leaks],
    )
    return Suite(tuple(results), tuple(checks), verdict)


def _unmeasured(target: Target, profile: str, reason: str) -> Check:
    statistic = target.statistic_in(profile)
    return Check(target.id, target.metric, statistic, target.limit, target.unit, None, "not-measured", reason)
