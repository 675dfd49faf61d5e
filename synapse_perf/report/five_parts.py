"""What is the problem, what can be done, how exactly, how does one see that it worked, and what is watched afterwards?

The five parts of a whole report, made of the findings of all commands; a part that nothing measured is told as empty.
"""

from __future__ import annotations

from collections.abc import Sequence

from synapse_perf.model import Check, Finding, Result, Suite
from synapse_perf.report.comparisons_table import comparisons_section
from synapse_perf.report.document import Block, Cell, Column, Document, Fields, Paragraph, Row, Section, Table
from synapse_perf.report.figures import NOT_YET, format_gain
from synapse_perf.report.findings_list import ranked_findings
from synapse_perf.units import format_value

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
    return tuple(
        Paragraph(
            f"{finding.cause.rstrip('.') or NOT_YET} [{finding.severity}, {finding.id}, {result.benchmark}]",
            marker="-",
        )
        for result, finding in found
        if finding.severity != "info"
    ) or (Paragraph("Nothing was found that makes anything worse."),)


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
            "No baseline was given, so there is no before: synapse-perf baseline save NAME, then run --baseline NAME."
        )
        blocks.append(Paragraph(told))
    criteria = [
        f"{check.target}: {_criterion(check)}" for check in suite.checks if check.status in ("fail", "inconclusive")
    ]
    criteria += [finding.check for _, finding in asking if finding.check]
    blocks.append(
        Paragraph("It worked when" if criteria else "Nothing has to be shown: no target is missed.", "strong")
    )
    return (*blocks, *(Paragraph(text, marker="-") for text in dict.fromkeys(criteria)))


def _criterion(check: Check) -> str:
    limit = format_value(check.limit, check.unit)
    observed = "nothing yet" if check.observed is None else format_value(check.observed, check.unit)
    return f"its {check.statistic} meets {limit} (now {observed})"


def _monitoring(suite: Suite, asking: Sequence[_Found]) -> tuple[Block, ...]:
    watched = list(dict.fromkeys(finding.alert for _, finding in asking if finding.alert))
    told = "Metrics for Prometheus: -o metrics.prom; alert rules from the targets: --alerts rules.yml."
    judged = sorted({check.target for check in suite.checks if check.observed is not None})
    blocks: list[Block] = [Paragraph(told)]
    if judged:
        blocks.append(Paragraph(f"Targets with a figure to watch: {', '.join(judged)}."))
    return (*blocks, *(Paragraph(text, marker="-") for text in watched))
