"""Which kinds of FAISS index are worth trying for so many vectors, and how is one of them built?

The families differ in what they skip: nothing (Flat), bytes of each vector (SQfp16, SQ8), most of the vectors (IVF,
HNSW), or nearly all bytes in a first pass whose best are compared again in full (RaBitQ with refinement).
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from synapse_perf.retrieval.exact import Floats, Metric, row_blocks
from synapse_perf.retrieval.index_layers import as_own_class, inverted_lists

LEAST_FOR_IVF = 10_000  # vectors; below this a scan takes less than what IVF costs in training and recall
POINTS_PER_LIST = 64  # that the lists' centres are trained on; FAISS warns below 39 and uses 256 at most
LEAST_PER_LIST = 39
ENCODER_SAMPLE = 16_384  # vectors that show a quantizer which values occur
LARGEST = 1 << 20


class Range(NamedTuple):
    """A parameter of the search with values to begin with, each of which finds more and takes longer."""

    name: str
    values: tuple[int, ...]


class Family(NamedTuple):
    """One kind of index; `lists` and `links` are its sizes to try, which stand for {size} in the factory text."""

    name: str
    factory: str
    ranges: tuple[Range, ...]
    growth: float  # about the power of the number of vectors that a query's time follows, if it skips most of them
    lists: tuple[float, ...] = ()  # of an inverted file, in square roots of the number of vectors
    links: tuple[int, ...] = ()  # of a graph, for each vector


class Candidate(NamedTuple):
    """One index to try: a family and a size of it (0: it has none)."""

    family: str
    size: float = 0

    def factory(self, count: int) -> str:
        """The FAISS factory text for so many vectors."""
        family = FAMILIES[self.family]
        size = list_count(self.size, count) if family.lists else int(self.size)
        return family.factory.format(size=size)


def _doubling(last: int) -> tuple[int, ...]:
    return tuple(1 << power for power in range(last.bit_length()))


_NPROBE = Range("nprobe", _doubling(LARGEST))
_K_FACTOR = Range("k_factor", _doubling(512))
_EF_SEARCH = Range("efSearch", _doubling(4096)[4:])
_LISTS = (0.25, 0.5, 1.0, 2.0, 4.0)

# Growth as measured from 12,500 to 100,000 clustered vectors of 384 dimensions: above what the number of vectors that
# are compared would give, as larger indexes leave the processor's caches. It only decides what is built first, or not.
FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Family("Flat", "Flat", (), 1.0),
        Family("SQfp16", "SQfp16", (), 1.0),
        Family("SQ8", "SQ8", (), 1.0),
        Family("RaBitQ+fp16", "RaBitQfs,Refine(SQfp16)", (_K_FACTOR,), 1.0),
        Family("RaBitQ+SQ8", "RaBitQfs,Refine(SQ8)", (_K_FACTOR,), 1.0),
        Family("IVF,Flat", "IVF{size},Flat", (_NPROBE,), 0.8, lists=_LISTS),
        Family("IVF,SQ8", "IVF{size},SQ8", (_NPROBE,), 0.55, lists=_LISTS),
        Family("IVF,RaBitQ+fp16", "IVF{size},RaBitQfs,Refine(SQfp16)", (_NPROBE, _K_FACTOR), 0.4, lists=_LISTS),
        Family("HNSW", "HNSW{size},Flat", (_EF_SEARCH,), 0.7, links=(16, 32)),
        Family("HNSW,SQ8", "HNSW{size},SQ8", (_EF_SEARCH,), 0.7, links=(32,)),
    )
}


class Built(NamedTuple):
    """A finished index and what it took."""

    index: Any
    train_s: float
    add_s: float


class LeftOut(NamedTuple):
    """A family that is not tried, and why."""

    family: str
    reason: str


def candidates(count: int, dimension: int, metric: Metric = "l2") -> tuple[list[Candidate], list[LeftOut]]:
    """What to try for so many vectors, and what cannot be tried here."""
    tried: list[Candidate] = []
    left_out: list[LeftOut] = []
    for family in FAMILIES.values():
        if family.lists and count < LEAST_FOR_IVF:
            left_out.append(LeftOut(family.name, f"inverted lists need {LEAST_FOR_IVF} vectors to pay"))
            continue
        reason = why_not(family, dimension, metric)
        if reason:
            left_out.append(LeftOut(family.name, reason))
            continue
        sizes = {list_count(size, count): size for size in reversed(family.lists)}
        tried += [Candidate(family.name, size) for size in sorted(sizes.values()) or family.links or (0,)]
    return tried, left_out


def why_not(family: Family, dimension: int, metric: Metric = "l2") -> str | None:
    """Why this FAISS cannot make the family for vectors of this dimension; None if it can."""
    import faiss

    text = family.factory.format(size=family.links[0] if family.links else 4)
    try:
        faiss.index_factory(dimension, text, _metric_type(metric))
    except (RuntimeError, AttributeError) as error:
        words = str(error).strip().splitlines()[-1].split("Error: ")[-1][:80]
        return f"faiss {faiss.__version__} cannot make {text}: {words}"
    return None


def list_count(size: float, count: int) -> int:
    """So many square roots of the number of vectors, as a power of two, with enough vectors to train each list."""
    most = max(1, count // LEAST_PER_LIST)
    lists = 1 << max(0, round(math.log2(max(1.0, size * math.sqrt(count)))))
    return lists if lists <= most else 1 << (most.bit_length() - 1)


def build(vectors: Floats, factory: str, metric: Metric = "l2", *, centres: Floats | None = None) -> Built:
    """Train and fill an index in blocks with all of FAISS's threads; `centres` of inverted lists need no training.

    The caller's vectors are only read.
    """
    import faiss

    index = faiss.index_factory(vectors.shape[1], factory, _metric_type(metric))
    started_s = time.perf_counter()
    lists = inverted_lists(index)
    if lists is not None:
        lists.cp.max_points_per_centroid = POINTS_PER_LIST
        if centres is not None:
            lists.quantizer.train(centres)
            lists.quantizer.add(centres)
    if not index.is_trained:
        index.train(_training_sample(vectors, 0 if lists is None or centres is not None else lists.nlist))
    trained_s = time.perf_counter()
    for _, block in row_blocks(vectors):
        index.add(block)
    return Built(index, trained_s - started_s, time.perf_counter() - trained_s)


def centres_of(index: Any) -> Floats:
    """The centres of the inverted lists, to be used again for the same vectors."""
    lists = inverted_lists(index)
    assert lists is not None
    centres: Floats = lists.quantizer.reconstruct_n(0, lists.nlist)
    return centres


def search(index: Any, queries: Floats, k: int, point: Mapping[str, int]) -> tuple[Floats, np.ndarray[Any, Any]]:
    """Distances and ids, with the parameters given to this call alone: as fields they would be every thread's."""
    from synapse_perf.retrieval.search_parameters import search_parameters

    parameters = search_parameters(index, point) if point else None
    distances, ids = index.search(queries, k, params=parameters)
    return distances, ids


def ranges_of(family: Family, index: Any, k: int) -> tuple[Range, ...]:
    """The family's ranges up to where a larger value changes nothing for this index.

    FAISS crashes where nprobe is above the number of lists of an IVF index with RaBitQ codes.
    """
    lists = inverted_lists(index)
    most = {"nprobe": lists.nlist if lists is not None else 1, "k_factor": -(-index.ntotal // k)}

    def within(one: Range) -> Range:
        last = min(most.get(one.name, index.ntotal), one.values[-1])
        return Range(one.name, (*(value for value in one.values if value < last), last))

    return tuple(within(one) for one in family.ranges)


def file_bytes(index: Any, path: Path) -> int:
    """Write the index whole or not at all; its size on disk."""
    from synapse_perf.retrieval.building import save_index

    save_index(index, path)
    return path.stat().st_size


def scanned_bytes(index: Any, queries: Floats, k: int, point: Mapping[str, int]) -> float:
    """Bytes of vectors and codes that a query has to read, on average over the queries."""
    import faiss

    index = as_own_class(index)
    if isinstance(index, faiss.IndexRefine):
        factor = point.get("k_factor", index.k_factor)
        refined = min(k * factor, index.ntotal) * index.refine_index.sa_code_size()
        inner = {name: value for name, value in point.items() if name != "k_factor"}
        return float(refined) + scanned_bytes(index.base_index, queries, k, inner)
    if isinstance(index, faiss.IndexIVF):
        return _scanned_lists(index, queries, point.get("nprobe", index.nprobe))
    if isinstance(index, faiss.IndexHNSW):
        faiss.cvar.hnsw_stats.reset()
        search(index, queries, k, point)
        links = 4 * 2 * index.hnsw.nb_neighbors(1)
        stats = faiss.cvar.hnsw_stats
        vectors = index.storage.sa_code_size() * stats.ndis
        return float(vectors + links * stats.nhops) / len(queries)
    return float(index.ntotal * index.sa_code_size())


def compared_share(index: Any, queries: Floats, k: int, point: Mapping[str, int]) -> float:
    """Which part of the vectors a query is compared with, in whatever form, on average over the queries."""
    import faiss

    lists = inverted_lists(index)
    if lists is not None:
        return min(1.0, float(point.get("nprobe", lists.nprobe)) / float(lists.nlist))
    index = as_own_class(index)
    if not isinstance(index, faiss.IndexHNSW):
        return 1.0
    faiss.cvar.hnsw_stats.reset()
    search(index, queries, k, point)
    return min(1.0, float(faiss.cvar.hnsw_stats.ndis) / len(queries) / max(1.0, float(index.ntotal)))


def _scanned_lists(index: Any, queries: Floats, nprobe: int) -> float:
    _, probed = index.quantizer.search(queries, min(nprobe, index.nlist))
    sizes = np.array([index.invlists.list_size(number) for number in range(index.nlist)])
    vectors = sizes[probed[probed >= 0]].sum() / len(queries)
    return float(index.nlist * index.d * 4 + vectors * (index.code_size + 8))


def _training_sample(vectors: Floats, lists: int) -> Floats:
    """Random rows in their order, as many as the training uses."""
    wanted = max(lists * POINTS_PER_LIST, ENCODER_SAMPLE)
    if wanted >= len(vectors):
        return np.ascontiguousarray(vectors, dtype=np.float32)
    chosen = np.random.default_rng(0).choice(len(vectors), size=wanted, replace=False)
    return np.ascontiguousarray(vectors[np.sort(chosen)], dtype=np.float32)


def _metric_type(metric: Metric) -> int:
    import faiss

    return int(faiss.METRIC_L2 if metric == "l2" else faiss.METRIC_INNER_PRODUCT)
