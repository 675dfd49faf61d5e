"""What does another setting change, such as more threads for a query? Each variant beside the reference."""

from __future__ import annotations

from synapse_perf.model import Metric
from synapse_perf.report.document import Block, Cell, Column, Paragraph, Row, Section, Table
from synapse_perf.report.figures import (
    fact_median,
    format_count,
    format_interval,
    format_middle,
    interval_title,
    middle,
)
from synapse_perf.report.retrieval_preloading import ratio_bounds, ratio_text
from synapse_perf.report.retrieval_runs import Measured, Retrievals, stage_label
from synapse_perf.units import format_duration, format_value

VARIANT = "variant"
_SMALL = 0.01  # of the total


def retrieval_variants_section(measured: Measured) -> Section | None:
    """A table for each state that was measured in another setting as well; None without any."""
    variants = [*measured.take_with(VARIANT), *measured.take_with(VARIANT, "cache")]
    blocks: list[Block] = []
    for state in dict.fromkeys(group.state for group in variants):
        own = [group for group in variants if group.state == state]
        reference = measured.find(state=state)
        blocks += [Paragraph(f"{state} ({_counts(own, reference)})", "strong"), _table(own, reference)]
    if not blocks:
        return None
    about = "Ratio: of the medians; an interval that holds 1 shows no difference."
    return Section("Variants", (*blocks, Paragraph(about, "quiet")))


def _is_the_same(group: Retrievals, reference: Retrievals) -> bool:
    bounds = ratio_bounds(_whole(group), _whole(reference))
    return bounds is not None and bounds[0] <= 1 <= bounds[1] and not _changed(group, reference)


def no_difference(measured: Measured) -> str:
    """A sentence in place of the section, where no setting of the warm state makes a difference; else empty."""
    warm = measured.find(state="warm")
    variants = [*measured.find_with(VARIANT), *measured.find_with(VARIANT, "cache")]
    if warm is None or not variants or not all(one.state == "warm" and _is_the_same(one, warm) for one in variants):
        return ""
    for one in variants:
        measured.show(one)
    told = ", ".join(f"{_name(one)} has {ratio_text(_whole(one), _whole(warm))} the p50" for one in variants)
    return f"No other setting makes a difference to be seen: {told}."


def _counts(variants: list[Retrievals], reference: Retrievals | None) -> str:
    counts = dict.fromkeys(format_count(_whole(group)) for group in (reference, *variants) if group)
    return f"n={' or '.join(counts)}"


def _table(variants: list[Retrievals], reference: Retrievals | None) -> Table:
    totals = [_whole(group) for group in variants]
    whole = _whole(reference) if reference else None
    columns = (
        Column("variant", shrink="wrap"),
        Column("p50", "right"),
        Column(interval_title([whole, *totals]), "right"),
        Column("p95", "right"),
        Column("CPU", "right"),
        Column("ratio", "right"),
    )
    rows = [] if whole is None else [_row("reference", whole, None)]
    rows += [_row(_name(group), total, whole, group, reference) for group, total in zip(variants, totals, strict=True)]
    return Table(columns, tuple(rows))


def _whole(group: Retrievals) -> Metric:
    return group.total or next(iter(group.stages.values()))


def _name(group: Retrievals) -> str:
    doubt = ", not certified cold" if group.labels.get("cache") else ""
    return group.labels[VARIANT] + doubt


def _row(
    name: str,
    metric: Metric,
    compared: Metric | None,
    group: Retrievals | None = None,
    reference: Retrievals | None = None,
) -> Row:
    cpu, p95 = fact_median(metric, "cpu_s"), metric.summary.p95
    texts = (
        format_interval(metric),
        "none" if p95 is None else format_value(p95, metric.unit),
        "" if cpu is None else format_duration(cpu),
        ratio_text(metric, compared) if compared else "",
    )
    cells = (Cell(name, "plain" if compared else "strong"), Cell(format_middle(metric), "strong"), *map(Cell, texts))
    return Row(cells, _changed(group, reference) if group and reference else "")


def _changed(group: Retrievals, reference: Retrievals) -> str:
    """The stages that clearly changed and take more than a trifle; the total hides a change in a short one."""
    told = []
    least = _SMALL * (middle(group.total) or 0.0)
    pairs = [(name, one, reference.stages.get(name)) for name, one in group.stages.items() if group.total]
    for name, metric, other in pairs:
        if other is None or (middle(metric) or 0.0) < least:
            continue
        bounds = ratio_bounds(metric, other, len(pairs))
        if bounds and not bounds[0] <= 1 <= bounds[1]:
            told.append(f"{stage_label(name)} {format_middle(other)} to {format_middle(metric)}")
    return f"clearly changed: {', '.join(told)}" if told else ""
