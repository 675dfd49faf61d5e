"""How much evidence must there be at each look, so that a decision taken at any of them keeps its stated error?

A rule that is tried again after each further process has many chances to be wrong. The error is therefore spent bit by
bit (K. K. G. Lan, D. L. DeMets, Biometrika 70, 1983, 659-663): over all looks up to n processes the chance of a wrong
decision is at most `spent(n)`, whatever makes the sampling stop, and there is no largest n to fix beforehand.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Literal

FIRST_LOOK = 6  # processes: the fewest for which all on one side of a limit (1/64) is evidence at 95 %
LAST_LOOK = 400  # processes: looks beyond this are not planned for
SPENDING_DELAY = 12  # half of the error is spent at 12 processes; 1/64 may be spent at 6 for any delay up to 13
Side = Literal["under", "over"]  # of a limit

_STEP = 0.05  # grid of the random walk, in standard deviations of one process
_REACH = 6.0  # standard deviations of the random walk that the grid covers


def spent(processes: int, error: float) -> float:
    """The part of the error that all looks up to this many processes may use together."""
    return error * processes / (processes + SPENDING_DELAY)


def sign_boundary(processes: int, error: float, first: int = FIRST_LOOK) -> int:
    """The largest count of processes at or over a limit at which the median may still be called below it.

    -1: no count is small enough. Exact: the distribution of the count over all paths that have not crossed before, for
    a median that sits on the limit, by recursion (P. Armitage, C. K. McPherson, B. C. Rowe, J. R. Stat. Soc. A 132,
    1969, 235-244). Valid for every distribution of independent processes.
    """
    return _sign_boundaries(error, first, _rounded_up(processes))[processes]


def nominal_level(processes: int, error: float, first: int = FIRST_LOOK) -> float:
    """The one-sided significance level that a test on this many processes may use at this look.

    From the same recursion on the normal random walk that a sum over processes follows. Levels of the walk are used for
    other test statistics as they are: S. J. Pocock, Biometrika 64, 1977, 191-199; C. Jennison, B. W. Turnbull, Group
    Sequential Methods, 2000, chapter 3.8.
    """
    if processes < first:
        return 0.0
    return _nominal_levels(error, first, _rounded_up(processes))[processes - first]


def _rounded_up(processes: int) -> int:
    """A few sizes of table, so that one look more does not compute a new one."""
    return next(size for size in (64, 128, LAST_LOOK, processes) if size >= processes)


@lru_cache(maxsize=64)
def _sign_boundaries(error: float, first: int, last: int) -> tuple[int, ...]:
    alive = [1.0]  # chance of each count among the paths that have not crossed
    used = 0.0
    boundaries = [-1]
    for processes in range(1, last + 1):
        alive = [(before + here) / 2 for before, here in zip([0.0, *alive], [*alive, 0.0], strict=True)]
        count = -1
        if processes >= first:
            allowed = spent(processes, error)
            while used + alive[count + 1] <= allowed:
                count += 1
                used += alive[count]
                alive[count] = 0.0
        boundaries.append(count)
    return tuple(boundaries)


@lru_cache(maxsize=16)
def _nominal_levels(error: float, first: int, last: int) -> tuple[float, ...]:
    import numpy as np

    reach = _REACH * math.sqrt(last)
    cells = round(2 * reach / _STEP)
    edges = np.linspace(-reach, reach, cells + 1)
    step = 2 * reach / cells
    middles = edges[:-1] + step / 2
    chance = np.exp(-(middles**2) / (2 * first)) * step / math.sqrt(2 * math.pi * first)
    offsets = np.arange(-round(_REACH / step), round(_REACH / step) + 1) * step
    kernel = np.exp(-(offsets**2) / 2) * step / math.sqrt(2 * math.pi)
    levels = [spent(first, error)]
    used = 0.0
    for processes in range(first, last + 1):
        if processes > first:
            chance = np.convolve(chance, kernel, mode="same")
        budget = spent(processes, error) - used
        used += budget
        beyond = np.cumsum(chance[::-1])[::-1]
        cell = int(np.argmax(beyond <= budget))  # this cell and all above it cross; the one below crosses in part
        crossing = (budget - float(beyond[cell])) / float(chance[cell - 1])
        if processes > first:
            boundary = float(edges[cell]) - crossing * step
            levels.append(0.5 * math.erfc(boundary / math.sqrt(2 * processes)))
        chance[cell:] = 0.0
        chance[cell - 1] *= 1 - crossing
    return tuple(levels)
