"""Is the whole target table met, what is the worst problem, and what would mend it? One page for several results."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from synapse_perf.analyze.targets import find_target
from synapse_perf.model import Check, CheckStatus, Comparison, Finding, Metric, Result, Suite
from synapse_perf.report.characters import needs_ascii
from synapse_perf.report.comparisons_table import tally
from synapse_perf.report.document import Block, Cell, Column, Document, Paragraph, Row, Section, Table
from synapse_perf.report.figures import (
    NOT_YET,
    confidence_of,
    format_count,
    format_gain,
    format_judged_interval,
    format_ratio,
    is_rough,
    labels_of,
    where_of,
)
from synapse_perf.report.findings_list import ranked_findings
from synapse_perf.report.five_parts import figure_of, first_words, five_parts
from synapse_perf.report.render import Format, document_text, render
from synapse_perf.report.targets_table import SAMPLE, STATUS_TONES, STATUS_WORDS, worst
from synapse_perf.report.verdict import how_and_where
from synapse_perf.units import format_duration

_COUNTED: dict[CheckStatus, str] = {
    "fail": "missed",
    "inconclusive": "not decided",
    "not-comparable": "not comparable",
    "pass": "met",
    "not-measured": "not measured",
}


def render_suite(suite: Suite, kind: Format, *, in_full: bool = False) -> str:
    """The suite as text; `in_full`: followed by the report of each command."""
    if kind == "json":
        from synapse_perf.results import dumps

        return dumps(suite)
    texts = [document_text(whole_suite(suite) if in_full else suite_sections(suite), kind)]
    if in_full:
        texts += [render(result, kind, ascii_only=needs_ascii(sys.stdout)) for result in suite.results]
    return "\n".join(text.rstrip("\n") + "\n" for text in texts)


def is_of_commands(suite: Suite) -> bool:
    """Whether it is what `run` writes; a baseline of several runs of one command is a suite as well."""
    commands = [result.benchmark for result in suite.results]
    return len(set(commands)) == len(commands)


def suite_sections(suite: Suite) -> Document:
    return (_verdict_section(suite), _table_section(suite), _problem_section(suite), _parts_section(suite))


def whole_suite(suite: Suite) -> Document:
    """With the five parts of a whole report; the worst problem stands with the verdict."""
    problem = [Paragraph(_sentence(result, finding)) for result, finding in _worst(suite)]
    return (_verdict_section(suite, *problem), *five_parts(suite, _table_section(suite)), _parts_section(suite))


def _missed(suite: Suite) -> list[Block]:
    """What is not met by name, for a reader who reads no further."""
    rows = [worst(checks) for checks in _by_target(suite).values()]
    told = [
        f"{_COUNTED[status].capitalize()}: {', '.join(named)}."
        for status in ("fail", "inconclusive", "not-comparable")
        if (named := [_named(row) for row in rows if row.status == status])
    ]
    return [Paragraph(text) for text in told]


def _named(check: Check) -> str:
    if check.observed is None:
        return check.target
    figures = f"{figure_of(check, check.observed)}, limit {figure_of(check, check.limit)}"
    return f"{check.target} ({_short(check.statistic)} {figures})"


def _short(statistic: str) -> str:
    return "p50" if statistic == "median" else statistic


def _verdict_section(suite: Suite, *problem: Block) -> Section:
    shown = [worst(checks) for checks in _by_target(suite).values()]
    is_sample = {check.metric: result.subject == "sample" for result in suite.results for check in result.checks}
    samples = [check for check in shown if check.observed is not None and is_sample.get(check.metric)]
    parts = []
    for status, word in _COUNTED.items():
        count = sum(check.status == status and check not in samples for check in shown)
        if count:
            parts.append(f"{count} {word}")
    if samples:
        parts.append(f"{len(samples)} measured on samples, not your system")
    leaks = sum(len(result.leaks) for result in suite.results)
    rests_on_leaks = suite.verdict == "pass" and leaks and all(check.status != "pass" for check in suite.checks)
    first = f"no leak in {leaks} checks; " if rests_on_leaks else ""
    text = f"{STATUS_WORDS[suite.verdict]}: {first}of {len(shown)} targets {', '.join(parts)}"
    blocks: list[Block] = [Paragraph(text, STATUS_TONES[suite.verdict]), *_missed(suite), *problem]
    compared = [one for result in suite.results for one in result.comparisons]
    if compared:
        missing = ", where missing is what only one of the two runs measured"
        told = f"Against the baseline, of {len(compared)} metrics: {tally(compared)}"
        blocks.append(Paragraph(f"{told}{missing if any(one.status == 'missing' for one in compared) else ''}."))
    if suite.results:
        measured = sum(check.observed is not None for check in shown)
        by = f"{len(suite.results)} command{'s' if len(suite.results) > 1 else ''}"
        took = format_duration(sum(result.duration_s for result in suite.results))
        blocks.append(Paragraph(f"{measured} of {len(shown)} rows measured by {by} in {took}", "quiet"))
        blocks += how_and_where(suite.results[0])[1:]
    return Section("", tuple(blocks))


def _by_target(suite: Suite) -> dict[str, list[Check]]:
    grouped: dict[str, list[Check]] = {}
    for check in suite.checks:
        grouped.setdefault(check.target, []).append(check)
    return grouped


def _table_section(suite: Suite) -> Section:
    columns = (
        Column("target"),
        Column("limit", "right"),
        Column("observed", "right"),
        Column("margin", "right"),
        Column("status"),
    )
    rows = tuple(_row(checks, suite) for checks in _by_target(suite).values())
    return Section("Targets", (Table(columns, rows),))


def _row(checks: list[Check], suite: Suite) -> Row:
    check = worst(checks)
    result = next((one for one in suite.results if check in one.checks), None)
    metric = next((one for one in result.metrics if one.key == check.metric), None) if result else None
    is_floor = (metric.better if metric else find_target(check.target).better) == "higher"
    is_sample = result is not None and result.subject == "sample" and check.observed is not None
    rough = "~" if is_rough(metric, check.statistic) else ""
    observed = "" if check.observed is None else f"{_short(check.statistic)} {rough}{figure_of(check, check.observed)}"
    return Row(
        (
            Cell(check.target, "strong"),
            Cell(f"{'≥' if is_floor else '<'} {figure_of(check, check.limit)}"),
            Cell(observed),
            Cell(_margin(check, is_floor=is_floor)),
            Cell(
                "sample" if is_sample else STATUS_WORDS[check.status],
                "plain" if is_sample else STATUS_TONES[check.status],
            ),
        ),
        _note(check, checks, result, metric),
    )


def _margin(check: Check, *, is_floor: bool) -> str:
    """How far inside the limit, as a share of it; below zero outside."""
    if check.observed is None or not check.limit:
        return ""
    inside = (check.observed - check.limit) if is_floor else (check.limit - check.observed)
    return f"{inside / check.limit:+.0%}".replace("-", "−").replace("%", " %")


def _note(check: Check, checks: Sequence[Check], result: Result | None, metric: Metric | None) -> str:
    parts = []
    if check.observed is not None and result is not None and metric is not None:
        confidence = confidence_of(result)
        interval = format_judged_interval(metric, check, confidence)
        few = "too few for an interval" if interval == "none" else f"{confidence * 100:g} % {interval}"
        parts.append(f"n={format_count(metric)}, {few}")
    name = check.metric.partition("{")[0]
    if check.status != "pass" and SAMPLE not in check.reason:
        parts.append(check.reason or NOT_YET)
    elif name != find_target(check.target).metric:  # one of several that decide it
        parts.append(name.replace("_", " "))
    if len(checks) > 1 and metric is not None:
        parts.append(f"worst of {len(checks)}: {where_of(labels_of(check.metric, {check.metric: metric}))}")
    change = next((one for one in result.comparisons if one.metric == check.metric), None) if result else None
    if change is not None:
        parts.append(_change(change))
    return "; ".join(parts)


def _change(change: Comparison) -> str:
    if change.ratio is None:
        return f"against the baseline: {change.status}"
    return f"against the baseline: {format_ratio(change.ratio)}, {change.status}"


def _problem_section(suite: Suite) -> Section:
    """The worst finding of all commands, with what it asks for."""
    for result, finding in _worst(suite):
        told = f"{finding.cause.rstrip('.')} [{finding.severity}, {finding.id}, {result.benchmark}]"
        return Section("Worst problem", (Paragraph(told, "strong"), Paragraph(_remedy(finding))))
    text = "None: nothing measured here asks for a change." if suite.results else "None, as nothing was measured."
    return Section("Worst problem", (Paragraph(text),))


def _worst(suite: Suite) -> list[tuple[Result, Finding]]:
    """One at most; among equals that of the command that came first."""
    ranked = [(result, finding) for result in suite.results for finding in ranked_findings(result)[:1]]
    asking = [(result, finding) for result, finding in ranked if finding.severity != "info"]
    return sorted(asking, key=lambda pair: ("high", "medium", "low").index(pair[1].severity))[:1]


def _sentence(result: Result, finding: Finding) -> str:
    gain = f", which gives {format_gain(finding.gain)}" if finding.gain else ""
    told = f"Worst problem ({result.benchmark}): {finding.cause.rstrip('.')}."
    return f"{told} What to change first: {first_words(finding) or NOT_YET}{gain}."


def _remedy(finding: Finding) -> str:
    gain = f" That gives {format_gain(finding.gain)}." if finding.gain else ""
    return f"Change: {finding.change.rstrip('.') or NOT_YET}.{gain}"


def _parts_section(suite: Suite) -> Section:
    columns = (
        Column("command"),
        Column("verdict"),
        Column("took", "right"),
        Column("findings", "right"),
        Column("failures", "right"),
    )
    rows = tuple(
        Row(
            (
                Cell(result.benchmark),
                Cell(verdict_word(result), "plain" if result.subject == "sample" else STATUS_TONES[result.verdict]),
                Cell(format_duration(result.duration_s)),
                Cell(str(sum(finding.severity != "info" for finding in result.findings))),
                Cell(str(len(result.failures)), "bad" if result.failures else "plain"),
            )
        )
        for result in suite.results
    )
    return (
        Section("Commands", (Table(columns, rows),))
        if rows
        else Section("Commands", (Paragraph("None was finished."),))
    )


def verdict_word(result: Result) -> str:
    return "sample" if result.subject == "sample" and result.verdict == "not-measured" else STATUS_WORDS[result.verdict]
