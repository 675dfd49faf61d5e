"""How does a gate read? The verdict first, then each metric, then what to do next."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator

from synapse_perf.analyze.gate_figures import EVERY_TIME
from synapse_perf.analyze.gate_report import GateReport, GateRow, row_code
from synapse_perf.errors import ExitCode
from synapse_perf.model import Check, Comparison, ComparisonStatus
from synapse_perf.report.characters import clean
from synapse_perf.report.document import Block, Cell, Column, Document, Fields, Paragraph, Row, Section, Table, Tone
from synapse_perf.report.figures import UNKNOWN, format_range, format_ratio, labels_of, where_of
from synapse_perf.units import format_duration, format_value

ORDER: tuple[ComparisonStatus, ...] = (
    "regressed",
    "missing",
    "not-comparable",
    "inconclusive",
    "improved",
    "unchanged",
)
WORDS: dict[ComparisonStatus, tuple[str, Tone]] = {
    "regressed": ("REGRESSED", "bad"),
    "missing": ("MISSING", "bad"),
    "not-comparable": ("NOT COMPARABLE", "warn"),
    "inconclusive": ("INCONCLUSIVE", "warn"),
    "improved": ("IMPROVED", "good"),
    "unchanged": ("UNCHANGED", "plain"),
}
_NOTHING = "NOTHING MEASURED"
VERDICTS: dict[ExitCode, tuple[str, Tone]] = {
    ExitCode.PASS: ("PASS", "good"),
    ExitCode.FAIL: ("FAIL", "bad"),
    ExitCode.INCONCLUSIVE: ("INCONCLUSIVE", "warn"),
    ExitCode.NOT_COMPARABLE: ("NOT COMPARABLE", "warn"),
    ExitCode.MEASUREMENT_FAILED: (_NOTHING, "bad"),
    ExitCode.INTERRUPTED: ("INTERRUPTED", "warn"),
}
_METHODS = {
    "paired": "pairs of runs in random order, here and now",
    "stored": "one run against stored ones",
    "files": "two runs, each by its own processes",
}


def gate_document(report: GateReport) -> Document:
    word, tone = verdict_word(report)
    head: list[Block] = [Paragraph(f"{word}: {verdict_text(report)}", tone), Fields(tuple(_facts(report)))]
    sections = [Section("", tuple(head))]
    if report.rows:
        sections.append(Section("Metrics", tuple(_metrics(report))))
    if report.checks:
        sections.append(Section("Targets", (_targets(report),)))
    notes = [Paragraph(text, "bad", "-") for text in (*report.failures, *report.faults)]
    notes += [Paragraph(text, "warn", "-") for text in report.warnings]
    if notes:
        sections.append(Section("Notes", tuple(notes)))
    steps = tuple(Paragraph(text, marker="-") for text in next_steps(report))
    return (*sections, Section("Next", steps)) if steps else tuple(sections)


def verdict_word(report: GateReport) -> tuple[str, Tone]:
    word, tone = VERDICTS[report.exit_code]
    return ("FAILED WHILE MEASURING" if report.failures and word == _NOTHING else word), tone


def verdict_text(report: GateReport) -> str:
    """One line: how many metrics came out how."""
    if report.created:
        return f"there was no baseline: this run is it now, {report.created}"
    counts = Counter("waived" if row.waived else row.comparison.status for row in judged_rows(report))
    told = [f"{counts[status]} {WORDS[status][0].lower()}" for status in ORDER if counts[status]]
    told += [f"{counts['waived']} waived"] * bool(counts["waived"])
    missed = sum(check.status == "fail" for check in report.checks)
    told += [f"{missed} target{'s' if missed > 1 else ''} missed"] * bool(missed)
    return ", ".join([*told, *report.faults[:1]]) or "nothing was compared"


def judged_rows(report: GateReport) -> list[GateRow]:
    """The rows that speak for themselves, the worst first."""
    rows = [row for row in report.rows if not row.is_companion or row_code(row, report.rows) != ExitCode.PASS]
    return sorted(rows, key=lambda row: (bool(row.waived), ORDER.index(row.comparison.status), not row.is_principal))


def next_steps(report: GateReport) -> list[str]:
    """What the user can do about what was found."""
    found = {row.comparison.status for row in judged_rows(report) if not row.waived}
    needs = [row.needs for row in judged_rows(report) if row.comparison.status == "inconclusive" and row.is_principal]
    steps = []
    if "regressed" in found and report.method != "files":  # which heeds no waivers
        worst = next(row for row in judged_rows(report) if row.comparison.status == "regressed" and not row.waived)
        metric = shlex.quote(clean(worst.comparison.metric))
        steps.append(f"if that is meant: synapse-perf baseline waive --metric {metric} --reason TEXT --expires DATE")
    if needs:
        known = [count for count in needs if count]
        what, otherwise = _MORE[report.method]
        more = f"about {max(known)} more {what} would decide" if len(known) == len(needs) else otherwise
        steps.append(f"inconclusive metrics: {more}")
    if any(not row.is_new for row in judged_rows(report) if row.comparison.status == "missing"):
        steps.append(f"if a metric is meant to be gone: {_GONE[report.method]}")
    if "not-comparable" in found:
        steps.append(f"what is not comparable: {_UNLIKE[report.method]}")
    if "improved" in found and report.method in _KEEP:
        steps.append(f"keep what was gained: {_KEEP[report.method]}")
    return steps


# What would be counted, and what to do where no count that can be waited for would decide.
_MORE = {
    "paired": ("pairs", "no count that can be waited for would decide; a quieter machine would, or a larger --effect"),
    "stored": (
        "stored runs",
        "no count of stored runs would decide as long as they scatter like this; pairs would (gate --against REV), or "
        "a larger --effect",
    ),
    "files": ("processes", "measure both again with more trials on a quiet machine, or in pairs: gate --against REV"),
}
_GONE = {
    "paired": "judge the others alone: --metric NAME",
    "stored": "save a run without it: synapse-perf baseline save NAME --force",
    "files": "nothing else is needed here; a gate wants a new baseline",
}
_KEEP = {
    "paired": "measure it once more and make it the baseline: synapse-perf baseline save",
    "stored": "make it the baseline: synapse-perf baseline save NAME --force",
}
_UNLIKE = {
    "paired": "let both sides write the same unit and direction, or judge the others alone: --metric NAME",
    "stored": "measure the same on the same class of machine, or both sides here: gate --against REV",
    "files": "measure both on one machine with the same workload",
}


def _facts(report: GateReport) -> Iterator[tuple[str, str]]:
    yield "before", " ".join(report.baseline.split())  # names of files may hold anything
    yield "after", " ".join(report.current.split())
    yield "compared", f"{_METHODS[report.method]}{_counted(report)}; intervals at 95 %"
    if report.detects:
        yield "can see", report.detects
    for row in report.rows:
        if row.stands_for == EVERY_TIME and row.comparison.ratio is not None:
            yield "processor time", _processor(row.comparison)
    if report.duration_s:
        yield "took", format_duration(report.duration_s)


def _counted(report: GateReport) -> str:
    stages = report.facts.get("stages") or {}
    counts = [f"{stages[stage]} {words}" for stage, words in _STAGES.items() if stage in stages]
    return f": {', '.join(counts)}" if counts else ""


_STAGES = {"screen": "first ones", "confirm": "fresh ones for what they left open"}


def _processor(one: Comparison) -> str:
    """What the time on the clock is held against where others had the processor."""
    bounds = "" if one.low is None or one.high is None else f" ({format_range(one.low, one.high, '1')})"
    return f"{format_ratio(one.ratio)}{bounds} of the whole command"


def _metrics(report: GateReport) -> Iterator[Block]:
    rows = judged_rows(report)
    shown = rows if len(rows) <= _ROWS_AT_MOST else [row for row in rows if _is_told(row)]
    if shown:
        columns = (
            Column("metric", shrink="wrap"),
            Column("before", "right"),
            Column("after", "right"),
            Column("ratio", "right"),
            Column("interval", "right"),
            Column("status"),
        )
        yield Table(columns, tuple(map(_row, shown)))
    if len(shown) < len(rows):
        left = Counter(row.comparison.status for row in rows if row not in shown)
        told = " and ".join(f"{count} {WORDS[status][0].lower()}" for status, count in left.items())
        yield Paragraph(f"Not listed: {told} metrics, which change no verdict; --format json has them.", "quiet")


_ROWS_AT_MOST = 30


def _is_told(row: GateRow) -> bool:
    return row.comparison.status != "unchanged" and (row.is_principal or row.comparison.status != "inconclusive")


def _row(row: GateRow) -> Row:
    one = row.comparison
    word, tone = WORDS[one.status]
    if row.waived or row.is_new:
        word, tone = ("WAIVED", "warn") if row.waived else ("NEW", "plain")
    bounds = UNKNOWN if one.low is None or one.high is None else format_range(one.low, one.high, "1")
    labels = labels_of(one.metric, {})
    where = where_of(labels)
    words = "stands for a metric that noise hides; " if row.is_companion else ""
    note = ": ".join(text for text in (where, "" if one.status == "unchanged" else f"{words}{one.reason}") if text)
    return Row(
        (
            Cell(f"{one.metric.partition('{')[0]} {labels.get('phase', '')}".strip()),
            Cell(_value(one.baseline, one.unit)),
            Cell(_value(one.current, one.unit)),
            Cell(format_ratio(one.ratio), "strong"),
            Cell(bounds),
            Cell(word, tone),
        ),
        f"{note}; waived: {row.waived}" if row.waived else note,
    )


def _targets(report: GateReport) -> Table:
    columns = (Column("target"), Column("observed", "right"), Column("limit", "right"), Column("status"))
    return Table(
        columns,
        tuple(
            Row(
                (
                    Cell(check.target),
                    Cell(_value(check.observed, check.unit)),
                    Cell(format_value(check.limit, check.unit)),
                    Cell(check.status.upper().replace("-", " "), _tone(check)),
                )
            )
            for check in report.checks
        ),
    )


def _tone(check: Check) -> Tone:
    return "bad" if check.status == "fail" else "good" if check.status == "pass" else "plain"


def _value(value: float | None, unit: str) -> str:
    return UNKNOWN if value is None else format_value(value, unit)
