"""How many dimensions do these vectors really fill?

Maximum likelihood from distances to nearest neighbours: E. Levina, P. J. Bickel, Maximum likelihood estimation of
intrinsic dimension, NIPS 17, 2004; the points' estimates are joined by averaging their inverses, as D. J. C. MacKay and
Z. Ghahramani proposed in 2005, which makes it the estimate for all points together. It comes out too low the higher
the dimension is and the fewer the points are, so it compares data sets of about the same size.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from synapse_perf.retrieval.exact import Floats, exact_search

NEIGHBOURS = 20
SAMPLE = 1000
_NORMAL_95 = 1.959964


class Dimension(NamedTuple):
    """The estimate with its 95 % interval over the sampled points; None where too few points differ."""

    value: float
    low: float
    high: float
    points: int
    neighbours: int


def intrinsic_dimension(
    vectors: Floats, k: int = NEIGHBOURS, *, sample: int = SAMPLE, seed: int = 0
) -> Dimension | None:
    """From the k nearest neighbours of a sample of the points among all of them."""
    count = len(vectors)
    k = min(k, count - 1)
    if k < 3:
        return None
    chosen = np.sort(np.random.default_rng(seed).choice(count, size=min(sample, count), replace=False))
    points = np.ascontiguousarray(vectors[chosen], dtype=np.float32)
    found = exact_search(vectors, points, k, own=chosen)
    inverses = _inverse_estimates(found.distances)
    if len(inverses) < 2:
        return None
    mean, error = float(inverses.mean()), float(inverses.std(ddof=1)) / math.sqrt(len(inverses))
    low, high = mean + _NORMAL_95 * error, mean - _NORMAL_95 * error
    return Dimension(1 / mean, 1 / low, 1 / high if high > 0 else math.inf, len(inverses), k)


def _inverse_estimates(squared: Floats) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """One over the dimension around each point: the mean log ratio of the k-th distance to each nearer one.

    Divided by k - 2 instead of k - 1 the estimate of one point has no bias; its inverse, which is averaged here, has
    none when divided by k - 1. A copy of the point tells nothing about the dimension, so such points are left out.
    """
    distances = np.sqrt(np.maximum(squared.astype(np.float64), 0.0))
    distances = distances[distances[:, 0] > 1e-6 * distances[:, -1]]
    ratios = np.log(distances[:, -1:] / distances[:, :-1])
    inverses: np.ndarray[tuple[int], np.dtype[np.float64]] = ratios.mean(axis=1)
    return inverses[inverses > 0]
