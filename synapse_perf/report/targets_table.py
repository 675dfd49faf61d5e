"""Which targets are met? One row a target, showing the worst of its checks, with every status in words."""

from __future__ import annotations

from collections import Counter

from synapse_perf.model import Check, CheckStatus, Metric, Result
from synapse_perf.report.document import Block, Cell, Column, Paragraph, Row, Section, Table, Tone
from synapse_perf.report.figures import (
    NOT_YET,
    confidence_of,
    format_count,
    format_judged_interval,
    interval_title,
    is_rough,
    labels_of,
    where_of,
)
from synapse_perf.units import format_value

STATUS_WORDS: dict[CheckStatus, str] = {
    "fail": "FAIL",
    "inconclusive": "INCONCLUSIVE",
    "not-comparable": "NOT COMPARABLE",
    "not-measured": "NOT MEASURED",
    "pass": "PASS",
}
STATUS_TONES: dict[CheckStatus, Tone] = {
    "fail": "bad",
    "inconclusive": "warn",
    "not-comparable": "warn",
    "not-measured": "warn",
    "pass": "good",
}
SAMPLE = "(sample, not your system)"
SAMPLE_WORDS: dict[CheckStatus, str] = {
    "fail": f"over the limit here {SAMPLE}",
    "inconclusive": f"not decided here {SAMPLE}",
    "not-comparable": f"not comparable {SAMPLE}",
    "not-measured": f"works here {SAMPLE}",
    "pass": f"works here {SAMPLE}",
}
_TOLD_ELSEWHERE = ("state", "stage", "subject")  # labels whose value the target's name or the settings say
_WORST_FIRST = tuple(STATUS_WORDS)


def targets_section(result: Result) -> Section:
    if not result.checks:
        return Section("Targets", (Paragraph("No target applies to what was measured."),))
    metrics = {metric.key: metric for metric in result.metrics}
    grouped: dict[str, list[Check]] = {}
    for check in result.checks:
        grouped.setdefault(check.target, []).append(check)
    columns = (
        Column("target"),
        Column("limit", "right"),
        Column("observed", "right"),
        Column(interval_title(metrics.get(check.metric) for check in result.checks), "right"),
        Column("n", "right"),
        Column("status"),
    )
    rows = tuple(_row(checks, metrics, result) for checks in grouped.values())
    blocks: list[Block] = [Table(columns, rows)]
    return Section("Targets", tuple(blocks))


def worst(checks: list[Check]) -> Check:
    """The check that a target's row shows: the worst status, then the value nearest to or furthest over its limit."""
    return min(checks, key=lambda check: (_WORST_FIRST.index(check.status), -_load(check)))


def _load(check: Check) -> float:
    return check.observed / check.limit if check.observed is not None and check.limit else 0.0


def _row(checks: list[Check], metrics: dict[str, Metric], result: Result) -> Row:
    check = worst(checks)
    metric = metrics.get(check.metric)
    is_floor = metric is not None and metric.better == "higher"
    is_sample = result.subject == "sample" and check.observed is not None
    status = "sample" if is_sample else STATUS_WORDS[check.status]
    value = "" if check.observed is None else format_value(check.observed, check.unit)
    observed = f"{check.statistic} {'~' if is_rough(metric, check.statistic) else ''}{value}" if value else "none"
    return Row(
        (
            Cell(check.target, "strong"),
            Cell(f"{'≥' if is_floor else '<'} {format_value(check.limit, check.unit)}"),
            Cell(observed),
            Cell(format_judged_interval(metric, check, confidence_of(result))),
            Cell(format_count(metric)),
            Cell(status, "plain" if is_sample else STATUS_TONES[check.status]),
        ),
        _note(check, checks, metrics, is_sample),
    )


def _note(check: Check, checks: list[Check], metrics: dict[str, Metric], is_sample: bool) -> str:
    parts = []
    if is_sample and SAMPLE not in check.reason:
        parts.append(SAMPLE_WORDS[check.status])
    labels = labels_of(check.metric, metrics)
    where = where_of({name: value for name, value in labels.items() if name not in _TOLD_ELSEWHERE})
    if len(checks) > 1:
        counts = Counter(one.status for one in checks)
        tally = ", ".join(f"{counts[status]} {STATUS_WORDS[status]}" for status in _WORST_FIRST if counts[status])
        where = f"worst of {len(checks)}: {where}" + ("" if is_sample else f" ({tally})")
    parts.append(f"{where}: {check.reason or NOT_YET}" if where else check.reason or NOT_YET)
    return ". ".join(parts)
