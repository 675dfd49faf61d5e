from __future__ import annotations

import numpy as np
import pytest

from synapse_perf.retrieval.dimension import intrinsic_dimension
from synapse_perf.retrieval.exact import Floats


def _flat_patch(dimension: int, count: int = 10_000, space: int = 64, seed: int = 0) -> Floats:
    rng = np.random.default_rng(seed)
    directions = np.linalg.qr(rng.standard_normal((space, dimension)))[0]
    points: Floats = (rng.uniform(size=(count, dimension)) @ directions.T).astype(np.float32)
    return points


@pytest.mark.parametrize("dimension", [1, 2, 5, 8])
def test_uniform_points_of_known_dimension(dimension: int) -> None:
    """The edges of a patch pull the estimate down a little, the more the higher the dimension is."""
    found = intrinsic_dimension(_flat_patch(dimension))
    assert found is not None
    assert found.value == pytest.approx(dimension, rel=0.15)
    assert found.low < found.value < found.high


def test_a_curved_surface_has_the_dimension_of_the_surface() -> None:
    sphere = np.random.default_rng(1).standard_normal((10_000, 4))
    sphere = (sphere / np.linalg.norm(sphere, axis=1, keepdims=True)).astype(np.float32)
    found = intrinsic_dimension(sphere)
    assert found is not None
    assert found.low < 3.15
    assert found.high > 2.85


def test_the_interval_holds_the_value_of_all_points() -> None:
    vectors = _flat_patch(5)
    whole = intrinsic_dimension(vectors, sample=len(vectors))
    samples = [intrinsic_dimension(vectors, sample=300, seed=seed) for seed in range(40)]
    assert whole is not None
    held = sum(one is not None and one.low <= whole.value <= one.high for one in samples)
    assert held >= 34  # 38 expected; 33 or fewer happens once in two hundred


def test_copies_of_points_do_not_count() -> None:
    once = _flat_patch(5)
    found = intrinsic_dimension(np.concatenate([once, once[:1000]]))
    assert found is not None
    assert found.value == pytest.approx(5, rel=0.12)


@pytest.mark.parametrize("vectors", [np.ones((500, 8)), np.eye(3, 8)])
def test_nothing_is_said_about_too_few_different_points(vectors: Floats) -> None:
    assert intrinsic_dimension(vectors.astype(np.float32)) is None
