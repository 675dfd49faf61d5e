"""How does the self-test of leak-hunt read?"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from synapse_perf.report.document import Cell, Column, Document, Paragraph, Row, Section, Table, Tone

_SCHEMA_VERSION = 1
_TONES: Mapping[str, Tone] = {"ok": "good", "failed": "bad", "not measured": "warn"}
_COLUMNS = (Column("state"), Column("planted", shrink="wrap"), Column("expected", shrink="wrap"))

Told = Mapping[str, str]  # case, outcome, expected, found, remedy


def selftest_document(cases: Sequence[Told]) -> Document:
    """The verdict in a line, then what was planted and what was found."""
    rows = tuple(_row(case) for case in cases)
    return (Section("", (_verdict(cases),)), Section("Self-test of leak-hunt", (Table(_COLUMNS, rows),)))


def selftest_json(cases: Sequence[Told], *, is_passed: bool) -> str:
    data = {"kind": "selftest", "schema_version": _SCHEMA_VERSION, "passed": is_passed, "cases": list(cases)}
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def _verdict(cases: Sequence[Told]) -> Paragraph:
    wrong = [case["case"] for case in cases if case["outcome"] == "failed"]
    missing = [case["case"] for case in cases if case["outcome"] == "not measured"]
    if wrong:
        return Paragraph(f"NOT FIT: leak-hunt cannot be trusted here: {', '.join(wrong)}.", "bad")
    if missing:
        return Paragraph(f"NOT MEASURED: {', '.join(missing)}.", "warn")
    return Paragraph("FIT: every planted leak was seen on this machine, and nothing else was called one.", "good")


def _row(case: Told) -> Row:
    note = "; ".join(text for text in (f"found: {case['found']}", case["remedy"]) if text)
    return Row((Cell(case["outcome"], _TONES[case["outcome"]]), Cell(case["case"]), Cell(case["expected"])), note)
