"""The vectors that an index holds, by their ids, whatever it is made of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from synapse_perf.retrieval.exact import BLOCK_BYTES, Floats, Ids
from synapse_perf.retrieval.index_layers import inverted_lists, layers, list_ids, storage_of


class StoredVectors:
    """Read access to the vectors of an open index; `ids` are in order. What IVF needs for that is built at once."""

    def __init__(self, index: Any) -> None:
        import faiss

        self.index = index
        self.storage = storage_of(index)
        self._inner, self._positions = index, None
        parts, lists = layers(index), inverted_lists(index)
        outermost = parts[0]
        if isinstance(outermost, faiss.IndexIDMap):
            given = faiss.vector_to_array(outermost.id_map)
            order = np.argsort(given, kind="stable")
            self.ids: Ids = given[order]
            self._inner, self._positions = outermost.index, order
        elif lists is not None and not any(isinstance(part, faiss.IndexRefine) for part in parts):
            self.ids = np.sort(list_ids(lists))
        else:
            self.ids = np.arange(index.ntotal, dtype=np.int64)
        if lists is not None:
            lists.set_direct_map_type(faiss.DirectMap.Hashtable)
        self.can_be_read = self._can_be_read()

    def rows(self, ids: Ids) -> Floats:
        """The vectors of these ids, which have to be among those there are."""
        if self._positions is not None:
            ids = self._positions[np.searchsorted(self.ids, ids)]
        rows: Floats = self._inner.reconstruct_batch(np.ascontiguousarray(ids, dtype=np.int64))
        return rows

    def all_rows(self) -> Floats:
        """All of them in the order of `ids`: of a flat index the memory that it keeps them in, else a copy."""
        import faiss

        flat = layers(self.index)[0]
        if not isinstance(flat, faiss.IndexFlat):
            return self.rows(self.ids)
        held: Floats = faiss.rev_swig_ptr(flat.get_xb(), flat.ntotal * flat.d).reshape(flat.ntotal, flat.d)
        return held

    @property
    def copied_bytes(self) -> int:
        """What `all_rows` takes beside the index."""
        import faiss

        is_flat = isinstance(layers(self.index)[0], faiss.IndexFlat)
        return 0 if is_flat else len(self.ids) * int(self.index.d) * 4

    def blocks(self, ids: Ids | None = None) -> Iterator[tuple[Ids, Floats]]:
        """All of them, or these, some at a time."""
        ids = self.ids if ids is None else ids
        count = max(1, BLOCK_BYTES // (self.index.d * 4))
        for start in range(0, len(ids), count):
            part = ids[start : start + count]
            yield part, self.rows(part)

    def _can_be_read(self) -> bool:
        if not len(self.ids):
            return False
        try:
            self.rows(self.ids[:1])
        except RuntimeError:
            return False
        return True


class Scan(NamedTuple):
    """What one pass over the vectors showed; `nearest` and `cosines` are for each of the vectors asked about."""

    lengths: Floats
    not_finite: Ids
    nearest: Ids
    cosines: Floats


def scan(stored: StoredVectors, asked: Floats, ids: Ids | None = None) -> Scan:
    """Length of every vector, those that hold NaN or infinity, and which is most alike to each vector asked about."""
    lengths, broken = [], []
    nearest = np.full(len(asked), -1, dtype=np.int64)
    cosines = np.full(len(asked), -np.inf, dtype=np.float32)
    for part, rows in stored.blocks(ids):
        with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
            length = np.sqrt(np.einsum("ij,ij->i", rows, rows))
            is_finite = np.isfinite(length)
            alike = np.nan_to_num((rows @ asked.T) / length[:, None], nan=-np.inf)
        lengths.append(length)
        broken.append(part[~is_finite])
        for column in range(len(asked)):
            best = int(np.argmax(alike[:, column]))
            if alike[best, column] > cosines[column]:
                nearest[column], cosines[column] = part[best], alike[best, column]
    return Scan(np.concatenate(lengths), np.concatenate(broken), nearest, cosines)
