"""Are these vectors of a user fit to be searched, and which of them ask the questions?"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from synapse_perf.errors import InputError
from synapse_perf.retrieval.exact import Floats, row_blocks

LEAST_ROWS = 20
HELD_OUT_SHARE = 0.1  # of the vectors at most become queries
HELD_OUT = 1000
_NPY = b"\x93NUMPY"
AS_NPY = "save them with numpy.save(path, array) as floating-point numbers, one vector a row"


def read_vectors(path: Path, dimension: int | None = None) -> Floats:
    """The vectors of a .npy file, mapped where it holds 32-bit floats, else converted; InputError in one line else."""
    vectors = _load(path)
    if vectors.ndim != 2:
        raise InputError(f"{path} holds an array of {vectors.ndim} dimensions, not rows of vectors", AS_NPY)
    if not np.issubdtype(vectors.dtype, np.floating):
        raise InputError(f"{path} holds {vectors.dtype} values, not floating-point numbers", AS_NPY)
    rows, columns = vectors.shape
    if rows < LEAST_ROWS or columns == 0:
        raise InputError(f"{path} holds {rows} x {columns} values, at least {LEAST_ROWS} vectors are needed", AS_NPY)
    if dimension is not None and columns != dimension:
        raise InputError(
            f"the vectors in {path} have {columns} dimensions, not {dimension}",
            "give the vectors of the encoder that embeds the queries",
        )
    if vectors.dtype != np.float32:
        with np.errstate(over="ignore"):  # what does not fit becomes infinite, and is told as that
            vectors = vectors.astype(np.float32)
    _check_values(path, vectors)
    return vectors


def hold_out(vectors: Floats, count: int = HELD_OUT, seed: int = 0) -> tuple[Floats, Floats]:
    """Split off random rows as queries, so that no query finds itself; copies, in the order of the rows."""
    count = min(count, max(1, int(len(vectors) * HELD_OUT_SHARE)))
    chosen = np.zeros(len(vectors), dtype=bool)
    chosen[np.random.default_rng(seed).choice(len(vectors), size=count, replace=False)] = True
    return vectors[~chosen], vectors[chosen]


def unit_rows(vectors: Floats) -> Floats:
    """A copy with every row divided by its length; the caller's array stays as it is."""
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))[:, None]
    scaled: Floats = (vectors / lengths).astype(np.float32)
    return scaled


def _load(path: Path) -> Floats:
    try:
        with path.open("rb") as file:
            magic = file.read(len(_NPY))
        if magic[:2] == b"PK":
            raise InputError(f"{path} is an archive of several arrays (.npz)", AS_NPY)
        if magic != _NPY:
            raise InputError(f"{path} is no .npy file", AS_NPY)
        vectors: Floats = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist", "check the path") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"cannot read {path}: {reason}", "check the path and its permissions") from error
    except ValueError as error:
        if "Python objects" in str(error):
            message = f"{path} holds Python objects, which are not read because that runs code"
            raise InputError(message, AS_NPY) from error
        raise InputError(f"{path} is damaged, or shorter than its header says", "copy the file again") from error
    return vectors


def _check_values(path: Path, vectors: Floats) -> None:
    """Neither NaN nor infinity nor a vector without a direction."""
    for start, block in row_blocks(vectors):
        is_finite = np.isfinite(block).all(axis=1)
        if not is_finite.all():
            row, bad = start + int(np.argmin(is_finite)), int((~is_finite).sum())
            also = f" (and {bad - 1} more near it)" if bad > 1 else ""
            raise InputError(f"row {row} of {path} has a value that is not finite{also}", "embed its text again")
        is_zero = ~block.any(axis=1)
        if is_zero.any():
            row = start + int(np.argmax(is_zero))
            raise InputError(
                f"row {row} of {path} is all zeros and has no direction", "leave it out, or embed it again"
            )
