"""Did the machine get slower while it was asked? The trend of the decode rate, which heat and others bring down."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from statistics import median
from typing import NamedTuple

ANSWERS_AT_LEAST = 4
ANSWERS_AT_MOST = 400  # of which every pair is looked at


class Rate(NamedTuple):
    """How fast one answer was decoded; `kind` is what it may be compared with, such as its complexity."""

    at_s: float
    per_s: float
    kind: str


class Drift(NamedTuple):
    """From the first answer to the last: `change` is -0.1 where decoding became a tenth slower."""

    change: float
    span_s: float
    answers: int


def drift_of(rates: Sequence[Rate]) -> Drift | None:
    """The Theil-Sen line through the rates, each relative to the median of its kind; None of too few answers."""
    kinds: dict[str, list[float]] = {}
    for rate in rates:
        kinds.setdefault(rate.kind, []).append(rate.per_s)
    points = [(rate.at_s, rate.per_s / median(kinds[rate.kind])) for rate in rates if len(kinds[rate.kind]) > 1]
    points = points[:: len(points) // ANSWERS_AT_MOST + 1]
    if len(points) < ANSWERS_AT_LEAST:
        return None
    pairs = [(early, later) for early, later in combinations(points, 2) if later[0] > early[0]]
    slope = median((later[1] - early[1]) / (later[0] - early[0]) for early, later in pairs) if pairs else 0.0
    span_s = points[-1][0] - points[0][0]
    return Drift(slope * span_s, span_s, len(points))
