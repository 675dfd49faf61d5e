"""Do random blocks dequantise to finite values with the spread that was asked for?"""

from __future__ import annotations

import gguf
import numpy as np
import pytest
from gguf.quants import dequantize

from synapse_perf.gguf_files.random_blocks import UNITS, BlockSource, set_first

KINDS = sorted(UNITS)
BLOCK_KINDS = ["F16", "Q4_K", "Q6_K", "Q8_0"]


def values(blocks: np.ndarray, kind: str) -> np.ndarray:
    """By the gguf package, which is not ours."""
    if kind in {"F32", "F16"}:
        return blocks.reshape(-1).view("<f4" if kind == "F32" else "<f2").astype(np.float32)
    found: np.ndarray = dequantize(blocks.reshape(-1), gguf.GGMLQuantizationType[kind])
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("deviation", [4.0, 0.0156, 0.004])
def test_values_are_finite_with_mean_0_and_the_wanted_deviation(kind: str, deviation: float) -> None:
    found = values(BlockSource(1).units(kind, 2000, deviation), kind)
    assert found.size == 2000 * UNITS[kind][0]
    assert np.isfinite(found).all()
    assert found.std() == pytest.approx(deviation, rel=0.02)
    assert abs(found.mean()) < 0.05 * deviation


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_blocks_and_another_gives_others(kind: str) -> None:
    blocks = [BlockSource(seed).units(kind, 10, 1.0).tobytes() for seed in (1, 1, 2)]
    assert blocks[0] == blocks[1] != blocks[2]


@pytest.mark.parametrize("kind", BLOCK_KINDS)
def test_the_first_element_is_set_and_no_other_changes(kind: str) -> None:
    before = BlockSource(1).units(kind, 50, 4.0)
    after = before.copy()
    set_first(after, kind, 1.0, 4.0)
    rows = values(before, kind).reshape(50, -1), values(after, kind).reshape(50, -1)
    assert np.array_equal(rows[0][:, 1:], rows[1][:, 1:])
    assert np.unique(rows[1][:, 0]).size == 1
    assert 1.55 < rows[1][0, 0] / 4.0 < 1.8


@pytest.mark.parametrize("kind", BLOCK_KINDS)
def test_a_negative_first_element_is_as_far_below_zero(kind: str) -> None:
    rows = BlockSource(1).units(kind, 1, 4.0)
    set_first(rows, kind, -1.0, 4.0)
    assert -1.8 < values(rows, kind)[0] / 4.0 < -1.55


def test_the_bits_are_those_of_the_first_release() -> None:
    """Were NumPy's raw stream to change, the same seed would make other files."""
    assert BlockSource(0).units("Q8_0", 1, 1.0)[0, 2:10].tolist() == [194, 217, 207, 235, 15, 163, 33, 215]
