"""How is a text cut into the chunks that an index holds, and how are they kept beside the index?"""

from __future__ import annotations

import gc
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

from synapse_perf.errors import InputError
from synapse_perf.retrieval.text_decoding import without_half_characters

CHUNK_WORDS = 512
OVERLAP_WORDS = 50

_FIELDS = ("id", "file_path", "content", "chunk_index", "start_pos", "end_pos", "language", "modified_time")
_TEXT_FIELDS = frozenset(("id", "file_path", "content", "language", "modified_time"))
_REMEDY = "name the file that was written beside the index, such as docs_metadata.json"


class Chunk(NamedTuple):
    """A piece of a file as the index holds it: its words joined with single spaces, and where they stood."""

    id: str
    file_path: str
    content: str
    chunk_index: int
    start_pos: int
    end_pos: int
    language: str
    modified_time: str


class Metadata(NamedTuple):
    """What lies beside an index; the legacy form knows neither model nor dimension."""

    model_name: str | None
    dimension: int | None
    chunks: list[Chunk]


def split_words(text: str, size: int = CHUNK_WORDS, overlap: int = OVERLAP_WORDS) -> list[tuple[str, int, int]]:
    """Cut into runs of `size` words, each repeating the last `overlap` of the one before: (content, start, end)."""
    check_sizes(size, overlap)
    words = text.split()
    first, start, end = 0, len(text) - len(text.lstrip()), len(text.rstrip())
    pieces = []
    if len(words) > size:
        last_word = re.compile(rf"(?:\S++\s++){{{size - 1}}}\S++")
        next_start = re.compile(rf"(?:\S++\s++){{{size - overlap}}}")
        while first + size < len(words):
            pieces.append((" ".join(words[first : first + size]), start, _end(last_word, text, start)))
            first, start = first + size - overlap, _end(next_start, text, start)
    return [*pieces, (" ".join(words[first:]), start, end)] if words else []


def _end(pattern: re.Pattern[str], text: str, start: int) -> int:
    found = pattern.match(text, start)
    assert found, "there are more words"
    return found.end()


def check_sizes(size: int, overlap: int) -> None:
    """Raise InputError for a chunk size or an overlap with which no text can be cut."""
    if size < 1:
        raise InputError(f"a chunk of {size} words holds no text", "give a chunk size of 1 word or more")
    if overlap < 0:
        raise InputError(f"an overlap of {overlap} words is not possible", "give 0 words or more")
    if overlap >= size:
        message = f"an overlap of {overlap} words leaves nothing new in a chunk of {size}"
        raise InputError(message, "give an overlap smaller than the chunk")


def metadata_document(chunks: Iterable[Chunk], model_name: str, dimension: int) -> dict[str, Any]:
    """What `docs_metadata.json` holds, in the form that the engine writes and reads."""
    listed = [{**chunk._asdict(), "relevance_score": 0.0} for chunk in chunks]
    return {"embedding_model_name": model_name, "embedding_dim": dimension, "chunks": listed}


def read_metadata(path: str | Path) -> Metadata:
    """Read the chunks of an index, in its order; InputError says in one line why that is not possible."""
    path = Path(path)
    if path.suffix.lower() in (".pkl", ".pickle"):
        message = f"{path}: a pickle is not read, because opening one runs whatever code is in it"
        raise InputError(message, "let the engine write the index again: it then writes docs_metadata.json")
    with _no_collection():
        document, escapes = _parse(path)
        model_name, dimension, entries = _parts(path, document)
        chunks = _chunks(path, entries)
    if escapes:
        chunks = [Chunk._make(map(_encodable, chunk)) for chunk in chunks]
    return Metadata(model_name, dimension, chunks)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Without the search for cycles, which nothing here makes, and which would go through every chunk many times."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _parse(path: Path) -> tuple[Any, bool]:
    """The JSON document, and whether it may spell half a character, which no encoder accepts."""
    try:
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        cause = error.strerror if isinstance(error, OSError) else "not a file name"
        raise InputError(f"{path}: the metadata of the index cannot be read: {cause}", _REMEDY) from error
    if not data.strip():
        raise InputError(f"{path}: the metadata of the index is empty", "build the index again")
    try:
        return json.loads(data), b"\\ud" in data or b"\\uD" in data
    except (ValueError, RecursionError) as error:
        where = f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        message = f"{path}: the metadata of the index is not JSON{where}, or was cut off"
        raise InputError(message, "build the index again, or name another file") from error


def _parts(path: Path, document: Any) -> tuple[str | None, int | None, list[Any]]:
    if isinstance(document, list):
        return None, None, document
    entries = document.get("chunks") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise InputError(f"{path}: no metadata of an index: it holds no list `chunks`", _REMEDY)
    model_name, dimension = document.get("embedding_model_name"), document.get("embedding_dim")
    if not isinstance(model_name, str | None):
        raise InputError(f"{path}: embedding_model_name is no text", "build the index again")
    if dimension is not None and (type(dimension) is not int or dimension < 1):
        raise InputError(f"{path}: embedding_dim is no whole number above 0", "build the index again")
    return model_name, dimension, entries


def _chunks(path: Path, entries: Sequence[Any]) -> list[Chunk]:
    """All at once where every entry is as the engine writes it; one by one, with a check each, where one is not."""
    try:
        chunks = list(map(partial(tuple.__new__, Chunk), map(itemgetter(*_FIELDS), entries)))
    except (KeyError, TypeError, IndexError):
        chunks = []
    if len(chunks) == len(entries) and all(_is_clean(chunks, position) for position in range(len(_FIELDS))):
        return chunks
    return [_checked(path, position, entry) for position, entry in enumerate(entries)]


def _is_clean(chunks: Sequence[Chunk], position: int) -> bool:
    return set(map(type, map(itemgetter(position), chunks))) <= {str if _FIELDS[position] in _TEXT_FIELDS else int}


def _checked(path: Path, position: int, entry: Any) -> Chunk:
    """A chunk from an entry that lacks a field which retrieval can do without."""
    if not isinstance(entry, dict) or not isinstance(entry.get("content"), str):
        raise InputError(f"{path}: chunks[{position}] holds no text `content`", _REMEDY)
    values = {name: entry[name] for name in _FIELDS if entry.get(name) is not None}
    if isinstance(values.get("id"), int):
        values["id"] = str(values["id"])
    for name, value in values.items():
        if type(value) is not (str if name in _TEXT_FIELDS else int):
            kind = "text" if name in _TEXT_FIELDS else "a whole number"
            raise InputError(f"{path}: chunks[{position}].{name} is not {kind}", "build the index again")
    blank = Chunk(str(position), "", "", position, 0, len(entry["content"]), "", "")
    return blank._replace(**values)


def _encodable(value: Any) -> Any:
    return without_half_characters(value) if isinstance(value, str) else value
