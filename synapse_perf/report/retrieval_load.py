"""How much load does each way to call retrieval take, and what does all else on the event loop wait meanwhile?"""

from __future__ import annotations

import statistics

from synapse_perf.analyze.load_steps import KNEE_FACTOR, LoadStep, knee, per_process, steps_of
from synapse_perf.model import Metric
from synapse_perf.report.document import Block, Cell, Column, Paragraph, Row, Section, Table
from synapse_perf.report.figures import format_middle
from synapse_perf.report.retrieval_runs import Measured
from synapse_perf.units import format_duration, three_digits

STRATEGIES = ("on-the-loop", "awaited", "to-thread", "bounded", "second-loop", "micro-batch")
_METRICS = ("throughput", "event_loop_lag")
_LEGEND = (
    "Load: times the rate of asking in turn. Latency counts from when a request was due. Knee: the highest load with a "
    f"p95 within {KNEE_FACTOR:g} times that at the lowest. Lag: what all else on the event loop waits. Loads between "
    "are in the JSON result."
)


def load_section(measured: Measured) -> Section | None:
    """Of each way the lowest load, its knee, and the load beyond; None where none was measured."""
    steps = steps_of(measured.metrics)
    if not steps:
        return None
    measured.mark(metric for metric in measured.metrics if _is_of_load(metric))
    columns = (
        Column("way", shrink="wrap"),
        Column("load", "right"),
        Column("offered", "right"),
        Column("answered", "right"),
        Column("p50", "right"),
        Column("p95", "right"),
        Column("lag p99", "right"),
        Column(""),
    )
    ordered = sorted(steps.items(), key=lambda pair: _place(*pair[0]))
    reasons = [top.reason for _, levels in ordered if (top := knee(levels)).step is None]
    same = reasons[0] if len(set(reasons)) == 1 and len(reasons) == len(ordered) > 1 else ""
    rows = [row for (strategy, variant), levels in ordered for row in _rows(strategy, variant, levels, same)]
    blocks: list[Block] = [Table(columns, tuple(rows))]
    blocks += [Paragraph(f"No knee in any way: {same}.")] if same else []
    every = [step for levels in steps.values() for step in levels]
    blocks += [Paragraph(_answers(every) + _idle(measured)), Paragraph(_LEGEND, "quiet")]
    return Section("Under load", tuple(blocks))


def _is_of_load(metric: Metric) -> bool:
    return metric.name in _METRICS or metric.labels.get("state") == "loaded"


def _place(strategy: str, variant: str) -> tuple[int, str, str]:
    return (STRATEGIES.index(strategy) if strategy in STRATEGIES else len(STRATEGIES), strategy, variant)


def _in_words(variant: str) -> str:
    """``omp_threads=default`` in words, where a narrow column can break it."""
    name, _, value = variant.partition("=")
    return f"OpenMP {value}" if name in ("omp_threads", "OMP_NUM_THREADS") else variant


def _rows(strategy: str, variant: str, steps: list[LoadStep], told_below: str) -> list[Row]:
    top = knee(steps)
    name = f"{strategy}, {_in_words(variant)}" if variant else strategy
    shown = _chosen(steps, top.step)
    rows = []
    for place, step in enumerate(shown):
        is_last = place == len(shown) - 1
        note = f"no knee: {top.reason}" if top.step is None and is_last and top.reason != told_below else ""
        rows.append(_row("" if place else name, step, "knee" if step is top.step else "", note))
    return rows


def _chosen(steps: list[LoadStep], top: LoadStep | None) -> list[LoadStep]:
    """The lowest, the knee, and the one after it; without a knee the lowest and the highest."""
    if top is None:
        places = {0, len(steps) - 1}
    else:
        place = steps.index(top)
        places = {0, place, min(place + 1, len(steps) - 1)}
    return [steps[place] for place in sorted(places)]


def _row(name: str, step: LoadStep, told: str, note: str) -> Row:
    p95 = step.p95_s
    words = [told, "growing" if step.is_growing else "", "sender late" if step.is_late else ""]
    texts = (
        name,
        f"{step.load:g}×",
        f"{three_digits(step.offered_per_s)}/s",
        f"{three_digits(step.completed_per_s)}/s",
        format_duration(step.median_s),
        "none" if p95 is None else format_duration(p95),
        _lag(step.lag),
        ", ".join(word for word in words if word),
    )
    return Row(tuple(Cell(text, "strong" if told else "plain") for text in texts), note)


def _lag(metric: Metric | None) -> str:
    """The p99 that a process has, in the middle of the processes."""
    values = per_process(metric, 0.99) if metric else []
    return format_duration(statistics.median(values)) if values else "none"


def _answers(steps: list[LoadStep]) -> str:
    """Whether requests got what the same queries get alone."""
    asked, differing, failed, incomparable = (
        sum(step.count(fact) for step in steps) for fact in ("requests", "differing", "errors", "incomparable")
    )
    if incomparable:
        return f"{failed} of {asked} requests failed. Answers are not compared: a query gets another one each time."
    if not differing and not failed:
        return f"Each of {asked} requests got the same answer as its query alone."
    return f"Of {asked} requests {differing} got another answer than their query alone, and {failed} failed."


def _idle(measured: Measured) -> str:
    idle = [m for m in measured.metrics if m.name == "event_loop_lag" and m.labels.get("load") == "0"]
    return f" The lag of an idle loop is {format_middle(idle[0])}." if idle else ""
