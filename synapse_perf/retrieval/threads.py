"""How many threads may FAISS use for one search?"""

from __future__ import annotations


def set_threads(count: int) -> None:
    """Import FAISS, and let searches of the calling thread use so many threads; 0 leaves FAISS's own choice.

    OpenMP keeps this for each thread: others that search are not reached by it.
    """
    import faiss

    if count:
        faiss.omp_set_num_threads(count)
