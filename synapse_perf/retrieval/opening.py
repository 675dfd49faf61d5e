"""In which ways can FAISS open an index file, and what is in it then?

``read`` copies the file into memory. ``mmap`` (IO_FLAG_MMAP) maps the lists of an IVF index and reads everything else.
``ifc`` (IO_FLAG_MMAP_IFC) maps flat codes and graphs, and asks the system for no read-ahead, so that each page of a
cold file is one fault. ``readahead`` reads the file once into the page cache and maps it then.
"""

from __future__ import annotations

import os
from typing import Any, Literal, get_args

OpenMode = Literal["read", "mmap", "ifc", "readahead"]
OPEN_MODES: tuple[OpenMode, ...] = get_args(OpenMode)
BLOCK_BYTES = 4 << 20


class IndexUnusable(Exception):  # noqa: N818  # says what is the matter
    """FAISS cannot open the file, or cannot open it in this way."""


def open_index(path: str, mode: OpenMode = "read") -> Any:
    """The FAISS index in the file; IndexUnusable with FAISS's words."""
    import faiss

    flags = {"read": 0, "mmap": faiss.IO_FLAG_MMAP, "ifc": getattr(faiss, "IO_FLAG_MMAP_IFC", None)}
    flags["readahead"] = flags["ifc"]
    if flags[mode] is None:
        raise IndexUnusable(f"FAISS {faiss.__version__} cannot map flat codes (IO_FLAG_MMAP_IFC)")
    try:
        if mode == "readahead":
            read_ahead(path)
        return faiss.read_index(path, flags[mode])
    except (RuntimeError, MemoryError, OSError) as error:
        raise IndexUnusable(words_of(error)) from error


def read_ahead(path: str) -> int:
    """Read the file once from beginning to end; bytes read."""
    total = 0
    descriptor = os.open(path, os.O_RDONLY)
    try:
        # No larger than the file: the pages of a new buffer cost more than reading a small index.
        buffer = bytearray(min(BLOCK_BYTES, os.fstat(descriptor).st_size) or 1)
        while count := os.readv(descriptor, [buffer]):
            total += count
    finally:
        os.close(descriptor)
    return total


def words_of(error: BaseException) -> str:
    """What FAISS says without its function, file, line and failed assertion."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = " ".join(str(error).split())
    assertion, _, words = text.rpartition("' failed: ")
    return (words if assertion else text.split(": ", 1)[-1]) or type(error).__name__
