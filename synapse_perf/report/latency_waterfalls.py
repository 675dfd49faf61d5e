"""Where does the time of the median query go? For a tier its parts, for a two-stage query its critical path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from synapse_perf.analyze.latency_rows import PARTS, SERVED_PARTS, TTFT, Queries, middle_of
from synapse_perf.model import Fact, Metric
from synapse_perf.report.document import Bar, BarKind, Block, Cell, Column, Lane, Row, Section, Table, Waterfall
from synapse_perf.report.latency_runs import Asked
from synapse_perf.units import format_duration, format_percent

_PATH = ("swap.draft", "draft", "retrieval", "swap.refinement", "cutting", "prefill", "generation", "residual")
_INSIDE = {"draft": ("draft.prefill", "draft.generation")}
_NAMES = {
    "first_byte": "until first byte",
    "first_word": "until first word",
    "chunks": "after it",
    "swap.draft": "load fast model",
    "swap.refinement": "load second model",
    "cutting": "cut context",
    "draft.prefill": "  prefill",
    "draft.generation": "  generation",
}
_SMALL = 0.02  # of the whole: such neighbours share a line
_SMALL_IN_BRIEF = 0.05
_ASIDE = ("cutting", "residual")
_TRIFLE, _TRIFLE_IN_BRIEF = 0.001, 0.01  # what lies aside and is below it is not told
_PREFILL, _DECODE, _REST = "▃█▁"
_STACKED = 40  # characters of a line that holds all parts
_STACKED_TITLE = f"{_PREFILL} prefill  {_DECODE} decode  {_REST} the rest"


class _Part(NamedTuple):
    name: str
    seconds: float
    kind: BarKind = "phase"


class SampledQuery(NamedTuple):
    """One query: which process measured it, and which of its own it was."""

    trial: tuple[str, int]
    place: int
    of: int  # samples of that process
    total_s: float


def waterfall_section(asked: Asked, *, is_brief: bool = False) -> Section | None:
    """A lane for each query whose parts are known; None without any. A brief one has a line for each of one model."""
    rows: list[Row] = []
    lanes: list[Lane] = []
    for group in asked.references:
        row = stacked_row(asked, group) if is_brief else None
        lane = None if row else lane_of(asked, group, is_brief=is_brief)
        rows += [row] if row else []
        lanes += [Lane(f"{lane.title}: {lane.total}", "", lane.bars) if is_brief else lane] if lane else []
    heads = (Column("tier"), Column("median query", "right"), Column("tokens", "right"), Column(_STACKED_TITLE))
    blocks: list[Block] = [Table(heads, tuple(rows))] if rows else []
    blocks += [Waterfall(tuple(lanes))] if lanes else []
    return Section("Where the time of the median query goes", tuple(blocks)) if blocks else None


def stacked_row(asked: Asked, group: Queries) -> Row | None:
    """Prefill, decode and the rest of one real query as one line; None where they are not known."""
    assert group.latency is not None
    query = nearest_the_median(group.latency)
    known = {} if "draft" in group.phases else dict(_known(group.latency, query, PARTS))
    if not known:
        return None
    asked.mark(group.phases.values())
    prompt, answer = (fact_of(group.latency, f"{name}_tokens", query) for name in ("prompt", "generated"))
    texts = (format_duration(query.total_s), f"{prompt} in, {answer} out", stacked_line(known, query.total_s))
    return Row((Cell(asked.name(group)), *map(Cell, texts)))


def stacked_line(seconds: Mapping[str, float], total_s: float) -> str:
    """As many characters of a part as it has of the time; the last one is always the rest."""
    prefill = round(seconds["prefill"] / total_s * _STACKED)
    rest = max(1, round((total_s - seconds["prefill"] - seconds["decode"]) / total_s * _STACKED))
    decode = max(0, _STACKED - prefill - rest)
    return _PREFILL * prefill + _DECODE * decode + _REST * rest


def lane_of(asked: Asked, group: Queries, *, is_brief: bool = False) -> Lane | None:
    """One real query, that which lies nearest the median; its parts add up to it."""
    assert group.latency is not None
    median_query = nearest_the_median(group.latency)
    is_two_stage = "draft" in group.phases
    parts = _path(group, median_query, is_brief) if is_two_stage else _parts(group.latency, median_query, is_brief)
    if not parts:
        return None
    asked.mark(group.phases[name] for name in group.phases)
    return Lane(asked.name(group), _total(group, median_query), _bars(parts, median_query.total_s))


def nearest_the_median(latency: Metric) -> SampledQuery:
    """A real query, no mean of several."""
    middle = middle_of(latency)
    samples = [
        SampledQuery((trial.arm, trial.process), place, len(trial.samples), value)
        for trial in latency.trials
        for place, value in enumerate(trial.samples)
    ]
    return min(samples, key=lambda sample: abs(sample.total_s - middle))


def _parts(latency: Metric, query: SampledQuery, is_brief: bool) -> list[_Part]:
    """Small neighbours as one line, or all as the last one; nothing where the parts of this query are not known."""
    known = next((found for names in (PARTS, SERVED_PARTS) if (found := _known(latency, query, names))), [])
    if not known:
        return []
    if is_brief:
        large = [_Part(name, value) for name, value in known if value >= _SMALL_IN_BRIEF * query.total_s]
        return [*large, _Part("the rest", sum(value for _, value in known) - sum(one.seconds for one in large))]
    merged: list[_Part] = []
    for name, value in known:
        last = merged[-1] if merged else None
        if last and max(last.seconds, value) < _SMALL * query.total_s:
            merged[-1] = _Part(f"{last.name}, {name}", last.seconds + value)
        else:
            merged.append(_Part(name, value))
    return merged


def _known(latency: Metric, query: SampledQuery, names: Sequence[str]) -> list[tuple[str, float]]:
    """The seconds of these parts; none where one of them was not noted."""
    seconds = {name: fact_of(latency, f"{name}_s", query) for name in names}
    known = [(name, float(value)) for name, value in seconds.items() if isinstance(value, int | float)]
    return known if len(known) == len(names) else []


def _path(group: Queries, query: SampledQuery, is_brief: bool) -> list[_Part]:
    """The phases of this query one after the other; those of the draft below it, where there is room."""
    parts: list[_Part] = []
    trifle_s = (_TRIFLE_IN_BRIEF if is_brief else _TRIFLE) * query.total_s
    for name in _PATH:
        value = sample_of(group.phases.get(name), query)
        least = trifle_s if name in _ASIDE else 0.0
        if value is None or value <= least:
            continue
        parts.append(_Part(name, value, "residual" if name == "residual" else "phase"))
        names = () if is_brief else _INSIDE.get(name, ())
        inside = ((part, sample_of(group.phases.get(part), query)) for part in names)
        parts += [_Part(part, seconds, "part") for part, seconds in inside if seconds is not None]
    return parts


def _bars(parts: Sequence[_Part], total_s: float) -> tuple[Bar, ...]:
    bars: list[Bar] = []
    end_s = inside_s = 0.0
    for part in parts:
        start_s = inside_s if part.kind == "part" else end_s
        if part.kind != "part":
            end_s, inside_s = end_s + part.seconds, end_s
        else:
            inside_s += part.seconds
        bars.append(
            Bar(
                _NAMES.get(part.name, part.name),
                format_duration(part.seconds),
                format_percent(part.seconds / total_s),
                min(start_s / total_s, 1.0),
                min(part.seconds / total_s, 1.0),
                part.kind,
            )
        )
    return tuple(bars)


def _total(group: Queries, query: SampledQuery) -> str:
    """How long it took and how long it was."""
    assert group.latency is not None
    first_s = sample_of(group.metrics.get(TTFT), query)
    prompt, reused, answer = (
        fact_of(group.latency, f"{name}_tokens", query) for name in ("prompt", "reused", "generated")
    )
    told = [
        format_duration(query.total_s),
        "" if first_s is None else f"first token after {format_duration(first_s)}",
        f"{prompt} tokens in" + (f" ({reused} of them reused)" if reused else "") if prompt else "",
        f"{answer} out" if answer else "",
    ]
    return ", ".join(part for part in told if part)


def sample_of(metric: Metric | None, query: SampledQuery) -> float | None:
    """What another metric says of the same query; it has as many samples, or cannot be told apart."""
    for trial in metric.trials if metric else ():
        if (trial.arm, trial.process) == query.trial and len(trial.samples) == query.of:
            return trial.samples[query.place]
    return None


def fact_of(metric: Metric, name: str, query: SampledQuery) -> Fact:
    """What was noted of this query."""
    for trial in metric.trials:
        values = trial.facts.get(name, ())
        if (trial.arm, trial.process) == query.trial and query.place < len(values):
            return values[query.place]
    return None
