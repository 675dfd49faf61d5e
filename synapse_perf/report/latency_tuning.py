"""What did other settings change? A table for each tier, what was only looked at, and what was not tried and why."""

from __future__ import annotations

from collections.abc import Mapping

from synapse_perf.analyze.latency_tuning_findings import answers_text, ratio_text
from synapse_perf.analyze.latency_tuning_results import CONFIRMING, SCREENING, Compared, compared, screened
from synapse_perf.model import Json, Result
from synapse_perf.report.document import Block, Cell, Column, Paragraph, Row, Section, Table, Tone
from synapse_perf.report.latency_runs import Asked
from synapse_perf.units import format_duration

TUNING = "tuning"  # where the workload of a result holds what is told beside the figures
_TONES: Mapping[str, Tone] = {"improved": "good", "regressed": "bad", "inconclusive": "warn"}


def tuning_section(asked: Asked) -> Section | None:
    """None of a run that did not tune."""
    told = asked.result.workload.get(TUNING)
    if not isinstance(told, Mapping):
        return None
    asked.mark(metric for metric in asked.metrics if _is_of_tuning(metric.labels.get("variant", "")))
    confidence = _confidence(asked.result)
    tables: list[Block] = []
    notes: dict[str, list[str]] = {}  # with the tiers of which they are true
    for tier, entry in told.items():
        found = compared(asked.metrics, tier, confidence)
        if found:
            tables.append(_table(tier, found))
        for note in _notes(entry, screened(asked.metrics, tier, int(entry.get("output_tokens", 1))), found):
            notes.setdefault(note, []).append(tier)
    legend = (
        f"Confirmed on fresh processes, query by query; intervals {confidence * 100:g} % for all of a tier together; "
        "answers are the same, token by token, where nothing else is said."
    )
    lines = [Paragraph(f"{', '.join(tiers)}: {note}", "quiet", marker="-") for note, tiers in notes.items()]
    return Section("Tuning", (*tables, *([Paragraph(legend, "quiet")] if tables else []), *lines))


def _table(tier: str, found: list[Compared]) -> Table:
    columns = (
        Column(tier, shrink="wrap"),
        Column("n", "right"),
        Column("as set", "right"),
        Column("changed", "right"),
        Column("times as fast", "right"),
        Column("status"),
    )
    return Table(columns, tuple(_row(one) for one in found))


def _row(one: Compared) -> Row:
    texts = (f"{one.rounds} in {one.processes}", format_duration(one.reference_s), format_duration(one.candidate_s))
    cells = (
        Cell(one.name, "strong"),
        *map(Cell, texts),
        Cell(ratio_text(one)),
        Cell(one.status, _TONES.get(one.status, "plain")),
    )
    return Row(cells, "" if one.first_difference is None else answers_text(one))


def _notes(entry: Json, ratios: Mapping[str, float], found: list[Compared]) -> list[str]:
    """Plainly what was looked at without a verdict, what was refused, and what was left out."""
    confirmed = {one.name for one in found}
    looked = [f"{name} {ratio:.2f}×" for name, ratio in ratios.items() if name not in confirmed]
    lines = []
    if looked:
        lines.append(f"only looked at, so without a verdict: {', '.join(looked)}")
    lines += [f"refused by llama.cpp: {name}: {why}" for name, why in entry.get("refused", {}).items()]
    if entry.get("untried"):
        lines.append(f"not tried: {', '.join(entry['untried'])} ({entry.get('untried_because', '')})")
    return [*lines, *(f"not worth a try: {text}" for text in entry.get("useless", ()))]


def _is_of_tuning(variant: str) -> bool:
    return variant.startswith((SCREENING, CONFIRMING))


def _confidence(result: Result) -> float:
    confidence = result.plan.get("confidence")
    return float(confidence) if isinstance(confidence, int | float) else 0.95
