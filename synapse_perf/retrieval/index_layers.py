"""What is a FAISS index made of: its wrappers, its inverted lists, and how exactly it keeps the vectors?"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import numpy as np

from synapse_perf.retrieval.exact import Ids

# exact: the vectors as they came; fine: rounded to 16 or 8 bits a number; coarse: codes that only resemble them.
Storage: TypeAlias = Literal["exact", "fine", "coarse"]


def as_own_class(index: Any, owner: Any | None = None) -> Any:
    """The index as an object of the class that it is; as long as that lives, what owns the memory lives as well."""
    import faiss

    seen = faiss.downcast_index(index)
    seen.referenced_objects = [index if owner is None else owner]  # the attribute that FAISS has for this
    return seen


def layers(index: Any) -> list[Any]:
    """The index and what it wraps, the outermost first."""
    import faiss

    found = [as_own_class(index)]
    while True:
        outer = found[-1]
        if isinstance(outer, faiss.IndexIDMap | faiss.IndexPreTransform):
            found.append(as_own_class(outer.index, outer))
        elif isinstance(outer, faiss.IndexRefine):
            found.append(as_own_class(outer.base_index, outer))
        else:
            return found


def inverted_lists(index: Any) -> Any | None:
    """The part that searches some of many lists, or None."""
    import faiss

    return next((layer for layer in layers(index) if isinstance(layer, faiss.IndexIVF)), None)


def list_sizes(lists: Any) -> Ids:
    """How many vectors each list holds."""
    return np.array([lists.invlists.list_size(number) for number in range(lists.nlist)], dtype=np.int64)


def list_ids(lists: Any) -> Ids:
    """The ids of all vectors in the lists."""
    import faiss

    inverted, parts = lists.invlists, []
    for number in range(lists.nlist):
        size = inverted.list_size(number)
        if size:
            pointer = inverted.get_ids(number)
            parts.append(faiss.rev_swig_ptr(pointer, size).copy())
            inverted.release_ids(number, pointer)
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)


def storage_of(index: Any) -> Storage:
    """How much of the vectors can be had back."""
    import faiss

    parts = layers(index)
    refined = next((part for part in parts if isinstance(part, faiss.IndexRefine)), None)
    if refined is not None:
        return storage_of(refined.refine_index)
    if any(isinstance(part, faiss.IndexPreTransform) for part in parts):
        return "coarse"
    last = parts[-1]
    if isinstance(last, faiss.IndexHNSW):
        last = as_own_class(last.storage, last)
    if isinstance(last, faiss.IndexFlat | faiss.IndexIVFFlat | faiss.IndexNSGFlat):
        return "exact"
    quantizer = getattr(last, "sq", None)
    return "fine" if quantizer is not None and quantizer.qtype in _fine_types() else "coarse"


def _fine_types() -> set[int]:
    import faiss

    names = ("QT_8bit", "QT_8bit_uniform", "QT_fp16", "QT_bf16", "QT_8bit_direct", "QT_8bit_direct_signed")
    kind = faiss.ScalarQuantizer
    return {getattr(kind, name) for name in names if hasattr(kind, name)}
