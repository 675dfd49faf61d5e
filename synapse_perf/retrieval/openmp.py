"""How many threads does FAISS use for one query? OpenMP keeps that number for each thread of the caller apart."""

from __future__ import annotations


def use_threads(count: int) -> None:
    """For searches that the calling thread makes from now on; other threads keep their own number."""
    import faiss

    faiss.omp_set_num_threads(count)


def threads_here() -> int:
    """What a search in the calling thread may use."""
    import faiss

    return int(faiss.omp_get_max_threads())
