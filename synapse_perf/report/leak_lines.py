"""What does each line of one function add to the memory?"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

from synapse_perf.model import Json, Result
from synapse_perf.report.document import Cell, Column, Paragraph, Row, Section, Table
from synapse_perf.units import format_bytes, three_digits

LINE_MEMORY = "line-memory"
_NOTE = (
    "Resident memory by memory-profiler, in steps of 4 KiB, with what the allocator keeps: it shows where to look, "
    "the verdict is from the hunt."
)


def leak_lines_sections(result: Result) -> list[Section]:
    return [_section(finding.evidence) for finding in result.findings if finding.id == LINE_MEMORY]


def _section(evidence: Mapping[str, Json]) -> Section:
    lines = evidence["lines"]
    texts = textwrap.dedent("\n".join(str(line["text"]) for line in lines)).splitlines()
    columns = (
        Column("line", "right"),
        Column("adds per call", "right"),
        Column("runs", "right"),
        Column("code", shrink="wrap"),
    )
    most = max((line["growth_bytes"] for line in lines), default=0.0)
    rows = tuple(
        Row(
            (
                Cell(str(line["line"])),
                Cell(format_bytes(line["growth_bytes"]), "bad" if 0 < line["growth_bytes"] == most else "plain"),
                Cell(three_digits(line["hits"])),
                Cell(text),
            )
        )
        for line, text in zip(lines, texts, strict=False)
    )
    return Section(f"Lines of {evidence['function']}", (Table(columns, rows), Paragraph(_NOTE, "quiet")))
