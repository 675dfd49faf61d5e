"""Which random weights keep a synthesised model finite, varied, and generating until its limit?

All numbers are standard deviations, relative to activations that the norms bring to 1. Element 0 of the residual
stream is reserved: embeddings set it, no layer writes to it, the output norm amplifies it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from math import pi, sqrt
from typing import TYPE_CHECKING

from synapse_perf.gguf_files.random_blocks import UNITS, BlockSource, set_first
from synapse_perf.gguf_files.shapes import Shape
from synapse_perf.gguf_files.tensor_plan import PlannedTensor

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]

# Embeddings outweigh what all layers together add to them (each adds about _RESIDUAL), so that element 0, which only
# the embedding sets, stays a known share of the whole.
_EMBEDDING = 4.0
_RESIDUAL = 0.4
_LOGIT_SPREAD = 2.0  # of the logits of ordinary tokens among each other
_LOGIT_GAP = 60.0  # at least by so much are held-back tokens below ordinary ones, about

# Element 0 of a row, as a share of the largest value that its block can hold. Where input and output share a matrix,
# a held-back token needs the same sign as the others, or it would favour its like after itself.
_ORDINARY, _HELD_BACK_TIED, _HELD_BACK = 1.0, 0.25, -1.0
_LARGEST = 1.63  # what a block can hold, in deviations, at least

# Primes: rows of whole units start at another unit each time round, so that rows differ although the pool repeats.
_POOL_UNITS = {256: 16381, 32: 131071}
_TOKEN_POOL_UNITS = 160001  # more than any vocabulary here has tokens
_CHUNK_BYTES = 8 * 1024**2


class Weights:
    """Gives the data of each tensor of one file in chunks; the same seed gives the same data."""

    def __init__(self, shape: Shape, held_back: Sequence[bool], seed: int) -> None:
        self._shape = shape
        self._held_back = held_back
        self._source = BlockSource(seed)
        self._starts = random.Random(seed)
        self._pools: dict[tuple[str, float], Bytes] = {}

    def data(self, tensor: PlannedTensor) -> Iterator[memoryview]:
        """Its bytes without the filler that follows, in chunks of a few MB; each is to be used before the next."""
        if tensor.role in ("embedding", "output"):
            return self._token_rows(tensor)
        if tensor.role in ("matrix", "residual"):
            return self._matrix(tensor)
        return iter([self._small(tensor)])

    def _matrix(self, tensor: PlannedTensor) -> Iterator[memoryview]:
        deviation = 1 / sqrt(tensor.shape[0])
        remaining = tensor.size_bytes
        if tensor.role == "residual":
            deviation *= _RESIDUAL
            yield memoryview(bytes(tensor.row_bytes))  # zeros: nothing is written to element 0
            remaining -= tensor.row_bytes
        pool = self._pool(tensor.type, deviation)
        ring = pool.reshape(-1).data
        position = self._starts.randrange(len(pool)) * pool.shape[1]
        while remaining:
            chunk = ring[position : position + remaining]
            remaining -= len(chunk)
            position = 0
            yield chunk

    def _pool(self, kind: str, deviation: float) -> Bytes:
        if (kind, deviation) not in self._pools:
            self._pools[kind, deviation] = self._source.units(kind, _POOL_UNITS[UNITS[kind][0]], deviation)
        return self._pools[kind, deviation]

    def _token_rows(self, tensor: PlannedTensor) -> Iterator[memoryview]:
        """One row for each token, with element 0 set where the model generates."""
        import numpy as np

        pool = self._source.units(tensor.type, _TOKEN_POOL_UNITS, _EMBEDDING).reshape(-1)
        held_back = np.array(self._held_back, dtype=bool)
        rows_at_once = max(1, _CHUNK_BYTES // tensor.row_bytes)
        buffer = np.empty(rows_at_once * tensor.row_bytes, dtype=np.uint8)
        position = 0
        for first in range(0, tensor.shape[1], rows_at_once):
            chosen = held_back[first : first + rows_at_once]
            rows = buffer[: len(chosen) * tensor.row_bytes]
            position = _copy_from_ring(pool, position, rows)
            if self._shape.generates:
                self._mark(tensor, rows.reshape(len(chosen), -1), chosen)
            yield rows.data

    def _mark(self, tensor: PlannedTensor, rows: Bytes, held_back: NDArray[np.bool_]) -> None:
        set_first(rows, tensor.type, _ORDINARY, _EMBEDDING)
        if tensor.role == "embedding" and not self._shape.tied:
            return
        chosen = rows[held_back]
        set_first(chosen, tensor.type, _HELD_BACK_TIED if self._shape.tied else _HELD_BACK, _EMBEDDING)
        rows[held_back] = chosen

    def _small(self, tensor: PlannedTensor) -> memoryview:
        import numpy as np

        if tensor.role == "table":
            units = -(-tensor.size_bytes // UNITS["F32"][1])
            return self._source.units("F32", units, 0.1).reshape(-1).data[: tensor.size_bytes]
        values: Sequence[float]
        if tensor.role == "output-norm":
            values = self._output_norm()
        elif tensor.role == "rope-factors":
            values = llama3_rope_factors(self._shape.rope_base or 0.0, self._shape.head_size)
        else:
            values = [1.0 if tensor.role == "norm" else 0.0] * tensor.shape[0]
        return np.array(values, dtype="<f4").view(np.uint8).data

    def _output_norm(self) -> list[float]:
        """Random signs, or a tied model would repeat its last token; element 0 holds the others back."""
        held_back = _HELD_BACK_TIED if self._shape.tied else _HELD_BACK
        first = _LOGIT_GAP / ((_ORDINARY - held_back) * _LARGEST * _EMBEDDING)
        rest = _LOGIT_SPREAD / (_EMBEDDING * sqrt(self._shape.n_embd))
        return [first, *(rest * self._starts.choice((-1, 1)) for _ in range(self._shape.n_embd - 1))]


def _copy_from_ring(pool: Bytes, position: int, target: Bytes) -> int:
    """Fill the target from the pool, again from its start where it ends, and return the position after that."""
    filled = 0
    while filled < len(target):
        share = min(len(target) - filled, len(pool) - position)
        target[filled : filled + share] = pool[position : position + share]
        filled += share
        position = (position + share) % len(pool)
    return position


def llama3_rope_factors(base: float, head_size: int) -> list[float]:
    """Llama 3.1's factor for each rotary frequency: 1 for short waves, 8 for long ones, smooth between.

    The constants are rope_scaling in the model's config.json; the formula is in llama.cpp's conversion/llama.py.
    """
    factor, low, high, original_context = 8.0, 1.0, 4.0, 8192
    factors = []
    for index in range(0, head_size, 2):
        wave = 2 * pi * base ** (index / head_size)
        if wave < original_context / high:
            factors.append(1.0)
        elif wave > original_context / low:
            factors.append(factor)
        else:
            smooth = (original_context / wave - low) / (high - low)
            factors.append(1 / ((1 - smooth) / factor + smooth))
    return factors
