"""What does one GGUF file contain, whether a whole model or a part of a split one?"""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import BinaryIO

from synapse_perf.errors import InputError
from synapse_perf.gguf_files.cursor import Cursor, Scalar
from synapse_perf.gguf_files.foreign import DOWNLOAD, describe_foreign
from synapse_perf.gguf_files.formats import ARRAY, DEFAULT_ALIGNMENT, SCALAR_FORMATS, STRING, SUPPORTED_VERSIONS
from synapse_perf.gguf_files.tensors import TensorInfo, check_tensor_data, read_tensor_list

MAGIC = b"GGUF"
# A key's length, one character, a type, one byte: no metadata entry is shorter.
_SMALLEST_ENTRY_BYTES = 8 + 1 + 4 + 1


@dataclass(frozen=True, slots=True)
class Part:
    """One file: its scalar metadata, the lengths of its arrays, the values of short numeric ones, its tensors."""

    path: Path
    size_bytes: int
    version: int
    metadata: Mapping[str, Scalar]
    array_lengths: Mapping[str, int]
    short_arrays: Mapping[str, Sequence[int | float | bool]]
    tensors: tuple[TensorInfo, ...]
    data_offset: int
    header_sha256: bytes


def read_part(path: Path) -> Part:
    """Read and check one file; InputError with one line for whatever is wrong with it."""
    try:
        _check_kind(path)
        with path.open("rb") as file:
            return _read_open(path, file)
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist", "check the path, or see `synapse-perf models list`") from error
    except PermissionError as error:
        raise InputError(f"{path} may not be read by this user", f"check its permissions: ls -l '{path}'") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{path} cannot be read: {reason}", "check the path and the disk") from error


def _check_kind(path: Path) -> None:
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise InputError(f"{path} is a directory", "give the .gguf file inside it")
    if not stat.S_ISREG(mode):
        raise InputError(f"{path} is not a regular file", "give a .gguf file")


def _read_open(path: Path, file: BinaryIO) -> Part:
    head = file.read(1024)
    if not head:
        raise InputError(f"{path} is empty", DOWNLOAD)
    if not head.startswith(MAGIC[: len(head)]):
        looks_like, remedy = describe_foreign(head)
        raise InputError(f"{path} is not a GGUF file: it looks like {looks_like}", remedy)
    with mmap(file.fileno(), 0, access=ACCESS_READ) as data:
        return _parse(path, data)


def _parse(path: Path, data: mmap) -> Part:
    cursor = Cursor(data, path)
    cursor.unsigned(len(MAGIC))
    version = _read_version(cursor)
    n_tensors, n_entries = cursor.unsigned(8), cursor.unsigned(8)
    metadata, array_lengths, short_arrays = _read_metadata(cursor, n_entries)
    alignment = _alignment(cursor, metadata)
    tensors = read_tensor_list(cursor, n_tensors)
    data_offset = -(-cursor.position // alignment) * alignment if tensors else cursor.position
    check_tensor_data(cursor, tensors, alignment, max(0, len(data) - data_offset))
    with memoryview(data) as view, view[:data_offset] as header:
        header_sha256 = hashlib.sha256(header).digest()
    return Part(path, len(data), version, metadata, array_lengths, short_arrays, tensors, data_offset, header_sha256)


def _read_version(cursor: Cursor) -> int:
    version = cursor.unsigned(4)
    if version and not version & 0xFFFF:
        raise cursor.error(
            "a GGUF file in big-endian byte order",
            "convert it to little-endian with gguf_convert_endian.py, or fetch that version",
        )
    if version not in SUPPORTED_VERSIONS:
        newer = version > max(SUPPORTED_VERSIONS)
        remedy = (
            "update synapse-perf and llama-cpp-python" if newer else "convert the model again with a current llama.cpp"
        )
        raise cursor.error(
            f"GGUF version {version} is not supported, only {SUPPORTED_VERSIONS[0]} and {SUPPORTED_VERSIONS[1]}", remedy
        )
    return version


_Metadata = tuple[dict[str, Scalar], dict[str, int], dict[str, Sequence[int | float | bool]]]


def _read_metadata(cursor: Cursor, count: int) -> _Metadata:
    cursor.part = "metadata"
    cursor.check_count(count, _SMALLEST_ENTRY_BYTES)
    scalars: dict[str, Scalar] = {}
    lengths: dict[str, int] = {}
    arrays: dict[str, Sequence[int | float | bool]] = {}
    for _ in range(count):
        key = cursor.string()
        if not key or key in scalars or key in lengths:
            raise cursor.error(
                f"its metadata names '{key}' twice" if key else "its metadata has an entry without a name"
            )
        kind = cursor.unsigned(4)
        if kind == STRING:
            scalars[key] = cursor.string()
        elif kind == ARRAY:
            lengths[key], values = cursor.array()
            if values is not None:
                arrays[key] = values
        elif kind in SCALAR_FORMATS:
            scalars[key] = cursor.scalar(kind)
        else:
            raise cursor.error(f"its metadata entry '{key[:80]}' has the unknown type {kind}")
    return scalars, lengths, arrays


def _alignment(cursor: Cursor, metadata: Mapping[str, Scalar]) -> int:
    alignment = metadata.get("general.alignment", DEFAULT_ALIGNMENT)
    if not isinstance(alignment, int) or alignment <= 0 or alignment & (alignment - 1):
        raise cursor.error(f"its general.alignment is {alignment!r}, not a power of two")
    return alignment
