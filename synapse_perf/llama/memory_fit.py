"""How much memory does a context need, and which is the largest that fits, computed without loading the model?

llama.cpp's own rules (llama-kv-cache.cpp, llama-kv-cache-iswa.cpp, llama-context.cpp), for one context:
  K bytes = sum over layers of cells * row(key heads * key length), V likewise with the value length;
  row(width) = width / block elements * block bytes of the cache's type; cells = context rounded up to 256;
  layers with a sliding window: cells = min(context, window + micro-batch) rounded up to 256, unless kept at full size.
Need of a context = weights + KV(context) + compute(context). The compute buffers are measured at one or two contexts:
the mask and the scores grow with the context and the rest does not, so between two contexts they follow a line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from synapse_perf.errors import InputError
from synapse_perf.llama.kv_shape import KvShape

CELL_STEP = 256
LONGEST_CONTEXT = 1 << 24  # searched where the model names no trained context

# Elements and bytes of one block of each type that a KV cache may have (ggml-common.h).
BLOCKS: Mapping[str, tuple[int, int]] = {
    "f32": (1, 4),
    "f16": (1, 2),
    "bf16": (1, 2),
    "q8_0": (32, 34),
    "q5_1": (32, 24),
    "q5_0": (32, 22),
    "q4_1": (32, 20),
    "q4_0": (32, 18),
    "iq4_nl": (32, 18),
}
BYTES_PER_ELEMENT: Mapping[str, float] = {name: size / elements for name, (elements, size) in BLOCKS.items()}


@dataclass(frozen=True, slots=True)
class MemoryNeed:
    """What one context takes, in bytes."""

    n_ctx: int
    weights_bytes: int
    kv_bytes: int
    compute_bytes: int

    @property
    def total_bytes(self) -> int:
        return self.weights_bytes + self.kv_bytes + self.compute_bytes


@dataclass(frozen=True, slots=True)
class KvOptions:
    """What the KV cache depends on beside the model; the defaults are those of Llama().

    full_window: the cache of sliding-window layers is as long as the context (llama-server: False).
    """

    type_k: str = "f16"
    type_v: str = "f16"
    full_window: bool = True
    n_ubatch: int = 512
    sequences: int = 1  # each gets an equal part of the context


def padded_cells(count: int) -> int:
    """Cells of a cache for `count` tokens: llama.cpp rounds up to 256."""
    return -(-count // CELL_STEP) * CELL_STEP


def kv_cache_bytes(shape: KvShape, n_ctx: int, options: KvOptions = KvOptions()) -> int:  # immutable
    """Bytes of the KV cache as llama.cpp allocates it; an upper bound where the shape says that it is one.

    InputError for a type that llama.cpp refuses for this model, or does not know.
    """
    cells = padded_cells(-(-padded_cells(n_ctx) // options.sequences))
    window = cells
    if shape.window is not None and not options.full_window:
        window = padded_cells(min(cells, shape.window + options.n_ubatch))
    return options.sequences * sum(
        (window if layer.windowed else cells)
        * (_row_bytes(options.type_k, layer.k_width) + _row_bytes(options.type_v, layer.v_width))
        for layer in shape.layers
    )


def compute_bytes(measured: Sequence[tuple[int, int]], n_ctx: int) -> int:
    """Compute buffers at a context, from (context, bytes) measured at one or two: constant, or on a line through both.

    The peak is the largest of several parts that each grow linearly, so the line lies above it between the two points
    and may lie below it beyond them: measure at the smallest and at the largest context in question.
    """
    points = sorted(dict(measured).items())
    if not points:
        raise ValueError("no compute buffer was measured")
    (low, low_bytes), (high, high_bytes) = points[0], points[-1]
    if high == low:
        return low_bytes
    slope = (high_bytes - low_bytes) / (high - low)
    return max(round(low_bytes + slope * (n_ctx - low)), 0)


def memory_need(
    shape: KvShape,
    n_ctx: int,
    weights_bytes: int,
    measured: Sequence[tuple[int, int]],
    options: KvOptions = KvOptions(),  # immutable
) -> MemoryNeed:
    """Weights, KV cache and compute buffers of one context."""
    return MemoryNeed(n_ctx, weights_bytes, kv_cache_bytes(shape, n_ctx, options), compute_bytes(measured, n_ctx))


def largest_context(
    shape: KvShape,
    free_bytes: int,
    weights_bytes: int,
    measured: Sequence[tuple[int, int]],
    options: KvOptions = KvOptions(),  # immutable
    n_ctx_train: int | None = None,
) -> MemoryNeed | None:
    """The largest context, in steps of 256 up to the trained one, that `free_bytes` are enough for; None if none fits.

    `free_bytes` is what the model may take: leave the margin out of it before.
    """
    longest = n_ctx_train or LONGEST_CONTEXT
    low, high = 0, padded_cells(longest) // CELL_STEP
    while low < high:
        middle = (low + high + 1) // 2
        n_ctx = min(middle * CELL_STEP, longest)
        if memory_need(shape, n_ctx, weights_bytes, measured, options).total_bytes <= free_bytes:
            low = middle
        else:
            high = middle - 1
    return memory_need(shape, min(low * CELL_STEP, longest), weights_bytes, measured, options) if low else None


def _row_bytes(kv_type: str, width: int) -> int:
    if kv_type not in BLOCKS:
        raise InputError(f"'{kv_type}' is not a type of KV cache", f"choose one of {', '.join(BLOCKS)}")
    elements, size = BLOCKS[kv_type]
    if width % elements:
        raise InputError(
            f"a KV cache of type {kv_type} stores blocks of {elements} values, which do not divide {width}",
            "choose f16",
        )
    return width // elements * size
