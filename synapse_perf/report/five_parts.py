"""What is the problem, what can be done, how exactly, how does one see that it worked, and what is watched afterwards?

The five parts of a whole report, made of the findings of all commands; a part that nothing measured is told as empty.
"""

from __future__ import annotations

from collections.abc import Sequence

from synapse_perf.analyze.targets import find_target
from synapse_perf.model import Check, Finding, Result, Suite
from synapse_perf.report.comparisons_table import comparisons_section
from synapse_perf.report.document import Block, Cell, Column, Document, Fields, Paragraph, Row, Section, Table
from synapse_perf.report.figures import NOT_YET, format_evidence, format_gain, format_ratio
from synapse_perf.report.findings_list import ranked_findings
from synapse_perf.report.prometheus import PREFIX
from synapse_perf.units import format_value

_EVIDENCE_SHOWN = 4
_ORDER = ("high", "medium", "low", "info")
_Found = tuple[Result, Finding]


def five_parts(suite: Suite, targets: Section) -> Document:
    """The five parts; `targets` is the table of the suite, which the first part begins with."""
    found = _found(suite)
    asking = [(result, finding) for result, finding in found if finding.severity != "info" and finding.change]
    return (
        Section("1. Problem analysis", (*targets.blocks, *_causes(found))),
        Section("2. Strategies", _strategies(asking)),
        Section("3. Changes to make", _changes(asking)),
        Section("4. Validation", _validation(suite, asking)),
        Section("5. Monitoring", _monitoring(suite, asking)),
    )


def _found(suite: Suite) -> list[_Found]:
    """The findings of all commands, the most severe first; among equals in the order of the commands."""
    found = [(result, finding) for result in suite.results for finding in ranked_findings(result)]
    return sorted(found, key=lambda pair: _ORDER.index(pair[1].severity))


def _causes(found: Sequence[_Found]) -> tuple[Block, ...]:
    if not found:
        return (Paragraph("No cause was found, as nothing was measured that could name one."),)
    blocks: list[Block] = []
    for result, finding in found:
        if finding.severity == "info":
            continue
        told = f"{finding.cause.rstrip('.') or NOT_YET} [{finding.severity}, {finding.id}, {result.benchmark}]"
        blocks.append(Paragraph(told, marker="-"))
        if finding.evidence:
            shown = dict(list(finding.evidence.items())[:_EVIDENCE_SHOWN])
            blocks.append(Fields((("evidence", format_evidence(shown)),), indent=2))
    return tuple(blocks) or (Paragraph("Nothing was found that makes anything worse."),)


def _strategies(asking: Sequence[_Found]) -> tuple[Block, ...]:
    if not asking:
        return (Paragraph("None: nothing measured here asks for a change."),)
    columns = (
        Column("#", "right"),
        Column("strategy", shrink="wrap"),
        Column("gain", shrink="wrap"),
        Column("known by"),
    )
    rows = tuple(
        Row((Cell(str(number)), Cell(_first_words(finding)), Cell(_gain(finding)), Cell(_known_by(finding))))
        for number, (_, finding) in enumerate(asking, start=1)
    )
    return (Table(columns, rows),)


def _first_words(finding: Finding) -> str:
    """Up to the first full stop or semicolon: the whole change stands in the next part."""
    text = finding.change.split("\n")[0]
    for end in ("; ", ". "):
        text = text.split(end)[0]
    return text.rstrip(".")


def _gain(finding: Finding) -> str:
    return format_gain(finding.gain).split(", ")[0] if finding.gain else "not known yet"


def _known_by(finding: Finding) -> str:
    if finding.gain is None:
        return "nothing tried it"
    return "measured" if finding.gain.measured else "an estimate"


def _changes(asking: Sequence[_Found]) -> tuple[Block, ...]:
    if not asking:
        return (Paragraph("None."),)
    blocks: list[Block] = []
    for number, (result, finding) in enumerate(asking, start=1):
        blocks.append(Paragraph(f"{finding.cause.rstrip('.')} [{result.benchmark}]", "strong", f"{number}."))
        blocks.append(Fields((("change", finding.change),), indent=3))
    return tuple(blocks)


def _validation(suite: Suite, asking: Sequence[_Found]) -> tuple[Block, ...]:
    blocks: list[Block] = []
    for result in suite.results:
        compared = comparisons_section(result)
        if compared is not None:
            blocks += [Paragraph(f"{result.benchmark}, before and after", "strong"), *compared.blocks]
    if not blocks:
        told = (
            "No baseline was given, so there is no before. Keep this run (-o before.json), make the change, and "
            "measure again with --baseline before.json: what changed then stands here."
        )
        blocks.append(Paragraph(told))
    open_ = [check for check in suite.checks if check.status in ("fail", "inconclusive")]
    criteria = [_criterion(check, suite) for check in open_]
    criteria += [
        f"{one.metric} ({result.benchmark}) is no longer slower than its baseline (now {format_ratio(one.ratio)})"
        for result in suite.results
        for one in result.comparisons
        if one.status == "regressed" and one.ratio is not None
    ]
    criteria += [finding.check.rstrip(".") for _, finding in asking if finding.check]
    told = (
        "It worked when" if criteria else "Nothing has to be shown: no target is missed, and nothing asks for a change."
    )
    blocks.append(Paragraph(told, "strong"))
    return (*blocks, *(Paragraph(text, marker="-") for text in dict.fromkeys(criteria)))


def figure_of(check: Check, value: float) -> str:
    """A limit or what was observed, in the unit that people know for it."""
    is_rate = check.unit == "1/s" and find_target(check.target).metric == "frame_rate"
    return f"{value:.3g} fps" if is_rate else format_value(value, check.unit)


def _criterion(check: Check, suite: Suite) -> str:
    """The target as a number to reach, and how far it is from here."""
    metrics = {metric.key: metric for result in suite.results for metric in result.metrics}
    metric = metrics.get(check.metric)
    is_floor = (metric.better if metric else find_target(check.target).better) == "higher"
    side = "at least" if is_floor else "below"
    wanted = f"{check.target}: {check.statistic} {side} {figure_of(check, check.limit)}"
    if check.observed is None:
        return f"{wanted}; nothing is measured yet"
    now = f"{wanted}; now {figure_of(check, check.observed)}"
    is_met = check.observed >= check.limit if is_floor else check.observed < check.limit
    return f"{now}, which is not beyond doubt" if is_met else now


def _monitoring(suite: Suite, asking: Sequence[_Found]) -> tuple[Block, ...]:
    watched = list(dict.fromkeys(finding.alert for _, finding in asking if finding.alert))
    told = (
        "Metrics for Prometheus: -o metrics.prom; alert rules from the targets: --alerts rules.yml, which also gives "
        "figures the engine's own names, such as cgrag_retrieval_latency_seconds:warm_p95."
    )
    thresholds = {
        check.target: f"{check.target}: {PREFIX}target_status, limit {figure_of(check, check.limit)}"
        for check in suite.checks
        if check.observed is not None
    }
    blocks: list[Block] = [Paragraph(told)]
    return (*blocks, *(Paragraph(text, marker="-") for text in (*thresholds.values(), *watched)))
