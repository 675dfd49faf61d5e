"""Does what was measured meet its targets, and what does the whole run therefore end with?"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from synapse_perf.analyze.decision import Decision, decide
from synapse_perf.analyze.targets import Target
from synapse_perf.errors import PRECEDENCE, ExitCode
from synapse_perf.model import Check, CheckStatus, Comparison, Labels, Leak, Metric, Result, Subject
from synapse_perf.units import format_value

SAMPLE = "works here (sample, not your system)"
UNCERTIFIED = "uncertified"  # the cache label of starts that could not be proven cold
LISTED_DEVICES = ("metal", "cpu")

_STATUS_CODES: dict[str, ExitCode] = {
    "pass": ExitCode.PASS,
    "fail": ExitCode.FAIL,
    "inconclusive": ExitCode.INCONCLUSIVE,
    "not-comparable": ExitCode.NOT_COMPARABLE,
    "regressed": ExitCode.FAIL,
    "improved": ExitCode.PASS,
    "unchanged": ExitCode.PASS,
    "missing": ExitCode.NOT_COMPARABLE,
    "leak": ExitCode.FAIL,
    "clean": ExitCode.PASS,
    "retained": ExitCode.PASS,  # shown, and no leak
}


def check_targets(
    metrics: Sequence[Metric],
    targets: Sequence[Target],
    *,
    confidence: float,
    subject: Subject,
    profile: str,
) -> tuple[Check, ...]:
    """One check for each target and set of labels that it judges, in the order of the targets.

    A target whose metric was not measured at all gives no row; one whose metric was measured under other labels only
    gives rows that say so.
    """
    checks: list[Check] = []
    for target in targets:
        named = [metric for metric in metrics if metric.name == target.metric]
        judged = [metric for metric in named if target.judges(metric.name, metric.labels)]
        rows = [_judge(metric, target, confidence, subject, profile) for metric in judged]
        rows += _unjudged(named, target, confidence, profile)
        if named and not rows:
            reason = f"nothing was measured with {_labels_of(target)}"
            rows.append(_check(target, None, profile, None, "not-measured", reason))
        checks += rows
    return tuple(checks)


def decide_metric(metric: Metric, target: Target, confidence: float, profile: str) -> Decision:
    """The decision of one metric against one target."""
    groups = [record.samples for record in metric.trials]
    statistic = target.statistic_in(profile)
    return decide(groups, statistic, target.limit, target.better, confidence, minimum=target.minimum)


def overall_verdict(
    checks: Sequence[Check],
    comparisons: Sequence[Comparison] = (),
    required: Collection[str] = (),
    leaks: Sequence[Leak] = (),
) -> CheckStatus:
    """The status that a run ends with; not-measured when nothing was judged."""
    judged = [check for check in checks if check.status != "not-measured" or check.target in required]
    if not judged and not comparisons and not leaks:
        return "not-measured"
    names: dict[ExitCode, CheckStatus] = {
        ExitCode.NOT_COMPARABLE: "not-comparable",
        ExitCode.FAIL: "fail",
        ExitCode.INCONCLUSIVE: "inconclusive",
    }
    return names.get(_first_by_precedence(_status_codes(checks, comparisons, required, leaks)), "pass")


def exit_code(
    result: Result,
    *,
    interrupted: bool = False,
    wrong_input: bool = False,
    baseline_missing: bool = False,
    required: Collection[str] = (),
) -> ExitCode:
    """The code of the contract for a run and what happened around it; `required` targets must have been measured."""
    codes = set(_status_codes(result.checks, result.comparisons, required, result.leaks))
    kinds = {failure.kind for failure in result.failures}
    if interrupted or "interrupted" in kinds:
        codes.add(ExitCode.INTERRUPTED)
    if wrong_input:
        codes.add(ExitCode.USAGE)
    if kinds - {"interrupted"}:
        codes.add(ExitCode.MEASUREMENT_FAILED)
    if baseline_missing:
        codes.add(ExitCode.NO_BASELINE)
    return _first_by_precedence(codes)


def _first_by_precedence(codes: Iterable[ExitCode]) -> ExitCode:
    found = {ExitCode.PASS, *codes}
    return next(code for code in PRECEDENCE if code in found)


def _status_codes(
    checks: Sequence[Check], comparisons: Sequence[Comparison], required: Collection[str], leaks: Sequence[Leak]
) -> Iterator[ExitCode]:
    for check in checks:
        if check.status != "not-measured":
            yield _STATUS_CODES[check.status]
        elif check.target in required:
            yield ExitCode.INCONCLUSIVE
    for comparison in comparisons:
        yield ExitCode.PASS if comparison.is_new else _STATUS_CODES[comparison.status]
    for leak in leaks:
        yield _STATUS_CODES[leak.status]


# --- rows ------------------------------------------------------------------------------------------------------------


def _judge(metric: Metric, target: Target, confidence: float, subject: Subject, profile: str) -> Check:
    decision = decide_metric(metric, target, confidence, profile)
    if subject == "sample":
        return _check(target, metric, profile, decision.observed, "not-measured", _sample_reason(decision, target))
    return _check(target, metric, profile, decision.observed, decision.status, decision.reason)


def _sample_reason(decision: Decision, target: Target) -> str:
    if decision.observed is None:
        return f"{SAMPLE}: {decision.reason}"
    side = "at or over" if decision.observed >= target.limit else "under"
    limit = format_value(target.limit, target.unit)
    return f"{SAMPLE}: {format_value(decision.observed, target.unit)}, {side} the limit of {limit}"


def _unjudged(named: Sequence[Metric], target: Target, confidence: float, profile: str) -> Iterator[Check]:
    """Rows for what was measured, but not in the way that the target asks for."""
    for metric in named:
        labels = metric.labels
        device = labels.get("device", "")
        if labels.get("cache") == UNCERTIFIED and (proven := _proven(metric, target)) is not None:
            if any(other.labels == proven for other in named):
                continue  # some starts of the same kind were proven cold, and are judged
            reason = "no start could be proven cold"
        elif device and device not in LISTED_DEVICES and target.judges(metric.name, {**labels, "device": "metal"}):
            reason = f"ran on {device}: the table has limits for Metal and for the CPU only"
        else:
            continue
        observed = decide_metric(metric, target, confidence, profile).observed
        yield _check(target, metric, profile, observed, "not-measured", reason)


def _proven(metric: Metric, target: Target) -> Labels | None:
    """The labels that an uncertified metric would be judged with, had its start been proven cold."""
    without = {name: value for name, value in metric.labels.items() if name != "cache"}
    candidates = ({**without, "cache": "cold"}, without)
    return next((labels for labels in candidates if target.judges(metric.name, labels)), None)


def _check(
    target: Target, metric: Metric | None, profile: str, observed: float | None, status: CheckStatus, reason: str
) -> Check:
    key = metric.key if metric else target.metric
    return Check(target.id, key, target.statistic_in(profile), target.limit, target.unit, observed, status, reason)


def _labels_of(target: Target) -> str:
    """``cache=cold, device=metal`` for people."""
    return ", ".join(
        f"{name}={' or '.join(filter(None, values))}" for name, values in target.labels.items() if any(values)
    )
