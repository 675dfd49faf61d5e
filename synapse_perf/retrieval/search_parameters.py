"""Parameters of a search as an object for one call, whatever the index is made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class UnknownParameter(Exception):  # noqa: N818  # says what is the matter
    """The index has no such parameter."""


def search_parameters(index: Any, values: Mapping[str, int]) -> Any:
    """nprobe for IVF, efSearch for HNSW, k_factor for a refined index (the others then go to what it refines)."""
    import faiss

    seen = faiss.downcast_index(index)  # does not own the memory; `index` does, and is here as long as it
    left = dict(values)
    if isinstance(seen, faiss.IndexIDMap):
        return search_parameters(seen.index, values)
    if isinstance(seen, faiss.IndexPreTransform):
        return faiss.SearchParametersPreTransform(index_params=search_parameters(seen.index, values))
    if isinstance(seen, faiss.IndexRefine):
        factor = {"k_factor": left.pop("k_factor")} if "k_factor" in left else {"k_factor": seen.k_factor}
        inner = {"base_index_params": search_parameters(seen.base_index, left)} if left else {}
        return faiss.IndexRefineSearchParameters(**factor, **inner)
    kind, name = _kind_of(seen, faiss)
    unknown = sorted(set(left) - {name})
    if unknown or kind is None:
        raise UnknownParameter(f"{type(seen).__name__} has no parameter {', '.join(unknown or sorted(left))}")
    return kind(**left)


def _kind_of(index: Any, faiss: Any) -> tuple[Any, str]:
    if isinstance(index, faiss.IndexIVF):
        return faiss.SearchParametersIVF, "nprobe"
    if isinstance(index, faiss.IndexHNSW):
        return faiss.SearchParametersHNSW, "efSearch"
    return None, ""
