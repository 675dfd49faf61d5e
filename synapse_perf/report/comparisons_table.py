"""What changed against the baseline? The ratio of medians with its interval, changed metrics first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from synapse_perf.model import Comparison, ComparisonStatus, Metric, Result
from synapse_perf.report.document import Block, Cell, Column, Paragraph, Row, Section, Table, Tone
from synapse_perf.report.figures import UNKNOWN, format_range, format_ratio, labels_of, where_of
from synapse_perf.units import format_value

_WORDS: dict[ComparisonStatus, tuple[str, Tone]] = {
    "regressed": ("REGRESSED", "bad"),
    "missing": ("MISSING", "warn"),
    "not-comparable": ("NOT COMPARABLE", "warn"),
    "inconclusive": ("INCONCLUSIVE", "warn"),
    "improved": ("IMPROVED", "good"),
    "unchanged": ("UNCHANGED", "plain"),
}
_ORDER = tuple(_WORDS)
_ROWS_AT_MOST = 30


def tally(comparisons: Iterable[Comparison]) -> str:
    """``3 regressed, 12 unchanged``: how many there are of each kind, the worst first."""
    counts = Counter(one.status for one in comparisons)
    return ", ".join(f"{counts[status]} {_WORDS[status][0].lower()}" for status in _ORDER if counts[status])


def judged_comparisons(result: Result) -> list[Block]:
    """For a report of several commands: what surely changed, and what a target is judged on; the rest is counted."""
    judged = {check.metric for check in result.checks}
    shown = [one for one in result.comparisons if one.status in ("regressed", "improved") or one.metric in judged]
    shown = sorted(shown, key=lambda one: _ORDER.index(one.status))[:_ROWS_AT_MOST]
    blocks: list[Block] = [Paragraph(f"{len(result.comparisons)} metrics compared: {tally(result.comparisons)}.")]
    if shown:
        blocks.append(_table(shown, {metric.key: metric for metric in result.metrics}))
    if len(shown) < len(result.comparisons):
        told = "What did not surely change, and is judged by no target, is in the report of the command."
        blocks.append(Paragraph(told, "quiet"))
    return blocks


def comparisons_section(result: Result, rows_at_most: int = _ROWS_AT_MOST) -> Section | None:
    """None without a baseline. Of many metrics the unchanged ones are counted, not listed."""
    if not result.comparisons:
        return None
    ordered = sorted(result.comparisons, key=lambda one: _ORDER.index(one.status))
    shown = ordered
    if len(ordered) > rows_at_most:
        shown = [one for one in ordered if one.status != "unchanged"]
    blocks: list[Block] = [Paragraph(f"{len(ordered)} metrics compared: {tally(ordered)}.")]
    if shown:
        blocks.append(_table(shown, {metric.key: metric for metric in result.metrics}))
    if len(shown) < len(ordered):
        blocks.append(Paragraph("The unchanged ones are in the JSON result.", "quiet"))
    return Section("Against the baseline", tuple(blocks))


def _table(comparisons: list[Comparison], metrics: Mapping[str, Metric]) -> Table:
    columns = (
        Column("metric", shrink="wrap"),
        Column("baseline", "right"),
        Column("current", "right"),
        Column("ratio", "right"),
        Column("interval", "right"),
        Column("status"),
    )
    return Table(columns, tuple(_row(one, metrics) for one in comparisons))


def _row(one: Comparison, metrics: Mapping[str, Metric]) -> Row:
    word, tone = _WORDS[one.status]
    bounds = UNKNOWN if one.low is None or one.high is None else format_range(one.low, one.high, "1")
    labels = labels_of(one.metric, metrics)
    where = where_of(labels)
    name = f"{one.metric.partition('{')[0]} {labels.get('phase', '')}".strip()
    return Row(
        (
            Cell(name),
            Cell(_value(one.baseline, one.unit)),
            Cell(_value(one.current, one.unit)),
            Cell(format_ratio(one.ratio), "strong"),
            Cell(bounds),
            Cell(word, tone),
        ),
        f"{where}: {one.reason}" if where and one.reason else where or one.reason,
    )


def _value(value: float | None, unit: str) -> str:
    return UNKNOWN if value is None else format_value(value, unit)
