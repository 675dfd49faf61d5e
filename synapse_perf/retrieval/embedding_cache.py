"""Vectors of texts that were embedded before, kept on disk so that an interrupted corpus goes on where it stopped.

One file an encoder: a line that says how long its vectors are, then records of a text's SHA-256 and its vector, only
ever added to. A record that a dying process left unfinished is cut off when the file is opened next.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

DIGEST_BYTES = 32
HEADER_BYTES = 64


class EmbeddingCache:
    """The vectors of one encoder; a second process that opens the same file waits for the first to close it.

    `waits` is called before the wait begins. A file of vectors of another length is begun anew.
    """

    def __init__(self, path: Path, dimension: int, waits: Callable[[], None] | None = None) -> None:
        self._record = np.dtype([("digest", f"V{DIGEST_BYTES}"), ("vector", np.float32, (dimension,))])
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a+b", buffering=0)
        self._lock(waits)
        self._begin(f"text digests with vectors of {dimension} numbers".encode().ljust(HEADER_BYTES - 1) + b"\n")
        self._count = (self._file.seek(0, os.SEEK_END) - HEADER_BYTES) // self._record.itemsize
        self._file.truncate(self._at(self._count))
        self._places: dict[bytes, int] = {}
        if self._count:
            records = np.memmap(path, self._record, "r", HEADER_BYTES, (self._count,))
            self._places = {digest.tobytes(): place for place, digest in enumerate(records["digest"])}

    def _lock(self, waits: Callable[[], None] | None) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if waits is not None:
                waits()
            fcntl.flock(self._file, fcntl.LOCK_EX)

    def _begin(self, header: bytes) -> None:
        self._file.seek(0)
        if self._file.read(HEADER_BYTES) != header:
            self._file.truncate(0)
            self._file.write(header)

    def _at(self, place: int) -> int:
        return HEADER_BYTES + place * self._record.itemsize

    def __enter__(self) -> EmbeddingCache:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, text: str) -> bool:
        return text_digest(text) in self._places

    def get(self, text: str) -> NDArray[np.float32] | None:
        """The vector of a text, or None."""
        place = self._places.get(text_digest(text))
        if place is None:
            return None
        data = os.pread(self._file.fileno(), self._record.itemsize, self._at(place))
        vector: NDArray[np.float32] = np.frombuffer(data, dtype=self._record)["vector"][0].copy()
        return vector

    def add(self, text: str, vector: NDArray[np.float32]) -> None:
        """Keep a vector; on the disk's way when this returns, whatever happens to this process."""
        digest = text_digest(text)
        left = memoryview(digest + np.ascontiguousarray(vector, dtype=np.float32).tobytes())
        while left:  # a disk that is almost full takes a part
            left = left[os.write(self._file.fileno(), left) :]
        self._places[digest] = self._count
        self._count += 1


def text_digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
