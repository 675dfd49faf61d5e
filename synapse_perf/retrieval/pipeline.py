"""The retrieval under test, from a query's text to the packed context, with a stamp after each stage.

query -> vector -> k nearest -> those relevant enough -> as many as the token budget holds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from synapse_perf.retrieval.packing import Packed, pack

if TYPE_CHECKING:
    from numpy.typing import NDArray

CANDIDATES_PER_ARTIFACT = 5  # the engine asks for this many times what it wants to show
METRIC_INNER_PRODUCT = 0  # faiss.METRIC_INNER_PRODUCT

Embed = Callable[[str], "NDArray[np.float32]"]


class Parameters(NamedTuple):
    """How a query is answered, with the engine's own values."""

    max_artifacts: int = 5
    min_relevance: float = 0.7
    token_budget: int = 8000
    search: Mapping[str, int] = {}  # nprobe, efSearch, k_factor ...: empty leaves the index as it is

    @property
    def k(self) -> int:
        return self.max_artifacts * CANDIDATES_PER_ARTIFACT

    @classmethod
    def from_workload(cls, workload: Mapping[str, Any]) -> Parameters:
        return cls(**workload)


class Stamp(NamedTuple):
    """A moment: the clock, and the processor time of all threads of the process until then, in ns."""

    at_ns: int
    cpu_ns: int


class Retrieved(NamedTuple):
    """The answer to one query; `stamps` are the start and the end of each of STAGES."""

    packed: Packed
    candidates: int  # found and relevant enough
    stamps: tuple[Stamp, ...]


STAGES = ("embed", "glue", "search", "filter", "pack")


class Pipeline:
    """Answers queries over one open index, one at a time."""

    def __init__(self, embed: Embed, index: Any, contents: Sequence[str], parameters: Parameters) -> None:
        self.index = index
        self.parameters = parameters
        self._embed = embed
        self._contents = contents
        self._is_similarity = index.metric_type == METRIC_INNER_PRODUCT
        self._k = min(parameters.k, index.ntotal)
        self._search = searcher(index, parameters.search)

    def retrieve(self, query: str) -> Retrieved:
        """The context for a query."""
        clock, cpu = time.perf_counter_ns, time.process_time_ns
        started = Stamp(clock(), cpu())
        vector = self._embed(query)
        embedded = Stamp(clock(), cpu())
        rows = np.ascontiguousarray(vector, dtype=np.float32).reshape(1, -1)
        glued = Stamp(clock(), cpu())
        distances, ids = self._search(rows, self._k)
        searched = Stamp(clock(), cpu())
        relevant = self._relevant(distances[0], ids[0])
        filtered = Stamp(clock(), cpu())
        packed = pack(relevant, self._contents, self.parameters.token_budget)
        ended = Stamp(clock(), cpu())
        return Retrieved(packed, len(relevant), (started, embedded, glued, searched, filtered, ended))

    def answer(self, vectors: NDArray[np.float32]) -> list[tuple[tuple[int, ...], Packed]]:
        """What follows the embedding, for vectors that are searched as one batch: of each, the places found and packed.

        Safe to call from several threads at once, as FAISS's search is.
        """
        distances, ids = self._search(np.ascontiguousarray(vectors, dtype=np.float32), self._k)
        return [
            (tuple(row.tolist()), pack(self._relevant(far, row), self._contents, self.parameters.token_budget))
            for far, row in zip(distances, ids, strict=True)
        ]

    def _relevant(self, distances: NDArray[np.float32], ids: NDArray[np.int64]) -> list[int]:
        """The places of what is relevant enough, the best first; cosine out of L2 needs vectors of length 1."""
        least, is_similarity = self.parameters.min_relevance, self._is_similarity
        return [
            place
            for distance, place in zip(distances.tolist(), ids.tolist(), strict=True)
            if place >= 0 and (distance if is_similarity else 1.0 - distance / 2.0) >= least
        ]


def searcher(index: Any, search: Mapping[str, int]) -> Callable[[NDArray[np.float32], int], Any]:
    """The search call, with parameters given per call: fields of an index are shared by all threads."""
    if not search:
        return lambda rows, k: index.search(rows, k)
    from synapse_perf.retrieval.search_parameters import search_parameters

    parameters = search_parameters(index, search)
    return lambda rows, k: index.search(rows, k, params=parameters)
