"""Which index does the engine build over its chunks? Its own rule, and any other that a FAISS factory text names."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synapse_perf.retrieval.opening import words_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FLAT_BELOW = 100_000
LISTS_AT_MOST = 100


class CannotBuild(Exception):  # noqa: N818  # says what is the matter
    """FAISS refuses the factory text or the vectors."""


class CannotSave(OSError):  # noqa: N818  # says what is the matter
    """A file cannot be written; says which and why."""


def engine_factory(count: int) -> str:
    """The FAISS factory text of the index that the engine makes of so many chunks."""
    return "Flat" if count < FLAT_BELOW else f"IVF{min(LISTS_AT_MOST, math.isqrt(count))},Flat"


def build_index(vectors: NDArray[np.float32], factory: str) -> Any:
    """A trained index with all vectors (unit length, L2 as in the engine); CannotBuild with FAISS's words."""
    import faiss

    try:
        index = faiss.index_factory(vectors.shape[1], factory, faiss.METRIC_L2)
        if not index.is_trained:
            index.train(vectors)
        index.add(vectors)
    except (RuntimeError, MemoryError) as error:
        raise CannotBuild(f"FAISS cannot build {factory!r} over {len(vectors)} vectors: {words_of(error)}") from error
    return index


def save_index(index: Any, path: Path) -> None:
    """Write the index whole or not at all; CannotSave with FAISS's words."""
    import faiss

    with _fresh(path) as fresh:
        faiss.write_index(index, os.fspath(fresh))


def save_vectors(vectors: NDArray[np.float32], path: Path) -> None:
    """Write the vectors as .npy, whole or not at all; CannotSave with the reason."""
    import numpy as np

    with _fresh(path) as fresh, fresh.open("wb") as file:
        np.save(file, vectors)


@contextlib.contextmanager
def _fresh(path: Path) -> Iterator[Path]:
    """The name of a file that becomes `path` once it was written."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield fresh
        fresh.replace(path)
    except (RuntimeError, OSError) as error:
        raise CannotSave(f"{path} cannot be written: {words_of(error)}") from error
    finally:
        fresh.unlink(missing_ok=True)
