"""Where in a folder lie the files of a transformer, and what do the small ones say, none of which is trusted?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NoReturn

from synapse_perf.errors import InputError
from synapse_perf.field_errors import short_text

WEIGHTS = "model.safetensors"
CONFIG = "config.json"
FETCH_AGAIN = "fetch the folder again"

_OLD_LAYOUT = "0_Transformer"
_MOST = {"num_hidden_layers": 256, "hidden_size": 2**16, "intermediate_size": 2**18}
_MOST_OF_OTHERS = 2**21
_LARGEST_TEXT_BYTES = 64 * 1024**2


def transformer_folder(folder: Path) -> Path:
    """Where its config.json lies: here, or further down as old versions, Python packages and caches have it."""
    below = (_OLD_LAYOUT, "model", "*/model", "snapshots/*")
    for candidate in (folder, *(found for pattern in below for found in sorted(folder.glob(pattern)))):
        if (candidate / CONFIG).is_file():
            return candidate
    return folder


def modules_folder(inner: Path) -> Path:
    """Where the list of modules lies that the transformer is one of."""
    return inner.parent if inner.name == _OLD_LAYOUT else inner


def folder_name(folder: Path) -> str:
    """The model's name by its place: of a repository in Hugging Face's cache, of a package, or of the folder itself."""
    folder = folder.resolve()
    for place in (folder, *folder.parents):
        if place.name.startswith("models--"):
            return place.name.rpartition("--")[2]
    return folder.parent.name if folder.name in ("model", _OLD_LAYOUT) else folder.name


def licence_of(folder: Path) -> str | None:
    """As the model card says it in its head."""
    card = folder / "README.md"
    if not card.is_file():
        return None
    start, _, rest = read_text(card).partition("---\n")
    for line in rest.partition("\n---")[0].splitlines() if not start.strip() else ():
        if line.startswith("license:"):
            return line.partition(":")[2].strip().strip("'\"") or None
    return None


def count_in(path: Path, table: dict[str, Any], key: str, default: int | None = None) -> int:
    """A whole number of the table that was read from the file; InputError where it is none or out of all reason."""
    value = table.get(key, default)
    most = _MOST.get(key, _MOST_OF_OTHERS)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= most:
        refuse(f"{path}: {key} is {short_text(value)}, no number from 1 to {most}")
    return value


def read_table(path: Path) -> dict[str, Any]:
    """The JSON object that a file holds; an empty one where there is no such file."""
    content = read_json(path)
    if not isinstance(content, dict | None):
        refuse(f"{path} is no JSON table")
    return content or {}


def read_json(path: Path) -> Any:
    """The JSON that a file holds, None where there is no such file."""
    if not path.is_file():
        return None
    try:
        return json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is no JSON", FETCH_AGAIN) from error


def read_text(path: Path) -> str:
    """A text file of reasonable size; what is no UTF-8 becomes a replacement character."""
    with path.open("rb") as file:
        content = file.read(_LARGEST_TEXT_BYTES + 1)
    if len(content) > _LARGEST_TEXT_BYTES:
        refuse(f"{path} is far larger than such a file is")
    return content.decode("utf-8", "replace")


def refuse(message: str, remedy: str = FETCH_AGAIN) -> NoReturn:
    """Raise the InputError."""
    raise InputError(message, remedy)
