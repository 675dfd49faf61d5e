"""Which vectors stand in for text embeddings where a user has none?

Embeddings of text lie near curved surfaces of few dimensions, in clusters of very different sizes. These are drawn that
way: topics with subtopics, sizes by Zipf's law, in each subtopic a flat patch of about 20 dimensions, isotropic noise,
unit length. Uniform noise has no neighbourhoods to find, so no index that skips vectors could be judged on it.
"""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

Kind = Literal["clustered", "nearly-uniform"]
Floats: TypeAlias = np.ndarray[Any, np.dtype[np.float32]]

TOPICS = 40
SUBTOPICS = 25  # of each topic
ZIPF_EXPONENT = 0.8
POOL_DIMENSIONS = 96  # directions that topics and patches share
PATCH_DIMENSIONS = 20
QUERY_NOISE = 1.3  # a question is further from the passages than they are from each other
BLOCK_ROWS = 8192
LEAST_DIMENSION = 4


class _Spreads(NamedTuple):
    """Standard deviations of what a vector is the sum of, each of the whole part and not of one coordinate."""

    common: float  # to all vectors: those of an encoder point into one half of the space
    topic: float
    subtopic: float
    patch: float
    noise: float


_SPREADS: dict[Kind, _Spreads] = {
    "clustered": _Spreads(0.3, 0.55, 0.5, 0.5, 0.42),
    "nearly-uniform": _Spreads(0.0, 0.1, 0.1, 0.5, 0.85),
}


def synthetic_vectors(
    count: int,
    dimension: int = 384,
    *,
    queries: int = 1000,
    seed: int = 0,
    kind: Kind = "clustered",
) -> tuple[Floats, Floats]:
    """Vectors of unit length and queries that are none of them, the same for the same seed.

    Works in blocks, so that the memory needed is little more than that of the vectors.
    """
    if dimension < LEAST_DIMENSION:
        raise ValueError(f"synthetic vectors need at least {LEAST_DIMENSION} dimensions, not {dimension}")
    mixture = _Mixture(dimension, seed, _SPREADS[kind])
    return mixture.draw(count, "vectors", 1.0), mixture.draw(queries, "queries", QUERY_NOISE)


class _Mixture:
    def __init__(self, dimension: int, seed: int, spreads: _Spreads) -> None:
        rng = np.random.default_rng([seed, 0])
        pool = min(POOL_DIMENSIONS, dimension)
        self.seed, self.dimension, self.spreads = seed, dimension, spreads
        self.patch = max(1, min(PATCH_DIMENSIONS, pool // 2))
        # Orthonormal rows: a part's length in the pool is its length in the space.
        self.pool: Floats = np.linalg.qr(rng.standard_normal((dimension, pool)))[0].T.astype(np.float32)
        topics = _part(rng, (1, pool), spreads.common) + _part(rng, (TOPICS, pool), spreads.topic)
        topics = np.repeat(topics, SUBTOPICS, axis=0)
        self.centres: Floats = topics + _part(rng, (TOPICS * SUBTOPICS, pool), spreads.subtopic)
        self.patches: Floats = _part(rng, (TOPICS * SUBTOPICS, self.patch, pool), 1.0)
        sizes = np.arange(1, TOPICS * SUBTOPICS + 1) ** -ZIPF_EXPONENT
        self.shares = rng.permutation(sizes / sizes.sum())

    def draw(self, count: int, what: Literal["vectors", "queries"], noise_factor: float) -> Floats:
        rng = np.random.default_rng([self.seed, 1 if what == "vectors" else 2])
        drawn = np.empty((count, self.dimension), dtype=np.float32)
        for start in range(0, count, BLOCK_ROWS):
            self._fill(drawn[start : start + BLOCK_ROWS], rng, noise_factor)
        return drawn

    def _fill(self, block: Floats, rng: np.random.Generator, noise_factor: float) -> None:
        """Overwrite a block with fresh vectors."""
        rows = len(block)
        members = rng.choice(len(self.shares), size=rows, p=self.shares)
        coordinates = _part(rng, (rows, self.patch), self.spreads.patch)
        within = np.empty((rows, self.pool.shape[0]), dtype=np.float32)
        order = np.argsort(members, kind="stable")
        bounds = np.flatnonzero(np.diff(members[order])) + 1
        for group in np.split(order, bounds):
            subtopic = members[group[0]]
            within[group] = self.centres[subtopic] + coordinates[group] @ self.patches[subtopic]
        rng.standard_normal(dtype=np.float32, out=block)
        block *= noise_factor * self.spreads.noise / math.sqrt(self.dimension)
        block += within @ self.pool
        block /= np.linalg.norm(block, axis=1, keepdims=True)


def _part(rng: np.random.Generator, shape: tuple[int, ...], spread: float) -> Floats:
    """Normal vectors along the last axis whose mean squared length is the square of the spread."""
    scale = np.float32(spread / math.sqrt(shape[-1]))
    drawn: Floats = rng.standard_normal(shape, dtype=np.float32) * scale
    return drawn
