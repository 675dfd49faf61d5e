"""What do several results say together? Each row of the target table, also those that nothing measured."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

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

    reasons: by target, why nothing measured it, or what would.
    """
    judged = [check for result in results for check in result.checks]
    checks: list[Check] = []
    for target in targets:
        reason = reasons.get(target.id, "nothing measured it")
        own = [_with_remedy(check, reason) for check in judged if check.target == target.id]
        checks += own or [_unmeasured(target, profile, reason)]
    verdict = overall_verdict(
        checks,
        [one for result in results for one in result.comparisons],
        required,
        [one for result in results for one in result.leaks],
    )
    return Suite(tuple(results), tuple(checks), verdict)


def _with_remedy(check: Check, reason: str) -> Check:
    """A row of a command that measured nothing for it: what would, beside the command's own reason."""
    if check.status != "not-measured" or check.observed is not None:
        return check
    return replace(check, reason="; ".join(filter(None, [check.reason, reason])))


def _unmeasured(target: Target, profile: str, reason: str) -> Check:
    statistic = target.statistic_in(profile)
    return Check(target.id, target.metric, statistic, target.limit, target.unit, None, "not-measured", reason)
