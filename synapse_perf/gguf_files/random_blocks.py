"""Which bytes make random but finite weights in each storage type, with a chosen spread?

Block layouts as in llama.cpp's ggml/src/ggml-common.h. Bits come from PCG64.random_raw, whose stream NumPy keeps the
same in all versions; the files are little-endian whatever the machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Bytes: TypeAlias = NDArray[np.uint8]

# Elements and bytes of the unit that blocks are made in; single floats come in units of 32.
UNITS = {"F32": (32, 128), "F16": (32, 64), "Q8_0": (32, 34), "Q5_0": (32, 22), "Q4_K": (256, 144), "Q6_K": (256, 210)}

# The sub-block scales of the K types lie around this number, the first of each block on it.
_SCALE = 32
_SCALE_RMS = 32.84  # of the whole numbers from 16 to 48
# Standard deviations of whole numbers that are all equally likely: ((n**2 - 1) / 12) ** 0.5 for n of them.
_SPREAD_4_BITS, _SPREAD_5_BITS, _SPREAD_6_BITS, _SPREAD_8_BITS = 4.610, 9.233, 18.473, 73.901
_UNIFORM_LIMIT = 3**0.5  # of a uniform distribution with deviation 1


class BlockSource:
    """Random blocks, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        from numpy.random import PCG64

        self._bits = PCG64(seed)

    def units(self, kind: str, count: int, deviation: float) -> Bytes:
        """`count` units of a type, one a row, whose values have mean 0 and that standard deviation."""
        make = {"F32": self._floats, "F16": self._floats, "Q8_0": self._q8_0, "Q5_0": self._q5_0}
        make |= {"Q4_K": self._q4_k, "Q6_K": self._q6_k}
        return make[kind](kind, count, deviation)

    def _bytes(self, rows: int, columns: int) -> Bytes:
        import numpy as np

        words = self._bits.random_raw(-(-rows * columns // 8)).astype("<u8")
        return words.view(np.uint8)[: rows * columns].reshape(rows, columns)

    def _floats(self, kind: str, count: int, deviation: float) -> Bytes:
        import numpy as np

        words = self._bytes(count, 32 * 2).view("<u2").astype(np.float32)
        values = (words / 32767.5 - 1.0) * np.float32(deviation * _UNIFORM_LIMIT)
        return values.astype("<f4" if kind == "F32" else "<f2").view(np.uint8)

    def _q8_0(self, _kind: str, count: int, deviation: float) -> Bytes:
        blocks = self._bytes(count, 34).copy()
        blocks[:, 0:2] = _half(deviation / _SPREAD_8_BITS)
        return blocks

    def _q5_0(self, _kind: str, count: int, deviation: float) -> Bytes:
        blocks = self._bytes(count, 22).copy()
        blocks[:, 0:2] = _half(deviation / _SPREAD_5_BITS)
        return blocks

    def _q6_k(self, _kind: str, count: int, deviation: float) -> Bytes:
        blocks = self._bytes(count, 210).copy()
        blocks[:, 192:208] = 16 + blocks[:, 192:208] % 33
        blocks[:, 192] = _SCALE
        blocks[:, 208:210] = _half(deviation / (_SPREAD_6_BITS * _SCALE_RMS))
        return blocks

    def _q4_k(self, _kind: str, count: int, deviation: float) -> Bytes:
        """Each sub-block's minimum is 7.5 times its scale, the middle of the 16 nibbles: the values average to 0."""
        blocks = self._bytes(count, 144).copy()
        scale = deviation / (_SPREAD_4_BITS * _SCALE_RMS)
        blocks[:, 0:2] = _half(scale)
        blocks[:, 2:4] = _half(scale * 7.5)
        scales = 16 + blocks[:, 4:12] % 33
        scales[:, 0] = _SCALE
        low, high = scales[:, :4], scales[:, 4:]
        packed = low | (high >> 4) << 6
        blocks[:, 4:8] = packed  # the eight scales, and the same eight numbers again as minima
        blocks[:, 8:12] = packed
        blocks[:, 12:16] = (high & 15) | (high & 15) << 4
        return blocks


def set_first(rows: Bytes, kind: str, fraction: float, deviation: float) -> None:
    """Set the first element of every row, given as a fraction (-1 to 1) of the largest value that its block holds."""
    if kind == "Q6_K":
        level = 32 + round(31 * fraction)
        rows[:, 0] = (rows[:, 0] & 0xF0) | (level & 0x0F)
        rows[:, 128] = (rows[:, 128] & 0xFC) | level >> 4
    elif kind == "Q4_K":
        rows[:, 16] = (rows[:, 16] & 0xF0) | round(7.5 + 7.5 * fraction)
    elif kind == "Q8_0":
        rows[:, 2] = round(127 * fraction) & 0xFF
    elif kind == "F16":
        rows[:, 0:2] = _half(fraction * deviation * _UNIFORM_LIMIT)
    else:
        raise ValueError(f"no first element in rows of {kind}")


def _half(value: float) -> Bytes:
    import numpy as np

    return np.frombuffer(np.array(value, dtype="<f2").tobytes(), dtype=np.uint8)
