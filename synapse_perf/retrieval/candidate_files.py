"""Where are the vectors, the true neighbours and the built candidates of a prepared set?

What took long is kept beside the vectors, each file with a note of what it was made from, and is made again when the
vectors have changed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from synapse_perf.retrieval.building import save_index
from synapse_perf.retrieval.exact import Exact, Floats, Metric, exact_search
from synapse_perf.retrieval.index_layers import inverted_lists
from synapse_perf.retrieval.indexes import build, centres_of

FOLDER = "candidates"
VECTORS = "vectors.npy"
QUERIES = "query_vectors.npy"
CURRENT = "docs.index"
SUBSET_SEED = 20


class CandidateFile(NamedTuple):
    """A built index on disk and what building it took (None: not built here)."""

    path: Path
    size_bytes: int
    build_s: float | None


class TuningSet:
    """The vectors of a prepared set, or a random part of them, with queries and true neighbours."""

    def __init__(self, directory: Path, metric: Metric, k: int, rows: int | None, queries: int | None) -> None:
        import faiss

        self.threads: int = faiss.omp_get_max_threads()  # to build with; queries are timed on one
        self.directory, self.metric = directory, metric
        everything: Floats = np.load(directory / VECTORS, mmap_mode="r")
        self.count = len(everything)
        self.rows = self.count if rows is None else min(rows, self.count)
        self.vectors = everything if self.rows == self.count else _part(everything, self.rows)
        self.queries: Floats = np.ascontiguousarray(np.load(directory / QUERIES)[:queries], dtype=np.float32)
        self.k = min(k, self.rows)
        self.folder = directory / FOLDER
        self.folder.mkdir(exist_ok=True)
        self._stamp = _stamp(directory / VECTORS) + _stamp(directory / QUERIES)

    @property
    def is_whole(self) -> bool:
        return self.rows == self.count

    def exact(self) -> Exact:
        """The true neighbours of the queries; computed once."""
        path = self.folder / f"exact-{self.metric}-{self.rows}-{self.k}-{len(self.queries)}.npz"
        note = path.with_suffix(".json")
        if _is_current(note, self._stamp):
            with np.load(path) as kept:
                return Exact(kept["ids"], kept["distances"])
        found = exact_search(self.vectors, self.queries, self.k, self.metric)
        note.unlink(missing_ok=True)
        np.savez(path, ids=found.ids, distances=found.distances)
        _write_note(note, self._stamp, {})
        return found

    def built(self, factory: str) -> tuple[Any, CandidateFile]:
        """The index, open, and its file; built only where there is none of these vectors yet."""
        import faiss

        path = self.folder / f"{self.metric}-{self.rows}-{factory}.index"
        note = path.with_suffix(".json")
        if _is_current(note, self._stamp):
            kept = json.loads(note.read_text(encoding="utf-8"))
            return faiss.read_index(os.fspath(path)), CandidateFile(path, path.stat().st_size, kept["build_s"])
        note.unlink(missing_ok=True)
        faiss.omp_set_num_threads(self.threads)
        centres, centres_s = self._centres(factory)
        made = build(self.vectors, factory, self.metric, centres=centres)
        build_s = centres_s + made.train_s + made.add_s
        self._keep_centres(made.index, made.train_s if centres is None else None)
        save_index(made.index, path)
        _write_note(note, self._stamp, {"build_s": build_s})
        return made.index, CandidateFile(path, path.stat().st_size, build_s)

    def _centres(self, factory: str) -> tuple[Floats | None, float]:
        """Centres of as many lists that another candidate was trained with, and what that took."""
        import faiss

        lists = inverted_lists(faiss.index_factory(self.vectors.shape[1], factory))
        if lists is None:
            return None, 0.0
        path, note = self._centres_paths(lists.nlist)
        if not _is_current(note, self._stamp):
            return None, 0.0
        return np.load(path), json.loads(note.read_text(encoding="utf-8"))["train_s"]

    def _keep_centres(self, index: Any, train_s: float | None) -> None:
        lists = inverted_lists(index)
        if lists is None or train_s is None:
            return
        path, note = self._centres_paths(lists.nlist)
        np.save(path, centres_of(index))
        _write_note(note, self._stamp, {"train_s": train_s})

    def _centres_paths(self, lists: int) -> tuple[Path, Path]:
        path = self.folder / f"centres-{self.metric}-{self.rows}-{lists}.npy"
        return path, path.with_suffix(".json")


def shape_of_set(directory: Path) -> tuple[int, int, int]:
    """Vectors, dimensions and queries of a prepared set."""
    count, dimension = np.load(directory / VECTORS, mmap_mode="r").shape
    return int(count), int(dimension), len(np.load(directory / QUERIES, mmap_mode="r"))


def remove_candidates(directory: Path, *, keep: Collection[str], count: int, metric: str) -> None:
    """Remove every built index but those of these factory texts over all vectors."""
    kept = {f"{metric}-{count}-{factory}" for factory in keep}
    for path in (directory / FOLDER).glob("*.index"):
        if path.stem not in kept:
            path.with_suffix(".json").unlink(missing_ok=True)
            path.unlink()


def _part(vectors: Floats, rows: int) -> Floats:
    """Random rows in their order."""
    chosen = np.random.default_rng(SUBSET_SEED).choice(len(vectors), size=rows, replace=False)
    return np.ascontiguousarray(vectors[np.sort(chosen)], dtype=np.float32)


def _stamp(path: Path) -> str:
    status = path.stat()
    return f"{path.name}:{status.st_size}:{status.st_mtime_ns};"


def _is_current(note: Path, stamp: str) -> bool:
    try:
        return bool(json.loads(note.read_text(encoding="utf-8"))["made_from"] == stamp)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _write_note(note: Path, stamp: str, content: dict[str, float]) -> None:
    """Last of all, so that its presence says that what it describes is complete."""
    note.write_text(json.dumps({"made_from": stamp, **content}), encoding="utf-8")
