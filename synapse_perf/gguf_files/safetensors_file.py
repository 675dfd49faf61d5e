"""Which tensors does a safetensors file hold, and what are their values?

The format: the header's length in 8 bytes, the header as JSON, then the data without gaps. Nothing in it is trusted.
"""

from __future__ import annotations

import json
import stat
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synapse_perf.errors import InputError
from synapse_perf.field_errors import short_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

_FETCH_AGAIN = "the download or the copy is not complete: fetch the file again"
_DAMAGED = "the file is damaged: fetch it again"

_LARGEST_HEADER_BYTES = 16 * 1024**2  # hundreds of times what an encoder needs
_MOST_DIMENSIONS = 8
_FLOATS = ("F32", "F16", "BF16")
# Bytes of an element of each type that the format knows.
_ELEMENT_BYTES = {
    kind: size_bytes
    for size_bytes, kinds in {
        8: ("F64", "I64", "U64", "C64"),
        4: ("F32", "I32", "U32"),
        2: ("F16", "BF16", "I16", "U16"),
        1: ("F8_E4M3", "F8_E5M2", "F8_E8M0", "I8", "U8", "BOOL"),
    }.items()
    for kind in kinds
}


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor as the header lists it; `start` counts from the beginning of the file."""

    name: str
    kind: str
    shape: tuple[int, ...]
    start: int
    size_bytes: int


class SafetensorsFile:
    """A checked header; the data stay on the disk until a tensor is read. InputError for whatever is wrong."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._check_kind()
            self.tensors = self._read_header()
        except FileNotFoundError as error:
            raise InputError(f"{path} does not exist", "check the path") from error
        except PermissionError as error:
            raise InputError(
                f"{path} may not be read by this user", f"check its permissions: ls -l '{path}'"
            ) from error
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror}", "check the path and the disk") from error

    def find(self, name: str, shape: tuple[int, ...]) -> StoredTensor:
        """A tensor that must be there, with that shape, as floating-point numbers."""
        tensor = self.tensors.get(name)
        if tensor is None:
            raise self._error(f"it has no tensor '{name}'", "the model is incomplete or of another architecture")
        if tensor.shape != shape:
            told = f"tensor '{name}' has the shape {list(tensor.shape)}, its config.json says {list(shape)}"
            raise self._error(told, "fetch the whole folder again: its files do not belong together")
        if tensor.kind not in _FLOATS:
            raise self._error(f"tensor '{name}' is stored as {tensor.kind}", "save the model in float32 or float16")
        return tensor

    def read(self, name: str, shape: tuple[int, ...]) -> Floats:
        """The values of such a tensor; InputError where one is not finite."""
        import numpy as np

        tensor = self.find(name, shape)
        values = self._floats(tensor)
        if not np.isfinite(values).all():
            raise self._error(f"tensor '{name}' holds values that are no numbers", _DAMAGED)
        return values.reshape(shape)

    def _floats(self, tensor: StoredTensor) -> Floats:
        import numpy as np

        if not tensor.size_bytes:
            return np.empty(0, np.float32)
        raw = np.memmap(self.path, np.uint8, "r", tensor.start, (tensor.size_bytes,))
        if tensor.kind == "BF16":  # the upper half of a float32
            return (raw.view("<u2").astype("<u4") << 16).view("<f4").astype(np.float32)
        stored = raw.view("<f4" if tensor.kind == "F32" else "<f2")
        return np.asarray(stored, np.float32)

    def _check_kind(self) -> None:
        mode = self.path.stat().st_mode
        if not stat.S_ISREG(mode):
            raise InputError(f"{self.path} is not a regular file", "give a folder with a model.safetensors file")

    def _read_header(self) -> dict[str, StoredTensor]:
        size_bytes = self.path.stat().st_size
        with self.path.open("rb") as file:
            head = file.read(8)
            if head == b"version ":
                raise self._error("it is a git-lfs pointer instead of the file", "run `git lfs pull` in its repository")
            length = int.from_bytes(head, "little")
            if len(head) < 8 or 8 + length > size_bytes:
                raise self._error("it is cut off in its header, or no safetensors file", _FETCH_AGAIN)
            if not 2 <= length <= _LARGEST_HEADER_BYTES:
                raise self._error(f"its header claims {length} bytes", _DAMAGED)
            content = self._parse(file.read(length))
        content.pop("__metadata__", None)
        found = [self._tensor(name, entry, 8 + length) for name, entry in content.items()]
        self._check_places(found, 8 + length, size_bytes)
        return {tensor.name: tensor for tensor in found}

    def _parse(self, raw: bytes) -> dict[str, Any]:
        try:
            content = json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise self._error("its header is no JSON", _DAMAGED) from error
        if not isinstance(content, dict):
            raise self._error("its header is no table of tensors", _DAMAGED)
        return content

    def _tensor(self, name: str, entry: object, data_start: int) -> StoredTensor:
        shown = short_text(name)
        try:
            kind, shape, (start, end) = entry["dtype"], entry["shape"], entry["data_offsets"]  # type: ignore[index]
            sound = isinstance(kind, str) and isinstance(shape, list) and all(map(_is_count, (*shape, start, end)))
        except (KeyError, TypeError, ValueError) as error:
            raise self._error(f"its header does not say where tensor {shown} lies", _DAMAGED) from error
        if not sound or len(shape) > _MOST_DIMENSIONS:
            raise self._error(f"its header describes tensor {shown} wrongly", _DAMAGED)
        if kind not in _ELEMENT_BYTES:
            raise self._error(f"tensor {shown} has the unknown type {short_text(kind)}", "save the model in float32")
        if end - start != prod(shape) * _ELEMENT_BYTES[kind]:
            raise self._error(f"tensor {shown} has other {kind} data than its shape {shape} needs", _DAMAGED)
        return StoredTensor(name, kind, tuple(shape), data_start + start, end - start)

    def _check_places(self, tensors: list[StoredTensor], data_start: int, size_bytes: int) -> None:
        """The format wants the data without gaps and overlaps, up to the end of the file."""
        expected = data_start
        for tensor in sorted(tensors, key=lambda each: (each.start, each.size_bytes)):
            if tensor.start != expected:
                raise self._error(f"tensor {short_text(tensor.name)} does not lie where the one before ends", _DAMAGED)
            expected = tensor.start + tensor.size_bytes
        if expected > size_bytes:
            missing = expected - size_bytes
            raise self._error(f"it is cut off, {missing} of {expected} bytes are missing", _FETCH_AGAIN)

    def _error(self, what: str, remedy: str) -> InputError:
        line = "".join(character if character.isprintable() else "?" for character in what)
        return InputError(f"{self.path}: {line}", remedy)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**48
