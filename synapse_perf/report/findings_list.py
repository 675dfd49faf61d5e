"""What was found, and what would change it? Each finding with all six fields, the unknown ones shown as such.

One that asks for no change is told in its one sentence; its evidence is in the result file. A brief list has the first
half of that sentence, and of other findings the evidence that comes first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from synapse_perf.model import Finding, Result, Severity
from synapse_perf.report.document import Block, Fields, Paragraph, Section, Tone
from synapse_perf.report.figures import NOT_YET, format_evidence, format_gain
from synapse_perf.report.runs import log_of

BOUND = "bound"
_HALVES = re.compile("[:;] ")
_EVIDENCE_SHOWN = 4
_IN_FULL = " (in full: report last --format md)"
_ORDER: tuple[Severity, ...] = ("high", "medium", "low", "info")
_TONES: dict[Severity, Tone] = {"high": "bad", "medium": "warn", "low": "strong", "info": "strong"}


def ranked_findings(result: Result) -> tuple[Finding, ...]:
    """The most severe first; among equals what holds a start back, then what gives most seconds."""
    return tuple(sorted(result.findings, key=_rank))


def _rank(finding: Finding) -> tuple[int, bool, float]:
    return _ORDER.index(finding.severity), finding.id != BOUND, -_seconds(finding)


def _seconds(finding: Finding) -> float:
    return finding.gain.value if finding.gain and finding.gain.unit == "s" else 0.0


def findings_section(result: Result, *, is_brief: bool = False, has_notes: bool = False) -> Section:
    """`has_notes`: what asks for nothing is no finding but a note below them."""
    findings = ranked_findings(result)
    if not findings:
        measured = any(metric.summary.count for metric in result.metrics)
        if log_of(result):
            return Section("Findings", (Paragraph("None: nothing in this log is a reason to change anything."),))
        text = "None: nothing measured here names a cause." if measured else "None, as nothing was measured."
        return Section("Findings", (Paragraph(text),))
    blocks: list[Block] = []
    notes = [finding for finding in findings if has_notes and finding.severity == "info"]
    if len(notes) == len(findings):
        blocks.append(Paragraph("None: nothing measured here asks for a change."))
    for number, finding in enumerate(findings[: len(findings) - len(notes)], start=1):
        marker = f"{number}."
        cause = finding.cause or NOT_YET
        blocks.append(Paragraph(f"{cause} [{finding.severity}, {finding.id}]", _TONES[finding.severity], marker))
        if finding.severity != "info":
            blocks.append(Fields(_fields(_shortened(finding) if is_brief else finding), indent=len(marker) + 1))
    return Section("Findings", (*blocks, *_noted(notes, is_brief)))


def _noted(notes: Sequence[Finding], is_brief: bool) -> list[Block]:
    if not notes:
        return []
    causes = [(finding.cause or NOT_YET, finding.id) for finding in notes]
    if is_brief:
        told = [Paragraph(_HALVES.split(cause)[0], marker="-") for cause, _ in causes]
    else:
        told = [Paragraph(f"{cause} [{name}]", marker="-") for cause, name in causes]
    return [Paragraph(f"Notes, which ask for nothing{_IN_FULL if is_brief else ''}", "strong"), *told]


def _shortened(finding: Finding) -> Finding:
    """With the evidence that comes first; the cause has the figures that decide."""
    simple = [
        (name, value) for name, value in finding.evidence.items() if not isinstance(value, Mapping | list | tuple)
    ]
    return replace(finding, evidence=dict(simple[:_EVIDENCE_SHOWN]))


def _fields(finding: Finding) -> tuple[tuple[str, str], ...]:
    """All of them; those that nobody knows yet share a line, so that they do not bury the others."""
    texts = {
        "evidence": format_evidence(finding.evidence),
        "gain": format_gain(finding.gain),
        "change": finding.change.strip() or NOT_YET,
        "check": finding.check.strip() or NOT_YET,
        "alert": finding.alert.strip() or NOT_YET,
    }
    known = tuple((name, text) for name, text in texts.items() if text != NOT_YET)
    unknown = [name for name, text in texts.items() if text == NOT_YET]
    if len(unknown) < 2:
        return tuple(texts.items())
    return (*known, ("unknown", f"{', '.join(unknown)}: {NOT_YET}"))
