"""Which questions are asked of an index, and which chunks answer them?"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from synapse_perf.errors import InputError
from synapse_perf.retrieval.chunks import Chunk
from synapse_perf.retrieval.headings import markdown_headings
from synapse_perf.retrieval.passages import sentences_in
from synapse_perf.retrieval.text_decoding import NotTextError, decode, without_half_characters

MOST_QUERY_CHARACTERS = 10_000  # what the engine accepts
_MOST_FILE_BYTES = 64 << 20
_MIDDLE_WORDS = 12  # a chunk without a sentence, of code for example, is asked for by this many of its words
_TRIES = 4  # chunks looked at for each query that is wanted
_REMEDY = 'write one query a line (.txt), or {"query": "...", "relevant": ["..."]} a line (.jsonl)'


class Query(NamedTuple):
    """A question, the ids of the chunks that answer it, and the id of the chunk that it was taken from, if any."""

    text: str
    relevant: tuple[str, ...] = ()
    own: str = ""


def normalised(text: str) -> str:
    """The text as two questions are compared: white space and case do not matter."""
    return " ".join(text.split()).casefold()


def read_queries(path: str | Path) -> list[Query]:
    """The queries of a file in its order, repeated ones as often as they are there: a log is replayed as it was."""
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in ("", ".txt", ".log", ".jsonl", ".ndjson"):
        raise InputError(f"{path}: queries are not read from a {suffix} file", _REMEDY)
    lines = enumerate(_text(path).split("\n"), 1)
    read = _from_json if suffix in (".jsonl", ".ndjson") else _from_line
    queries = [read(path, number, line) for number, line in lines if line.strip()]
    if not queries:
        raise InputError(f"{path} holds no query", _REMEDY)
    return queries


def self_queries(queries: Sequence[Query], chunks: Sequence[Chunk]) -> list[Query]:
    """Those that are the whole text of a chunk: such a query finds itself, and says nothing about the index."""
    asked = {normalised(query.text) for query in queries}
    longest = 4 * max(map(len, asked), default=0) + 100  # white space and case change the length by less than that
    found = {normalised(chunk.content) for chunk in chunks if len(chunk.content) <= longest} & asked
    return [query for query in queries if normalised(query.text) in found] if found else []


def answered_by(queries: Sequence[Query], chunks: Sequence[Chunk]) -> tuple[list[Query], list[str]]:
    """The queries of a file with the ids of the chunks that answer them, and what is to be told about their labels.

    The name of a file stands for all of its chunks. InputError for self-queries, and for labels of which none fits.
    """
    if found := self_queries(queries, chunks):
        message = f"{len(found)} of {len(queries)} queries are the whole text of an indexed chunk, and would find it"
        raise InputError(f"{message}: {found[0].text[:60]!r}", "ask for a passage in other words than its own")
    files: dict[str, list[str]] = {}
    for chunk in chunks:
        files.setdefault(chunk.file_path, []).append(chunk.id)
    ids = files | {chunk.id: [chunk.id] for chunk in chunks}
    answered = []
    unknown = []
    for query in queries:
        names = [name if name in ids else name.removeprefix("./") for name in query.relevant]
        unknown += [name for name in names if name not in ids]
        answers = dict.fromkeys(chunk_id for name in names for chunk_id in ids.get(name, ()))
        answered.append(query._replace(relevant=tuple(answers)))
    if unknown and not any(query.relevant for query in answered):
        message = f"none of the {len(unknown)} relevant chunks or files is indexed; the first is {unknown[0][:60]!r}"
        raise InputError(message, "name files by their path below the folder, such as guide/start.md")
    some = (
        f"{len(unknown)} relevant chunks or files are not indexed; the first is {unknown[0][:60]!r}" if unknown else ""
    )
    return answered, [some] if some else []


def queries_for_chunks(chunks: Sequence[Chunk], count: int, seed: int = 0) -> list[Query]:
    """A query out of each of `count` chunks of an index that exists, from which nothing can be taken out any more.

    Its chunk is named as its `own`, to be left out of what is found and of what should be. That says nothing where
    others hold the same words, so a text that is in the chunks beside it, or in others looked at, is not asked for.
    Fewer than `count` where not so many chunks are fit; InputError if none is.
    """
    contents = Counter(hash(chunk.content) for chunk in chunks)
    places = {(chunk.file_path, chunk.chunk_index): chunk.content for chunk in chunks}
    looked_at = random.Random(seed).sample(chunks, min(len(chunks), _TRIES * count))
    everything = "\n".join(normalised(chunk.content) for chunk in looked_at)
    sentences: list[Query] = []
    middles: list[Query] = []
    for chunk in looked_at:
        if contents[hash(chunk.content)] > 1:
            continue
        beside = normalised("\n".join(places.get((chunk.file_path, chunk.chunk_index + step), "") for step in (-1, 1)))
        for texts, kept in ((_questions(chunk), sentences), (_middle(chunk), middles)):
            fit = (text for text in texts if _asks_for_one(normalised(text), everything, beside))
            if text := next(fit, ""):
                kept.append(Query(text, own=chunk.id))
                break
        if len(sentences) == count:
            break
    refused = {query.text for query in self_queries(middles, chunks)}
    found = [*sentences, *(query for query in middles if query.text not in refused)][:count]
    if not found:
        message = f"none of the {len(chunks)} chunks of the index holds words of its own that could be asked for"
        raise InputError(message, "give a file of queries with --queries")
    return found


def _asks_for_one(words: str, everything: str, beside: str) -> bool:
    first = everything.find(words)
    return 0 < len(words) <= MOST_QUERY_CHARACTERS and words not in beside and everything.find(words, first + 1) < 0


def _questions(chunk: Chunk) -> Iterator[str]:
    """Headings where the chunk kept its lines, then sentences."""
    if "\n" in chunk.content:
        yield from (heading.title for heading in markdown_headings(chunk.content) if len(heading.title.split()) > 1)
    yield from sentences_in(chunk.content)


def _middle(chunk: Chunk) -> list[str]:
    """Words that no chunk beside it repeats, as long as chunks overlap by less than half."""
    words = chunk.content.split()
    start = max(0, (len(words) - _MIDDLE_WORDS) // 2)
    return [" ".join(words[start : start + _MIDDLE_WORDS])]


def _text(path: Path) -> str:
    try:
        if path.exists() and not path.is_file():
            kind = "a folder" if path.is_dir() else "no regular file"
            raise InputError(f"{path} is {kind}, where a file of queries is expected", _REMEDY)
        if path.stat().st_size > _MOST_FILE_BYTES:
            raise InputError(f"{path}: more than {_MOST_FILE_BYTES >> 20} MB of queries", "name a shorter file")
        text, repair = decode(path.read_bytes())
    except NotTextError as error:
        raise InputError(f"{path}: no file of queries: {error}", _REMEDY) from error
    except (OSError, ValueError) as error:
        cause = error.strerror if isinstance(error, OSError) else "not a file name"
        raise InputError(f"{path}: the queries cannot be read: {cause}", "check the path") from error
    if repair:
        raise InputError(f"{path} is not UTF-8, so its queries would be other words", "save it as UTF-8")
    return text


def _from_line(path: Path, number: int, line: str) -> Query:
    return Query(_checked(path, number, line))


def _from_json(path: Path, number: int, line: str) -> Query:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}, line {number}: not JSON", _REMEDY) from error
    if not isinstance(entry, dict) or not isinstance(entry.get("query"), str) or not entry["query"].strip():
        raise InputError(f'{path}, line {number}: no text under "query"', _REMEDY)
    return Query(_checked(path, number, entry["query"]), _relevant(path, number, entry.get("relevant")))


def _relevant(path: Path, number: int, names: Any) -> tuple[str, ...]:
    listed = [names] if isinstance(names, str | int) else names or []
    if not isinstance(listed, list) or not all(type(name) in (str, int) for name in listed):
        raise InputError(f'{path}, line {number}: "relevant" is no list of chunk ids or file paths', _REMEDY)
    return tuple(without_half_characters(str(name)) for name in listed)


def _checked(path: Path, number: int, text: str) -> str:
    text = without_half_characters(text.strip())
    if len(text) > MOST_QUERY_CHARACTERS:
        message = f"{path}, line {number}: a query of {len(text):,} characters; {MOST_QUERY_CHARACTERS:,} at most"
        raise InputError(message, "shorten it")
    return text
