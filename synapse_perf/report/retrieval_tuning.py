"""Which index serves best, how sure is that, and what was it chosen from? The Pareto table and a picture.

A result that holds the outcome of a tuning is told by it; of one that holds the measurements alone, the candidates that
no other beats are shown.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from synapse_perf.model import Metric, Result
from synapse_perf.report.document import Block, Cell, Column, Paragraph, PlotPoint, Row, Scatter, Section, Table
from synapse_perf.report.figures import format_range
from synapse_perf.report.retrieval_candidates import CURRENT, Candidate, candidates_of, pareto
from synapse_perf.report.retrieval_recall import RECALL
from synapse_perf.report.retrieval_runs import Measured
from synapse_perf.report.scatter_plot import PLAIN, Scale
from synapse_perf.units import format_bytes, format_duration, format_percent, three_digits

if TYPE_CHECKING:
    from synapse_perf.analyze.tuning import Budget, Spread, Tuning

TITLE = "Which index: recall against latency"
_OWN = frozenset({RECALL, "search_latency", "index_cold_time", "index_memory"})
_MARKS = string.ascii_lowercase
_LEAST_FOR_PLOT = 3
_LEGEND = "Letters: as in the table. Dots: other settings that were measured."
_GUIDES = " Lines: what was asked for."


def tuning_section(measured: Measured, result: Result) -> Section | None:
    """None where no candidates were measured."""
    metrics = [metric for metric in measured.metrics if metric.name in _OWN and "index" in metric.labels]
    tuning = tuning_of(result)
    if tuning is not None and tuning.rows:
        measured.mark(metrics)
        return Section(TITLE, tuple(_outcome(tuning)))
    return _from_measurements(measured, [metric for metric in metrics if metric.name == RECALL])


def tuning_of(result: Result) -> Tuning | None:
    """The outcome as the result holds it; None if it holds none that this version can read."""
    found = result.workload.get("tuning") or result.plan.get("tuning")
    if not isinstance(found, Mapping) or "rows" not in found:
        return None
    from pydantic import TypeAdapter, ValidationError

    from synapse_perf.analyze.tuning import Tuning

    try:
        return TypeAdapter(Tuning).validate_python(found)
    except ValidationError:
        return None


# --- with an outcome -------------------------------------------------------------------------------------------------


def _outcome(tuning: Tuning) -> list[Block]:
    rows = [row for row in tuning.rows if row.on_front or not row.dropped or row.family == CURRENT]
    shown = [Candidate.of_row(row, _note(tuning, row.index, row.parameters, row.dropped)) for row in rows]
    blocks: list[Block] = [Paragraph(f"{tuning.reason[:1].upper()}{tuning.reason[1:]}."), _table(shown)]
    places = [(point.index, point.parameters, point.recall, point.p95_s) for point in tuning.points]
    blocks += _picture(places, shown, tuning.budget)
    texts = (_bound(tuning), _capacity(tuning), _left_out(tuning))
    return [*blocks, *(Paragraph(text, marker="-") for text in texts if text)]


def advice(tuning: Tuning) -> str:
    """What to do, in a few words."""
    if tuning.advice == "change" and tuning.winner is not None:
        return f"change to {tuning.winner.index} {tuning.winner.parameters}".rstrip()
    return {
        "keep": "keep what you have",
        "none": "none that was tried keeps to the budget",
        "unfinished": "the race was not finished",
        "change": "change",
    }[tuning.advice]


def _note(tuning: Tuning, index: str, parameters: str, dropped: str) -> str:
    def is_it(row: object) -> bool:
        return (getattr(row, "index", None), getattr(row, "parameters", None)) == (index, parameters)

    if is_it(tuning.winner):
        return "the fastest within the budget"
    if is_it(tuning.runner_up):
        return f"the runner-up, {_later(tuning.difference, tuning.confidence)}"
    if is_it(tuning.current) and not dropped:
        return _later(tuning.gain, tuning.confidence) if tuning.gain else ""
    return f"not chosen: {dropped}" if dropped else ""


def _later(spread: Spread | None, confidence: float) -> str:
    """By how much its p95 is above that of the fastest."""
    if spread is None:
        return "not compared"
    if spread.low is None or spread.high is None:
        return f"p95 {format_duration(spread.value)} above the fastest"
    bounds = f"{confidence * 100:g} % {format_range(spread.low, spread.high, 's')}"
    if spread.low <= 0 <= spread.high:
        return f"p95 not told apart from the fastest ({bounds})"
    return f"p95 {format_duration(spread.value)} above the fastest ({bounds})"


def _bound(tuning: Tuning) -> str:
    """What a query of the fastest cannot be faster than, and what it spends its time on."""
    floors, winner = tuning.floors, tuning.winner
    if floors is None or winner is None or tuning.bound is None:
        return ""
    shares = ", ".join(f"{name} {format_percent(share)}" for name, share in floors.shares(winner.p50_s).items())
    read = f"reads {format_bytes(floors.scanned_bytes)} a query, {format_duration(floors.read_s)} at the least"
    return f"The fastest {read}; it is bound by {tuning.bound} ({shares} of p50)"


def _capacity(tuning: Tuning) -> str:
    capacity = tuning.capacity
    if capacity is None:
        return ""
    if capacity.vectors is None:
        return f"At how many vectors the latency budget breaks: {capacity.reason}"
    known = capacity.low is not None and capacity.high is not None
    bounds = f" ({capacity.low:,.0f} to {capacity.high:,.0f})".replace(",", " ") if known else ""
    return f"The latency budget breaks at about {capacity.vectors:,.0f} vectors".replace(",", " ") + bounds


def _left_out(tuning: Tuning) -> str:
    families: dict[str, list[str]] = {}
    for family, reason in tuning.left_out:
        families.setdefault(reason, []).append(family)
    told = "; ".join(f"{' and '.join(names)}: {reason}" for reason, names in families.items())
    return f"Not built in full: {told}" if told else ""


# --- from the measurements alone -------------------------------------------------------------------------------------


def _from_measurements(measured: Measured, metrics: Sequence[Metric]) -> Section | None:
    found, whole = candidates_of(metrics)
    if not found:
        return None
    measured.mark(metrics)
    best = sorted(pareto(found), key=lambda one: one.p95_s)
    shown = [*best, *(one for one in found if one.index == CURRENT and one not in best)]
    told = f"{len(found)} settings were measured on all {whole:.0f} vectors; of these, {len(best)} are beaten by none."
    early = len(metrics) - len(found)
    dropped = f" {early} other{'s' if early > 1 else ''} had only a part of the vectors." if early else ""
    places = [(one.index, one.parameters, one.recall, one.p95_s) for one in found]
    return Section(TITLE, (Paragraph(told + dropped), _table(shown), *_picture(places, shown, None)))


# --- table and picture -----------------------------------------------------------------------------------------------


def _table(candidates: Sequence[Candidate]) -> Table:
    columns = (
        Column(""),
        Column("index", shrink="wrap"),
        Column("recall", "right"),
        Column("95 % interval", "right"),
        Column("p95", "right"),
        Column("size", "right"),
        Column("cold", "right"),
        Column("build", "right"),
    )
    return Table(columns, tuple(_row(mark, one) for mark, one in zip(_marks(), candidates, strict=False)))


def _marks() -> Iterable[str]:
    """A letter for as many as there are, then dots."""
    return (_MARKS[place] if place < len(_MARKS) else PLAIN for place in range(1000))


def _row(mark: str, one: Candidate) -> Row:
    is_known = one.recall_low is not None and one.recall_high is not None
    texts = (
        f"{one.recall:.3f}",
        f"{one.recall_low:.3f}–{one.recall_high:.3f}" if is_known else "none",
        format_duration(one.p95_s),
        "" if one.size_bytes is None else format_bytes(one.size_bytes),
        "" if one.cold_s is None else format_duration(one.cold_s),
        "" if one.build_s is None else format_duration(one.build_s),
    )
    name = " ".join(part for part in (one.index, one.parameters.replace(",", ", ")) if part)
    return Row((Cell(mark, "strong"), Cell(name), *map(Cell, texts)), one.note)


def _picture(
    places: Sequence[tuple[str, str, float, float]], shown: Sequence[Candidate], budget: Budget | None
) -> list[Block]:
    """Every setting that was measured, those of the table by their letters; nothing for a few."""
    if len(places) < _LEAST_FOR_PLOT:
        return []
    limits_s = [budget.latency_s] if budget and budget.latency_s else []
    x = Scale.around([*limits_s, *(p95_s for *_, p95_s in places)], is_log=True)
    y = Scale.around([*([budget.recall] if budget else []), *(recall for *_, recall, _ in places)])
    marks = {(one.index, one.parameters): mark for mark, one in zip(_marks(), shown, strict=False)}
    points = tuple(
        PlotPoint(x.share(p95_s), y.share(recall), marks.get((index, parameters), PLAIN))
        for index, parameters, recall, p95_s in places
    )
    plot = Scatter(
        x.axis("p95 of a search, one query at a time (logarithmic)", format_duration),
        y.axis("recall: share of the true nearest neighbours that are found", three_digits),
        points,
        x_guide=x.share(limits_s[0]) if limits_s else None,
        y_guide=y.share(budget.recall) if budget else None,
    )
    return [plot, Paragraph(_LEGEND + _GUIDES * bool(budget), "quiet")]
