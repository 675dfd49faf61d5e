"""Which load mode or setting starts faster? Each variant beside the reference that it was interleaved with."""

from __future__ import annotations

from synapse_perf.model import Finding, Metric, Result
from synapse_perf.report.document import Block, Cell, Column, Paragraph, Row, Section, Table
from synapse_perf.report.figures import (
    format_count,
    format_interval,
    format_middle,
    format_ratio,
    interval_title,
    middle,
)
from synapse_perf.report.runs import PEAK_RSS, Run, runs_of
from synapse_perf.report.waterfall import CACHE_TITLES, effect_note


def variants_section(result: Result, names: dict[str, str]) -> Section | None:
    """A table for every model and page-cache state with more than the reference; None without variants."""
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in runs_of(result):
        if run.duration is not None:
            groups.setdefault((run.model, run.cache), []).append(run)
    blocks: list[Block] = []
    for (model, cache), runs in groups.items():
        if any(run.variant for run in runs):
            state = CACHE_TITLES.get(cache, cache)
            blocks.append(Paragraph(", ".join(part for part in (names[model], state) if part), "strong"))
            blocks.append(_table(runs))
    if not blocks:
        return None
    blocks += [Paragraph(finding.cause, marker="-") for finding in _verdicts(result)]
    blocks.append(
        Paragraph(
            "Ratio: median over the reference's. Medians alone do not tell variants apart; "
            "the findings say what the paired runs show.",
            "quiet",
        )
    )
    return Section("Load modes and variants", tuple(blocks))


def _verdicts(result: Result) -> list[Finding]:
    return [finding for finding in result.findings if finding.id.startswith(("best-", "parallel-")) and finding.cause]


def _table(runs: list[Run]) -> Table:
    reference = next((run for run in runs if not run.variant), None)
    columns = (
        Column("variant", shrink="wrap"),
        Column("device", shrink="middle"),
        Column("start" if any(run.startup for run in runs) else "load", "right"),
        Column(interval_title(run.duration for run in runs), "right"),
        Column("n", "right"),
        Column("ratio", "right"),
        Column("peak RSS", "right"),
    )
    return Table(columns, tuple(_row(run, reference) for run in runs))


def _row(run: Run, reference: Run | None) -> Row:
    duration = run.duration
    assert duration is not None
    compared = reference.duration if reference else None
    ratio = "reference" if run is reference else format_ratio(_ratio(duration, compared))
    name = run.variant or (f"{run.arm} (reference)" if run.arm else "reference")
    return Row(
        (
            Cell(name, "plain" if run.variant else "strong"),
            Cell(run.device),
            Cell(format_middle(duration), "strong"),
            Cell(format_interval(duration)),
            Cell(format_count(duration)),
            Cell(ratio),
            Cell(format_middle(run.metric(PEAK_RSS))),
        ),
        effect_note(duration),
    )


def _ratio(duration: Metric, reference: Metric | None) -> float | None:
    own, other = middle(duration), middle(reference)
    return own / other if own is not None and other else None
