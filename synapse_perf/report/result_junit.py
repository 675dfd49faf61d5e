"""How do runs of measuring commands read as JUnit XML? A case for each target, comparison, leak and failure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from synapse_perf.model import Check, Comparison, Failure, Leak, Result
from synapse_perf.report.figures import UNKNOWN, format_range, format_ratio, where_of
from synapse_perf.report.junit import Case, CaseSuite, Outcome, junit_text
from synapse_perf.units import format_value

_OUTCOMES: Mapping[str, Outcome] = {
    "pass": "passed",
    "fail": "failure",
    "not-measured": "skipped",
    "unchanged": "passed",
    "improved": "passed",
    "regressed": "failure",
    "missing": "error",
    "not-comparable": "error",
    "clean": "passed",
    "retained": "passed",
    "leak": "failure",
    "inconclusive": "skipped",
}


def result_junit(results: Sequence[Result]) -> str:
    return junit_text([_suite(result) for result in results])


def check_case(check: Check, group: str) -> Case:
    """One target."""
    limit = format_value(check.limit, check.unit)
    observed = UNKNOWN if check.observed is None else format_value(check.observed, check.unit)
    message = f"{check.statistic} {observed}, limit {limit}: {check.status}"
    name = f"{check.target}: {check.metric}"
    return Case(group, name, _OUTCOMES[check.status], check.status, message, check.reason)


def comparison_text(one: Comparison) -> str:
    """Both values and the ratio with its interval, as far as they are known."""
    before, after = (
        UNKNOWN if value is None else format_value(value, one.unit) for value in (one.baseline, one.current)
    )
    text = f"before {before}, after {after}"
    if one.ratio is None:
        return text
    bounds = "" if one.low is None or one.high is None else f" ({format_range(one.low, one.high, '1')})"
    return f"{text}, {format_ratio(one.ratio)}{bounds}"


def _suite(result: Result) -> CaseSuite:
    properties = {
        "profile": result.profile,
        "subject": result.subject,
        "verdict": result.verdict,
        "revision": str(result.environment.git.get("revision") or ""),
        "hardware_class": str(result.environment.hardware_class.get("digest") or ""),
    }
    return CaseSuite(
        result.benchmark,
        tuple(_cases(result)),
        result.started_at,
        result.duration_s,
        {name: value for name, value in properties.items() if value},
        "\n".join(f"warning: {warning}" for warning in result.warnings),
    )


def _cases(result: Result) -> Iterator[Case]:
    group = f"synapse-perf.{result.benchmark}"
    samples = sum(len(trial.samples) for metric in result.metrics for trial in metric.trials)
    yield (
        Case(group, "measured", text=f"{len(result.metrics)} metrics, {samples} samples")
        if samples
        else Case(group, "measured", "error", "nothing-measured", "nothing was measured")
    )
    for check in result.checks:
        yield check_case(check, f"{group}.targets")
    for comparison in result.comparisons:
        yield _comparison_case(comparison, f"{group}.comparisons")
    for leak in result.leaks:
        yield _leak_case(leak, f"{group}.leaks")
    for failure in result.failures:
        yield _failure_case(failure, f"{group}.failures")


def _comparison_case(one: Comparison, group: str) -> Case:
    outcome = "skipped" if one.is_new else _OUTCOMES[one.status]
    return Case(group, one.metric, outcome, "new" if one.is_new else one.status, comparison_text(one), one.reason)


def _leak_case(leak: Leak, group: str) -> Case:
    growth = UNKNOWN if leak.growth is None else format_value(leak.growth, leak.unit)
    message = f"grows by {growth} per iteration: {leak.status}"
    return Case(group, leak.metric, _OUTCOMES[leak.status], leak.status, message, leak.reason)


def _failure_case(failure: Failure, group: str) -> Case:
    name = where_of(failure.labels, failure.arm) or failure.kind
    text = "\n".join(part for part in (failure.remedy, failure.detail) if part)
    return Case(group, name, "error", failure.kind, failure.message, text)
