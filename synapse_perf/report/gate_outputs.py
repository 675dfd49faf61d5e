"""Which text does a gate become, on stdout and in files? One entry of `WRITERS` for each suffix."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path

from synapse_perf.analyze.gate_report import GateReport, GateRow
from synapse_perf.errors import InputError
from synapse_perf.model import Json
from synapse_perf.report.gate_comment import gate_markdown
from synapse_perf.report.gate_junit import gate_junit
from synapse_perf.report.gate_prometheus import gate_prometheus

SCHEMA_VERSION = 1


def gate_json(report: GateReport) -> str:
    """The report as data, in base units, with its exit code; what is not known is null."""
    document = {
        "kind": "gate",
        "schema_version": SCHEMA_VERSION,
        "exit_code": int(report.exit_code),
        **{field.name: _plain(getattr(report, field.name)) for field in fields(report) if field.name != "rows"},
        "rows": [_row(row) for row in report.rows],
    }
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


WRITERS: Mapping[str, Callable[[GateReport], str]] = {
    ".json": gate_json,
    ".md": gate_markdown,
    ".xml": gate_junit,
    ".prom": gate_prometheus,
}


def check_gate_output(path: Path) -> None:
    """Raise InputError for a file that the report could not be written to: asked before anything is measured."""
    from synapse_perf.atomic_files import check_writable

    if path.suffix.lower() not in WRITERS:
        *most, last = WRITERS
        remedy = f"name a file that ends in {', '.join(most)} or {last}"
        raise InputError(f"{path}: no format has this suffix", remedy)
    check_writable(path)


def write_gate_output(report: GateReport, path: Path) -> None:
    from synapse_perf.atomic_files import write_atomically

    write_atomically(path, WRITERS[path.suffix.lower()](report))


def _row(row: GateRow) -> Json:
    comparison = {field.name: getattr(row.comparison, field.name) for field in fields(row.comparison)}
    own = {field.name: getattr(row, field.name) for field in fields(row) if field.name != "comparison"}
    return {**comparison, **own}


def _plain(value: Json) -> Json:
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if hasattr(value, "__dataclass_fields__"):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    return value
