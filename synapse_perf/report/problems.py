"""What went wrong on the way? Warnings and failures, each failure with its cause, place and remedy."""

from __future__ import annotations

from collections import Counter

from synapse_perf.model import Failure, Result
from synapse_perf.report.document import Block, Fields, Paragraph, Section
from synapse_perf.report.figures import NOT_YET, where_of

_DETAIL_LINES = 6


def problem_sections(result: Result) -> list[Section]:
    sections = []
    if result.warnings:
        texts = Counter(result.warnings)
        blocks: tuple[Block, ...] = tuple(
            Paragraph(text if count == 1 else f"{text} ({count} times)", "warn", "-") for text, count in texts.items()
        )
        sections.append(Section("Warnings", blocks))
    if result.failures:
        sections.append(Section("Failures", tuple(_failure_blocks(result.failures))))
    return sections


def _failure_blocks(failures: tuple[Failure, ...]) -> list[Block]:
    """Failures that differ in nothing that is shown are told once, with their count."""
    counts = Counter((where_of(one.labels, one.arm), one.kind, one.message, one.remedy, one.detail) for one in failures)
    blocks: list[Block] = []
    for (where, kind, message, remedy, detail), count in counts.items():
        times = f" ({count} times)" if count > 1 else ""
        blocks.append(Paragraph(f"{where + ': ' if where else ''}{kind}: {message}{times}", "bad", "-"))
        rows = [("remedy", remedy or NOT_YET)]
        if detail.strip():
            rows.append(("detail", _last_lines(detail)))
        blocks.append(Fields(tuple(rows), indent=2))
    return blocks


def _last_lines(detail: str) -> str:
    lines = detail.strip().splitlines()
    left_out = len(lines) - _DETAIL_LINES
    kept = lines[-_DETAIL_LINES:]
    return "\n".join([f"({left_out} lines before these are in the JSON result)", *kept] if left_out > 0 else kept)
