"""Is this index file what it claims to be? Opened with limits, and checked before anything relies on it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from synapse_perf.retrieval.opening import IndexUnusable, OpenMode, open_index

_CUT_OFF = re.compile(r"read error in .*?: (\d+) != (\d+)")
_LIMIT = "deserialization_vector_byte_limit"


def open_checked(path: str, mode: OpenMode) -> Any:
    """The index in the file; IndexUnusable in plain words where it is damaged, cut off or something else."""
    import faiss

    set_limit, get_limit = (getattr(faiss, f"{verb}_{_LIMIT}", None) for verb in ("set", "get"))
    before = get_limit() if get_limit is not None else None
    if set_limit is not None:
        set_limit(max(1, Path(path).stat().st_size))  # no part of it is larger than the whole
    try:
        index = open_index(path, mode)
    except IndexUnusable as error:
        raise IndexUnusable(_plainly(str(error.__cause__ or error), error)) from error
    finally:
        if set_limit is not None and before is not None:
            set_limit(before)  # it holds for the whole process
    damage = _damage(index)
    if damage:
        raise IndexUnusable(damage)
    return index


def _plainly(words: str, error: IndexUnusable) -> str:
    cut_off = _CUT_OFF.search(words)
    if cut_off:
        return "the file is cut off"
    if "not recognized" in words:
        return "it is no FAISS index, or is newer than this FAISS"
    if _LIMIT in words:
        return "the file is cut off, or damaged: it claims more data than it has"
    if "bad_alloc" in words:
        return "it claims more data than there is memory"
    return f"it is damaged: {error}"


def _damage(index: Any) -> str:
    """What FAISS does not check when it reads."""
    from synapse_perf.retrieval.index_layers import inverted_lists, list_sizes

    lists = inverted_lists(index)
    if lists is None:
        return ""
    held = int(list_sizes(lists).sum())
    if held > lists.ntotal:
        return f"it is damaged: it claims {lists.ntotal} vectors, its lists hold {held}"
    if held < lists.ntotal:
        lost = f"{lists.ntotal - held} of its {lists.ntotal} vectors are in no list"
        return f"{lost}: they held NaN when they were added, or the file is damaged"
    return ""
