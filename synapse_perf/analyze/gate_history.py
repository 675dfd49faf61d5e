"""Which way do the metrics of stored runs go, and how far have they come from where they were pinned?

A gate compares with the state before a change, so many small slowdowns pass it one by one. Over runs they are a trend:
Kendall's rank correlation with the order of runs (exact for few), Holm over the metrics. The slope is Theil and Sen's,
the median over every two runs; neither assumes a distribution.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from synapse_perf.analyze.compare import SMALLEST_EFFECT, differing_fields
from synapse_perf.analyze.gate_figures import Figure, figures_of, middle
from synapse_perf.analyze.gate_signed_rank import holm
from synapse_perf.model import Better, Result

LEAST_RUNS = 6
NEWEST = 3  # runs whose median is compared with the pinned one
ERROR = 0.05

Direction = Literal["slower", "faster", "level", "too few"]


@dataclass(frozen=True, slots=True)
class Series:
    """One metric over runs, the oldest first."""

    metric: str
    unit: str
    better: Better
    values: tuple[float, ...]
    direction: Direction
    per_run: float | None  # change of the ratio from one run to the next
    drift: float | None  # of the newest runs against the pinned one: 1.1 is a tenth more


@dataclass(frozen=True, slots=True)
class History:
    """Runs that can be compared with the newest, and how many others there were."""

    benchmark: str
    runs: tuple[Result, ...]
    left_out: int
    series: tuple[Series, ...]


def history_of(runs: Sequence[Result], wanted: Sequence[str] = (), pinned: Result | None = None) -> History:
    """`runs` are of one command, the oldest first; those unlike the newest are left out."""
    newest = runs[-1]
    alike = [run for run in runs if not differing_fields(run, newest) and run.profile == newest.profile]
    columns = [figures_of(run, wanted) for run in alike]
    anchor = figures_of(pinned, wanted) if pinned is not None and not differing_fields(pinned, newest) else {}
    found = {metric: _values(metric, columns) for metric in columns[-1]}
    p_values = {metric: _kendall_p(values) for metric, values in found.items()}
    tested = [metric for metric, p in p_values.items() if p is not None]
    falls = dict(zip(tested, holm([p_values[metric] or 0.0 for metric in tested], ERROR), strict=True))
    series = [
        _series(metric, columns[-1][metric], values, falls.get(metric), anchor) for metric, values in found.items()
    ]
    return History(newest.benchmark, tuple(alike), len(runs) - len(alike), tuple(series))


def _values(metric: str, columns: Sequence[Mapping[str, Figure]]) -> tuple[float, ...]:
    values = (figures[metric].value for figures in columns if metric in figures)
    return tuple(value for value in values if math.isfinite(value))


def _series(
    metric: str, figure: Figure, values: tuple[float, ...], is_trend: bool | None, anchor: Mapping[str, Figure]
) -> Series:
    per_run = _slope(values)
    return Series(
        metric,
        figure.unit,
        figure.better,
        values,
        _direction(figure.better, len(values), per_run, is_trend),
        per_run,
        _drift(values, anchor.get(metric)),
    )


def _direction(better: Better, count: int, per_run: float | None, is_trend: bool | None) -> Direction:
    if is_trend is None or per_run is None:
        return "too few"
    # A trend that over all these runs has come to less than what counts is none.
    if not is_trend or abs(math.log(per_run)) * (count - 1) < math.log1p(SMALLEST_EFFECT):
        return "level"
    return "slower" if (per_run > 1) == (better != "higher") else "faster"


def _drift(values: Sequence[float], pinned: Figure | None) -> float | None:
    now = middle(values[-NEWEST:])
    if pinned is None or not math.isfinite(now) or not pinned.value > 0:
        return None
    return now / pinned.value


def _slope(values: Sequence[float]) -> float | None:
    """The ratio from one run to the next, by the median over every two runs."""
    if len(values) < 2 or min(values) <= 0:
        return None
    numbered = [(place, math.log(value)) for place, value in enumerate(values)]
    slopes = [(late[1] - early[1]) / (late[0] - early[0]) for early, late in combinations(numbered, 2)]
    return math.exp(middle(slopes))


def _kendall_p(values: Sequence[float]) -> float | None:
    """Two-sided; None for too few runs, or where all are the same."""
    if len(values) < LEAST_RUNS or min(values) <= 0:
        return None
    if len(set(values)) == 1:
        return 1.0
    from scipy import stats

    return float(stats.kendalltau(range(len(values)), values).pvalue)
