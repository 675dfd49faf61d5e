"""What is the problem, what can be done, how exactly, how does one see that it worked, and what is watched afterwards?

The five parts of a whole report, made of the findings of all commands; a part that nothing measured is told as empty.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from synapse_perf.analyze.targets import find_target
from synapse_perf.model import Check, Finding, Result, Suite
from synapse_perf.report.comparisons_table import judged_comparisons
from synapse_perf.report.document import Block, Cell, Column, Document, Fields, Paragraph, Row, Section, Table
from synapse_perf.report.figures import NOT_YET, format_evidence, format_gain, format_ratio
from synapse_perf.report.findings_list import ranked_findings
from synapse_perf.report.prometheus import PREFIX
from synapse_perf.report.sections import sections_of
from synapse_perf.units import format_value

_EVIDENCE_SHOWN = 4
_ORDER = ("high", "medium", "low", "info")
_Found = tuple[Result, Finding]


@dataclass(frozen=True, slots=True)
class _Change:
    """One change under its number, with all causes that ask for it."""

    number: int
    found: tuple[_Found, ...]

    @property
    def best(self) -> Finding:
        """The finding with the greatest gain that is known."""
        return max((finding for _, finding in self.found), key=lambda one: one.gain.value if one.gain else -math.inf)


def five_parts(suite: Suite, targets: Section) -> Document:
    """The five parts; `targets` is the table of the suite, which the first part begins with."""
    found = _found(suite)
    changes = _grouped(found)
    return (
        Section("1. Problem analysis", (*targets.blocks, *_where_the_time_goes(suite), *_causes(found))),
        Section("2. Strategies", _strategies(changes)),
        Section("3. Changes to make", _changes(changes)),
        Section("4. Validation", _validation(suite, changes)),
        Section("5. Monitoring", _monitoring(suite, changes)),
    )


def _found(suite: Suite) -> list[_Found]:
    """The findings of all commands, the most severe first; among equals in the order of the commands."""
    found = [(result, finding) for result in suite.results for finding in ranked_findings(result)]
    return sorted(found, key=lambda pair: _ORDER.index(pair[1].severity))


def _grouped(found: Sequence[_Found]) -> list[_Change]:
    """What asks for something; the same change for several causes is one."""
    causes: dict[str, list[_Found]] = {}
    for result, finding in found:
        if finding.severity != "info" and finding.change:
            causes.setdefault(finding.change, []).append((result, finding))
    return [_Change(number, tuple(each)) for number, each in enumerate(causes.values(), start=1)]


def _where_the_time_goes(suite: Suite) -> list[Block]:
    """What each command says of itself below its verdict, without the cause that it repeats."""
    told: list[Block] = []
    for result in suite.results:
        causes = [finding.cause.casefold().rstrip(".") for finding in result.findings]
        for block in sections_of(result)[0].blocks[1:]:
            if not isinstance(block, Paragraph) or block.tone != "plain":
                continue
            if not any(block.text.casefold().startswith(cause) for cause in causes if cause):
                told.append(Paragraph(f"{result.benchmark}: {block.text}", marker="-"))
    return [Paragraph("Where the time goes", "strong"), *told] if told else []


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
    if not blocks:
        return (Paragraph("Nothing was found that makes anything worse."),)
    return (Paragraph("What makes it worse, with the evidence", "strong"), *blocks)


def _strategies(changes: Sequence[_Change]) -> tuple[Block, ...]:
    if not changes:
        return (Paragraph("None: nothing measured here asks for a change."),)
    columns = (
        Column("#", "right"),
        Column("strategy", shrink="wrap"),
        Column("gain", shrink="wrap"),
        Column("known by"),
    )
    rows = tuple(
        Row((Cell(str(one.number)), Cell(first_words(one.best)), Cell(_gain(one)), Cell(_known_by(one.best))))
        for one in changes
    )
    return (Table(columns, rows),)


def first_words(finding: Finding) -> str:
    """Up to the first full stop or semicolon: the whole change stands in the next part."""
    text = finding.change.split("\n")[0]
    for end in ("; ", ". "):
        text = text.split(end)[0]
    return text.removesuffix(" as").rstrip(",:.")


def _gain(change: _Change) -> str:
    gain = change.best.gain
    if gain is None:
        return NOT_YET
    several = sum(finding.gain is not None for _, finding in change.found) > 1
    return f"{'up to ' if several else ''}{format_gain(gain).split(', ')[0]}"


def _known_by(finding: Finding) -> str:
    if finding.gain is None:
        return "nothing tried it"
    return "measured" if finding.gain.measured else "an estimate"


def _changes(changes: Sequence[_Change]) -> tuple[Block, ...]:
    if not changes:
        return (Paragraph("None."),)
    blocks: list[Block] = []
    for one in changes:
        (result, finding), *others = one.found
        blocks.append(Paragraph(f"{finding.cause.rstrip('.')} [{result.benchmark}]", "strong", f"{one.number}."))
        rows = [("change", finding.change)]
        rows += [("also for", f"{other.cause.rstrip('.')} [{its.benchmark}]") for its, other in others]
        blocks.append(Fields(tuple(rows), indent=3))
    return tuple(blocks)


def _validation(suite: Suite, changes: Sequence[_Change]) -> tuple[Block, ...]:
    blocks: list[Block] = []
    for result in suite.results:
        if result.comparisons:
            blocks += [Paragraph(f"{result.benchmark}, before and after", "strong"), *judged_comparisons(result)]
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
    looks = [(one.number, finding.check.rstrip(".")) for one in changes for _, finding in one.found if finding.check]
    if not criteria and not looks:
        told = "Nothing has to be shown: no target is missed, and nothing asks for a change."
        return (*blocks, Paragraph(told, "strong"))
    if criteria:
        blocks += [Paragraph("It worked when", "strong"), *_listed(criteria)]
    if looks:
        blocks += [Paragraph("How to see it of each change", "strong"), _numbered(looks)]
    return tuple(blocks)


def _listed(texts: Sequence[str]) -> list[Block]:
    return [Paragraph(text, marker="-") for text in dict.fromkeys(texts)]


def _numbered(told: Sequence[tuple[int, str]]) -> Fields:
    """By the numbers of the changes; those with the same text together."""
    numbers: dict[str, list[str]] = {}
    for number, text in told:
        numbers.setdefault(text, []).append(str(number))
    return Fields(tuple((", ".join(dict.fromkeys(each)), text) for text, each in numbers.items()), indent=1)


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


def _monitoring(suite: Suite, changes: Sequence[_Change]) -> tuple[Block, ...]:
    watched = [(one.number, finding.alert) for one in changes for _, finding in one.found if finding.alert]
    told = (
        "Metrics for Prometheus: -o metrics.prom; alert rules from the targets: --alerts rules.yml, which also gives "
        "figures the engine's own names, such as cgrag_retrieval_latency_seconds:warm_p95."
    )
    judged = {check.target: check for check in suite.checks if check.status != "not-measured"}
    limits = [f"{check.target} ({figure_of(check, check.limit)})" for check in judged.values()]
    blocks: list[Block] = [Paragraph(told)]
    if limits:
        rule = f'{PREFIX}target_status{{target="...", status="fail"}} == 1'
        blocks.append(Paragraph(f"A target that is missed: {rule}, for {', '.join(limits)}.", marker="-"))
    if watched:
        blocks += [Paragraph("To watch after each change", "strong"), _numbered(watched)]
    return tuple(blocks)
