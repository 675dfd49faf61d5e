"""Where does the memory of a loaded model go? The process's peak with its split, and the buffers of each device."""

from __future__ import annotations

from synapse_perf.model import Metric
from synapse_perf.report.document import Block, Cell, Column, Paragraph, Row, Section, Table
from synapse_perf.report.figures import (
    fact_median,
    format_count,
    format_interval,
    format_middle,
    interval_title,
)
from synapse_perf.report.runs import PEAK_RSS, Run, models_of, references
from synapse_perf.units import format_bytes

BUFFER_PREFIX = "buffer."
_KINDS = ("model", "KV", "compute")


def memory_section(runs: tuple[Run, ...], names: dict[str, str]) -> Section | None:
    """One row a model, from its first reference run that knows its memory; None if nothing is known."""
    chosen = [run for run in (_best_known(runs, model) for model in models_of(runs)) if run is not None]
    blocks: list[Block] = []
    measured = [run for run in chosen if run.metric(PEAK_RSS)]
    if measured:
        blocks.append(_process_table(measured, names))
    buffers = [(run, _buffers(run)) for run in chosen]
    if any(found for _, found in buffers):
        blocks.append(_buffer_table(buffers, names))
        blocks.append(
            Paragraph(
                "Device buffers are what llama.cpp's own log says; a mapped file can be in the buffers of several "
                "devices, so their sum is not the memory of the process.",
                "quiet",
            )
        )
    crowded = [names[run.model] for run in chosen if _is_over_committed(run)]
    if crowded:
        text = f"llama.cpp says that the device's memory is over-committed, and that it is slow: {', '.join(crowded)}"
        blocks.append(Paragraph(text, "warn", "-"))
    return Section("Memory", tuple(blocks)) if blocks else None


def _is_over_committed(run: Run) -> bool:
    trials = run.noted.trials if run.noted else ()
    return any(value is True for trial in trials for value in trial.facts.get("over_committed", ()))


def _best_known(runs: tuple[Run, ...], model: str) -> Run | None:
    own = [run for run in references(runs) if run.model == model]
    return next((run for run in own if run.metric(PEAK_RSS)), next((run for run in own if _buffers(run)), None))


def _process_table(runs: list[Run], names: dict[str, str]) -> Table:
    peaks = [run.metric(PEAK_RSS) for run in runs]
    columns = (
        Column("model", shrink="middle"),
        Column("peak RSS", "right"),
        Column(interval_title(peaks), "right"),
        Column("n", "right"),
        Column("anonymous", "right"),
        Column("file-mapped", "right"),
    )
    rows = tuple(
        Row(
            (
                Cell(names[run.model]),
                Cell(format_middle(peak), "strong"),
                Cell(format_interval(peak)),
                Cell(format_count(peak)),
                Cell(_bytes(run.noted, "rss_anonymous_bytes")),
                Cell(_bytes(run.noted, "rss_file_bytes")),
            )
        )
        for run, peak in zip(runs, peaks, strict=True)
    )
    return Table(columns, rows)


def _bytes(metric: Metric | None, fact: str) -> str:
    value = fact_median(metric, fact)
    return "not known" if value is None else format_bytes(value)


def _buffers(run: Run) -> dict[str, dict[str, float]]:
    """Median bytes by device and kind, kinds beside weights, KV and compute together as ``other``."""
    noted = run.noted
    if noted is None:
        return {}
    found: dict[str, dict[str, float]] = {}
    for fact in dict.fromkeys(name for trial in noted.trials for name in trial.facts):
        device, _, kind = fact.removeprefix(BUFFER_PREFIX).rpartition(".")
        size = fact_median(noted, fact)
        if fact.startswith(BUFFER_PREFIX) and device and size is not None:
            kinds = found.setdefault(device, {})
            kind = {name.lower(): name for name in _KINDS}.get(kind.lower(), "other")
            kinds[kind] = kinds.get(kind, 0.0) + size
    return found


def _buffer_table(buffers: list[tuple[Run, dict[str, dict[str, float]]]], names: dict[str, str]) -> Table:
    columns = (
        Column("model", shrink="middle"),
        Column("device", shrink="middle"),
        Column("weights", "right"),
        Column("KV cache", "right"),
        Column("compute", "right"),
        Column("other", "right"),
    )
    rows = []
    for run, devices in buffers:
        for position, (device, kinds) in enumerate(devices.items()):
            sizes = [format_bytes(kinds[kind]) if kind in kinds else "none" for kind in (*_KINDS, "other")]
            rows.append(Row((Cell("" if position else names[run.model]), Cell(device), *map(Cell, sizes))))
    return Table(columns, tuple(rows))
