"""What value stands next in a GGUF header? Reads forward over mapped bytes and never trusts a count or a length."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from mmap import mmap
from pathlib import Path
from typing import TypeAlias

from synapse_perf.errors import InputError
from synapse_perf.gguf_files.formats import ARRAY, MAX_STRING_BYTES, SCALAR_FORMATS, STRING

Scalar: TypeAlias = int | float | bool | str

FETCH_AGAIN = "the download or the copy is not complete: fetch the file again"
DAMAGED = "the file is damaged: fetch it again"
KEPT_STRING_BYTES = 1024**2
KEPT_ARRAY_ELEMENTS = 4096

_U64 = struct.Struct("<Q")
_SCALARS = {number: struct.Struct(text) for number, text in SCALAR_FORMATS.items()}


class Cursor:
    """A position in the mapped file; `part` names for messages what is being read."""

    __slots__ = ("_data", "_path", "_size", "part", "position")

    def __init__(self, data: mmap, path: Path) -> None:
        self._data = data
        self._path = path
        self._size = len(data)
        self.position = 0
        self.part = "header"

    @property
    def remaining(self) -> int:
        """Bytes from here to the end of the file."""
        return self._size - self.position

    def error(self, what: str, remedy: str = DAMAGED) -> InputError:
        # Names out of a damaged file may hold anything; the message stays one printable line.
        line = "".join(character if character.isprintable() else "?" for character in what)
        return InputError(f"{self._path}: {line}", remedy)

    def cut_off(self, missing_bytes: int) -> InputError:
        missing = "1 byte is" if missing_bytes == 1 else f"{missing_bytes} bytes are"
        return self.error(f"the file is cut off in its {self.part}, at least {missing} missing", FETCH_AGAIN)

    def check_count(self, count: int, smallest_bytes: int) -> None:
        """InputError when so many entries of at least that size cannot follow."""
        if count * smallest_bytes > self.remaining:
            what = f"its {self.part} claims {count} entries, more than fit into the {self.remaining} bytes that follow"
            raise self.error(what, FETCH_AGAIN)

    def scalar(self, kind: int) -> int | float | bool:
        """A number of one of the metadata types, by its number there."""
        layout = _SCALARS[kind]
        start = self._advance(layout.size)
        value: int | float | bool = layout.unpack_from(self._data, start)[0]
        return value

    def unsigned(self, size_bytes: int) -> int:
        """An unsigned little-endian number."""
        start = self._advance(size_bytes)
        return int.from_bytes(self._data[start : start + size_bytes], "little")

    def string(self) -> str:
        """A string with its length before it; of an absurdly long one only the beginning is kept."""
        length = self.unsigned(8)
        if length > MAX_STRING_BYTES:
            raise self.error(f"a string in its {self.part} claims {length} bytes")
        start = self._advance(length)
        return self._data[start : start + min(length, KEPT_STRING_BYTES)].decode("utf-8", "replace")

    def array(self) -> tuple[int, Sequence[int | float | bool] | None]:
        """The element count, and the numbers themselves when they are few; strings are skipped."""
        kind, count = self.unsigned(4), self.unsigned(8)
        if kind == STRING:
            self._skip_strings(count)
            return count, None
        if kind == ARRAY or kind not in _SCALARS:
            raise self.error(f"its {self.part} has an array of unknown type {kind}")
        layout = _SCALARS[kind]
        start = self._advance(count * layout.size)
        if count > KEPT_ARRAY_ELEMENTS:
            return count, None
        values = struct.unpack_from(f"<{count}{layout.format[-1]}", self._data, start)
        return count, values

    def _skip_strings(self, count: int) -> None:
        if count * _U64.size > self.remaining:
            raise self.cut_off(count * _U64.size - self.remaining)
        position, length_at, data = self.position, _U64.unpack_from, self._data
        try:
            for _ in range(count):
                position += 8 + length_at(data, position)[0]
        except (struct.error, OverflowError) as error:
            raise self.cut_off(max(1, position + 8 - self._size)) from error
        if position > self._size:
            raise self.cut_off(position - self._size)
        self.position = position

    def _advance(self, size_bytes: int) -> int:
        start = self.position
        if size_bytes > self._size - start:
            raise self.cut_off(size_bytes - (self._size - start))
        self.position = start + size_bytes
        return start
