"""How often is a sequential decision wrong when its truth is known, and how soon does it come?

Draws whole runs, looks after every process until decided, and counts. The rules are those of analyze/decision, written
for many runs at once; test_decision_simulation checks the two against each other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import optimize, special

from synapse_perf.analyze.boundary import FIRST_LOOK, nominal_level, sign_boundary
from synapse_perf.analyze.decision import samples_per_process
from synapse_perf.analyze.percentile import count_bounds, level_allowance, student_quantile
from synapse_perf.analyze.summary import PERCENTILES
from synapse_perf.model import Statistic

Array = np.ndarray[Any, np.dtype[Any]]

ERROR = 0.05
MOST_PROCESSES = 60
JUST_UNDER = 1 - 1e-9
SCALES = (0.5, 0.8, 0.9, 0.95, JUST_UNDER, 1.0, 1.05, 1.1, 1.2, 1.5, 2.0)  # true value over limit; 1 misses "< limit"
NEVER = 10**6


@dataclass(frozen=True, slots=True)
class Shape:
    """A mixture of lognormal peaks; a process adds a factor of its own, and may choose the peak for all its samples."""

    name: str
    within: float  # standard deviation of the logarithm within a process
    between: float  # the same of the factor of a process
    peaks: tuple[tuple[float, float], ...] = ((1.0, 1.0),)  # weight, place
    peak_of_process: bool = False

    def draw(self, rng: np.random.Generator, runs: int, processes: int, samples: int) -> Array:
        chosen = (runs, processes, 1 if self.peak_of_process else samples)
        places = np.array([place for _, place in self.peaks], dtype=np.float32)
        weights = np.cumsum([weight for weight, _ in self.peaks])[:-1]
        logarithm = rng.standard_normal((runs, processes, samples), dtype=np.float32) * np.float32(self.within)
        logarithm += rng.standard_normal((runs, processes, 1), dtype=np.float32) * np.float32(self.between)
        np.exp(logarithm, out=logarithm)
        if len(self.peaks) > 1:
            logarithm *= places[np.searchsorted(weights, rng.random(chosen, dtype=np.float32))]
        return logarithm

    def true_quantile(self, probability: float) -> float:
        """Of all samples of all processes, exactly: normal peaks on the logarithm, both sources of variance added."""
        deviation = math.hypot(self.within, self.between)

        def excess(logarithm: float) -> float:
            parts = (weight * special.ndtr((logarithm - math.log(at)) / deviation) for weight, at in self.peaks)
            return float(sum(parts)) - probability

        return math.exp(optimize.brentq(excess, -3, 3, xtol=1e-14))


MEDIAN_SHAPES = (  # shape, samples per process
    (Shape("skewed", 0.2, 0.0), 1),
    (Shape("two peaks across processes", 0.05, 0.0, ((0.6, 1.0), (0.4, 1.5))), 1),
    (Shape("clustered, 5 samples each", 0.2, 0.05), 5),
)
PERCENTILE_SHAPES = (
    Shape("skewed", 0.25, 0.0),
    Shape("skewed and clustered", 0.25, 0.05),
    Shape("two peaks within a process, clustered", 0.05, 0.05, ((0.85, 1.0), (0.15, 1.6))),
    Shape("two peaks across processes", 0.10, 0.0, ((0.5, 1.0), (0.5, 1.3)), peak_of_process=True),
    Shape("clustered far more than spread", 0.02, 0.05),
)


@dataclass(frozen=True, slots=True)
class Cell:
    """Shares of all runs."""

    statistic: Statistic
    shape: str
    scale: float
    wrong: float
    decided: float
    decided_at_first: float
    median_processes: float  # of the decided runs


Looks = tuple[Array, Array]  # for each run and look: may it say "under", may it say "over"
Rule = Callable[[float], Looks]  # limit -> looks


def cells(shape: Shape, statistic: Statistic, rule: Rule, truth: float) -> list[Cell]:
    """One cell per scale: the true value lies at that multiple of the limit."""
    table = []
    for scale in SCALES:
        under, over = (_first_true(looks) for looks in rule(truth / scale))
        says_under, says_over = under < over, over < under
        stop = np.minimum(under, over)
        decided = stop < NEVER
        wrong = says_over if scale < 1 else says_under
        middle = float(np.median(stop[decided])) + FIRST_LOOK if decided.any() else math.nan
        shares = (float(wrong.mean()), float(decided.mean()), float((stop == 0).mean()))
        table.append(Cell(statistic, shape.name, scale, *shares, middle))
    return table


def _first_true(looks: Array) -> Array:
    return np.where(looks.any(axis=1), looks.argmax(axis=1), NEVER)


# --- rules, for all runs and all looks at once -----------------------------------------------------------------------


def median_rule(data: Array, error: float = ERROR) -> Rule:
    values = np.median(data, axis=2)
    counts = np.arange(1, values.shape[1] + 1)
    boundary = np.array([sign_boundary(int(count), error) for count in counts])

    def rule(limit: float) -> Looks:
        over = np.cumsum(values >= limit, axis=1)
        return (over <= boundary)[:, FIRST_LOOK - 1 :], (counts - over <= boundary)[:, FIRST_LOOK - 1 :]

    return rule


def percentile_rule(data: Array, probability: float, error: float = ERROR) -> Rule:
    _, processes, samples = data.shape
    counts = np.arange(1, processes + 1)
    levels = [nominal_level(int(count), error) for count in counts]
    looks = range(FIRST_LOOK, processes + 1)
    allowances = [level_allowance(look, levels[look - 1], probability) for look in looks]
    margins = np.array([student_quantile(look, levels[look - 1]) / math.sqrt(look) for look in looks])
    bounds = [count_bounds(int(count) * samples, 1 - probability, levels[count - 1]) for count in counts]
    low, high = (bound[:, FIRST_LOOK - 1 :] for bound in _order_statistics(data, bounds))
    spread = _running_deviation(np.median(data, axis=2).astype(np.float64))[:, FIRST_LOOK - 1 :]
    high = high + spread * [allowance.upward for allowance in allowances]
    low = low - spread * [allowance.downward for allowance in allowances]

    def rule(limit: float) -> Looks:
        shares = (data >= limit).mean(axis=2)
        excess = (np.cumsum(shares, axis=1) / counts)[:, FIRST_LOOK - 1 :] - (1 - probability)
        margin = margins * _running_deviation(shares)[:, FIRST_LOOK - 1 :]
        return (high < limit) & (-excess >= margin), (low >= limit) & (excess >= margin)

    return rule


def naive_median_rule(data: Array, error: float = ERROR) -> Rule:
    """A sign test for a fixed number of processes, tried again after each further process."""
    values = np.median(data, axis=2)
    counts = np.arange(1, values.shape[1] + 1)
    boundary = np.array([count_bounds(int(count), 0.5, error)[0] for count in counts])

    def rule(limit: float) -> Looks:
        over = np.cumsum(values >= limit, axis=1)
        return (over <= boundary)[:, FIRST_LOOK - 1 :], (counts - over <= boundary)[:, FIRST_LOOK - 1 :]

    return rule


def naive_percentile_rule(data: Array, probability: float, error: float = ERROR) -> Rule:
    """An order-statistic bound for a fixed number of independent samples, tried again after each further process."""
    bounds = [count_bounds(n * data.shape[2], 1 - probability, error) for n in range(1, data.shape[1] + 1)]
    low, high = _order_statistics(data, bounds)

    def rule(limit: float) -> Looks:
        return (high < limit)[:, FIRST_LOOK - 1 :], (low >= limit)[:, FIRST_LOOK - 1 :]

    return rule


def _order_statistics(data: Array, bounds: Sequence[tuple[int, int]]) -> tuple[Array, Array]:
    """Lower and upper bound of the percentile per run and look: the counts past a limit beyond it are too rare."""
    runs, processes, _ = data.shape
    kept = max(least for _, least in bounds) + 1
    top = np.empty((runs, 0), dtype=data.dtype)
    low = np.full((runs, processes), -np.inf, dtype=data.dtype)
    high = np.full((runs, processes), np.inf, dtype=data.dtype)
    for process, (most, least) in enumerate(bounds):
        top = np.concatenate((top, data[:, process]), axis=1)
        size = top.shape[1]
        wanted = {size - 1 - most, size - least, max(0, size - kept)} - {size}
        top.partition(sorted(place for place in wanted if 0 <= place < size), axis=1)
        if most >= 0:
            high[:, process] = top[:, size - 1 - most]
        if least <= size:
            low[:, process] = top[:, size - least]
        top = top[:, max(0, size - kept) :]
    return low, high


def _running_deviation(values: Array) -> Array:
    """Standard deviation of the first n columns, for every n; 0 for one."""
    counts = np.arange(1, values.shape[1] + 1)
    centred = values - values[:, :1]
    squares = np.cumsum(centred**2, axis=1) - np.cumsum(centred, axis=1) ** 2 / counts
    deviations: Array = np.sqrt(np.maximum(squares, 0) / np.maximum(counts - 1, 1))
    return deviations


# --- the table -------------------------------------------------------------------------------------------------------


def simulate(statistic: Statistic, shape: Shape, samples: int, runs: int = 10_000, seed: int = 20) -> list[Cell]:
    """Wrong and decided shares of the project's rule, for every scale of the true value."""
    data = shape.draw(np.random.default_rng(seed), runs, MOST_PROCESSES, samples)
    if statistic == "median":
        return cells(shape, statistic, median_rule(data), shape.true_quantile(0.5))
    probability = PERCENTILES[statistic]
    return cells(shape, statistic, percentile_rule(data, probability), shape.true_quantile(probability))


def format_cells(table: Sequence[Cell]) -> str:
    """One line per shape and scale, in per cent of all runs."""
    lines = ["statistic shape                                 true/limit  wrong  at 6  decided  processes (median)"]
    for cell in table:
        scale = "<1" if cell.scale == JUST_UNDER else f"{cell.scale:g}"
        shares = f"{cell.wrong:6.2%} {cell.decided_at_first:6.1%} {cell.decided:6.1%} {cell.median_processes:8.0f}"
        lines.append(f"{cell.statistic:9} {cell.shape:38} {scale:>8}  {shares}")
    return "\n".join(lines)


def decided_shares(runs: int = 10_000) -> str:
    """The table of all statistics and shapes as text."""
    table = [cell for shape, samples in MEDIAN_SHAPES for cell in simulate("median", shape, samples, runs)]
    for statistic in ("p90", "p95"):
        samples = samples_per_process(statistic) + 1
        table += [cell for shape in PERCENTILE_SHAPES for cell in simulate(statistic, shape, max(15, samples), runs)]
    return format_cells(table)


if __name__ == "__main__":
    print(decided_shares())  # noqa: T201
