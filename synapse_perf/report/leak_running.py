"""Where was a process while it grew? The functions that ran, by py-spy, or why they are not known."""

from __future__ import annotations

from collections.abc import Mapping

from synapse_perf.analyze.leak_running import FEW_SAMPLES
from synapse_perf.host.leak_probes import BYTE_PROBES
from synapse_perf.model import Json, Result
from synapse_perf.report.document import Block, Cell, Column, Paragraph, Row, Section, Table
from synapse_perf.report.leak_figures import probe_name
from synapse_perf.units import format_bytes, format_duration, format_percent


def leak_running_sections(result: Result) -> list[Section]:
    """One for each hunt from outside that something grew in."""
    running = result.plan.get("running")
    if not isinstance(running, Mapping):
        return []
    is_one = len(running) == 1
    return [
        Section("Where it was while it grew" + ("" if is_one else f": {hunt}"), _blocks(seen))
        for hunt, seen in running.items()
    ]


def _blocks(seen: Mapping[str, Json]) -> tuple[Block, ...]:
    if seen.get("problem"):
        return (Paragraph(f"Not known for {seen['process']}: {seen['problem']}.", "quiet"),)
    columns = (
        Column("of the samples", "right"),
        Column("function of the program's own that ran", shrink="wrap"),
    )
    rows = tuple(Row((Cell(format_percent(share)), Cell(name))) for name, share in seen["functions"].items())
    is_bytes = seen["probe"] in BYTE_PROBES
    grown = format_bytes(seen["grown_bytes"]) if is_bytes else f"{seen['grown']:.0f}"
    few = ", too few for more than a hint" if seen["samples"] < FEW_SAMPLES else ""
    told = (
        f"{seen['samples']} samples of {seen['process']} by py-spy{few}, in {format_duration(seen['recorded_s'])} in "
        f"which its {probe_name(str(seen['probe']))} grew by {grown}. This is where the process "
        "was, not who holds what grew."
    )
    return (Table(columns, rows), Paragraph(told, "quiet"))
