"""What is each tier bound by? One line for each, with its numbers."""

from __future__ import annotations

from synapse_perf.analyze.latency_bound_findings import sentence
from synapse_perf.analyze.latency_bounds import BANDWIDTH, READS, bounds_of, reads_of
from synapse_perf.report.document import Block, Fields, Paragraph, Section
from synapse_perf.report.figures import format_middle, format_spread
from synapse_perf.report.latency_runs import Asked

FORMULA = (
    "Decode efficiency: (bytes of weights that a token reads + bytes of keys and values of the tokens before it) x "
    "tokens decoded per second of decoding / measured memory bandwidth."
)


def bounds_section(asked: Asked, *, is_brief: bool = False) -> Section | None:
    """None of a run whose models are out of reach, as those of a server are; a brief one has the memory in one line."""
    workload = asked.result.workload
    if READS not in workload:
        return None
    confidence = asked.result.plan.get("confidence")
    level = float(confidence) if isinstance(confidence, int | float) else 0.95
    bounds = bounds_of(asked.metrics, reads_of(workload), level)
    told = tuple((bound.name, sentence(bound, is_brief=is_brief)) for bound in bounds)
    blocks: list[Block] = [Fields(told)] if told else []
    for metric in asked.metrics:
        if metric.name == BANDWIDTH:
            asked.mark([metric])
            threads = metric.labels.get("threads", "")
            read = f"Memory: {format_middle(metric)} read by {threads} thread{'' if threads == '1' else 's'}"
            spread = "" if is_brief else f" ({format_spread(metric)})"
            blocks.append(Paragraph(f"{read}{spread}.", "quiet"))
    return Section("What each tier is bound by", tuple(blocks)) if bounds else None
