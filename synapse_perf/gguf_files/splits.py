"""Which files make up a split GGUF model? llama.cpp names them so: model-00001-of-00003.gguf."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from synapse_perf.errors import InputError
from synapse_perf.gguf_files.cursor import Scalar

_ENDING = re.compile(r"^(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf$", re.IGNORECASE)


def split_name(file_name: str) -> tuple[str, int, int] | None:
    """The common stem, this part's number from 1 and the count of parts, if the name is that of a part."""
    match = _ENDING.match(file_name)
    return (match["stem"], int(match["number"]), int(match["count"])) if match else None


def part_position(metadata: Mapping[str, Scalar], path: Path) -> tuple[int, int]:
    """This part's index from 0 and the count of parts, by the file's metadata; (0, 1) for a file that is not split."""
    count, index = metadata.get("split.count", 1), metadata.get("split.no", 0)
    if not isinstance(count, int) or not isinstance(index, int):
        raise InputError(f"{path}: its split metadata is damaged", "fetch the file again")
    if count <= 1:
        return 0, 1
    if not 0 <= index < count:
        raise InputError(f"{path}: it claims to be part {index + 1} of {count}", "fetch the file again")
    return index, count


def part_paths(path: Path, index: int, count: int) -> list[Path]:
    """Where llama.cpp looks for the parts, given one of them; InputError when that one is not named as a part."""
    named = split_name(path.name)
    if named is None or named[1:] != (index + 1, count):
        ending = f"-{index + 1:05d}-of-{count:05d}.gguf"
        raise InputError(
            f"{path}: part {index + 1} of {count} of a split model, but not named so", f"rename it to end in {ending}"
        )
    return [path.with_name(f"{named[0]}-{number:05d}-of-{count:05d}.gguf") for number in range(1, count + 1)]
