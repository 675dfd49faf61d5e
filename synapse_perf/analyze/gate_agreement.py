"""Where others had the processor, does the processor time of both sides confirm a slowdown of the time that passed?

Others lengthen what passes on the clock by half and more, and what is computed by a tenth. The coin that orders each
pair keeps chance at its level whatever they do; but their noise is larger than any floor, so that identical code would
be called slower as often as the level allows. What computes longer uses the processor longer too, in the same pairs.
What only waits longer does not: there a time has to be evidence by itself, at a tenth of the level.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from synapse_perf.analyze.gate_figures import EVERY_TIME, Figures
from synapse_perf.analyze.gate_signed_rank import bounds, centre, p_value
from synapse_perf.units import three_digits

LEVEL = 0.05  # one-sided
SHARE = 0.25  # of the slowdown: what was slowed may be a part of what the command computes
_SHOWN = 0.05  # the interval that people see misses so often


@dataclass(frozen=True, slots=True)
class Agreement:
    """How the processor time of both sides compares over the same pairs; logarithms, above 0 is more."""

    p: float
    more: float
    low: float
    high: float

    def confirms(self, slowdown: float | None) -> bool:
        return slowdown is not None and self.p <= LEVEL and self.more >= SHARE * slowdown

    @property
    def shown(self) -> str:
        ratio, low, high = (three_digits(math.exp(value)) for value in (self.more, self.low, self.high))
        return f"the processor time of both sides ({ratio}×, {low} to {high})"


def agreement_of(pairs: Sequence[tuple[Figures, Figures]]) -> Agreement | None:
    """None where some run tells no processor time, or too few do to bound it."""
    differences = []
    for before, after in pairs:
        sides = [[one.value for one in side.values() if one.stands_for == EVERY_TIME] for side in (before, after)]
        if not all(len(values) == 1 and math.isfinite(values[0]) and values[0] > 0 for values in sides):
            return None
        differences.append(math.log(sides[1][0] / sides[0][0]))
    low, high = bounds(differences, _SHOWN / 2)
    if not math.isfinite(low):
        return None
    return Agreement(p_value(differences), centre(differences), low, high)


def is_most(disturbed: Sequence[bool]) -> bool:
    return sum(disturbed) * 2 > len(disturbed)
