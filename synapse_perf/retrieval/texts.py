"""What is indexed, what is asked, and which chunks are the right answers?"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import takewhile
from typing import Literal, NamedTuple

from synapse_perf.errors import InputError
from synapse_perf.retrieval.chunks import CHUNK_WORDS, OVERLAP_WORDS, Chunk, check_sizes, split_words
from synapse_perf.retrieval.corpus import Corpus, Document, Skipped, digest_of
from synapse_perf.retrieval.held_out import HeldOut, hold_out
from synapse_perf.retrieval.queries import Query, answered_by, normalised, self_queries

QUERIES = 200
_MANY_CHARACTERS = 100  # a word, on average over a chunk: minified code, or a language written without spaces


class Texts(NamedTuple):
    """Everything that an index and its judge need, and what was left out on the way."""

    chunks: list[Chunk]
    queries: list[Query]
    query_source: Literal["file", "held out", "sample"]
    skipped: list[Skipped]
    warnings: list[str]
    digest: str


def prepare_texts(
    corpus: Corpus,
    *,
    chunk_words: int = CHUNK_WORDS,
    overlap_words: int = OVERLAP_WORDS,
    queries: Sequence[Query] | None = None,
    count: int = QUERIES,
    seed: int = 0,
) -> Texts:
    """Cut the corpus into chunks, and take the given queries, or hold some out of it; InputError if there are none."""
    check_sizes(chunk_words, overlap_words)
    if count < 1:
        raise InputError(f"{count} queries measure nothing", "ask for 1 query or more")
    held: list[HeldOut] = []
    documents = corpus.documents
    if queries is None:
        documents, held = hold_out(documents, count, seed)
    by_path = {document.path: _chunks_of(document, chunk_words, overlap_words) for document in documents}
    chunks = [chunk for part in by_path.values() for chunk in part]
    warnings = _warnings(corpus, chunks)
    source: Literal["file", "held out", "sample"] = "sample" if corpus.packages else "held out"
    if queries is None:
        asked = _judged(held, by_path, count, corpus.source)
        if len(asked) < count:
            warnings.append(f"{len(asked)} queries could be taken out of the texts, {count} were asked for")
    else:
        asked, told = answered_by(queries, chunks)
        warnings += told
        source = "file"
    digest = digest_of([*((chunk.id, chunk.content) for chunk in chunks), *(("", query.text) for query in asked)])
    return Texts(chunks, asked, source, list(corpus.skipped), warnings, digest)


def _chunks_of(document: Document, size: int, overlap: int) -> list[Chunk]:
    path = document.path
    return [
        Chunk(f"{path}#{index}", path, content, index, start, end, document.language, document.modified_time)
        for index, (content, start, end) in enumerate(split_words(document.text, size, overlap))
    ]


def _judged(held: Sequence[HeldOut], by_path: dict[str, list[Chunk]], count: int, source: str) -> list[Query]:
    """The held-out queries with the chunks that hold their passages, without those whose words are still there."""
    queries = []
    for item in held:
        answers = _holding(by_path[item.path], item.start, item.end)
        words = normalised(item.query)
        if answers and not any(words in normalised(chunk.content) for chunk in answers):
            queries.append(Query(item.query, tuple(chunk.id for chunk in answers)))
    refused = set(self_queries(queries, [chunk for part in by_path.values() for chunk in part]))
    queries = [query for query in queries if query not in refused][:count]
    if not queries:
        message = f"{source}: no heading, docstring or sentence stands over a passage, so there is nothing to ask for"
        raise InputError(message, "give a file of queries with --queries")
    return queries


def _holding(chunks: Sequence[Chunk], start: int, end: int) -> list[Chunk]:
    """Chunks that hold half of the passage or lie in it by half; where none does, the one that holds the most."""
    first = bisect_right(chunks, start, key=lambda chunk: chunk.end_pos)
    touching = list(takewhile(lambda chunk: chunk.start_pos < end, chunks[first:]))
    shared = [min(end, chunk.end_pos) - max(start, chunk.start_pos) for chunk in touching]
    half = [
        chunk
        for chunk, length in zip(touching, shared, strict=True)
        if 2 * length >= min(end - start, chunk.end_pos - chunk.start_pos)
    ]
    return half or touching[: 1 + shared.index(max(shared))][-1:] if touching else []


def _warnings(corpus: Corpus, chunks: Sequence[Chunk]) -> list[str]:
    told = []
    if corpus.repaired:
        first = corpus.repaired[0]
        told.append(f"{len(corpus.repaired)} files are damaged or not UTF-8; the first, {first.path}, was {first.how}")
    giant = [chunk for chunk in chunks if len(chunk.content) > _MANY_CHARACTERS * (1 + chunk.content.count(" ")) > 0]
    if giant:
        message = f"{len(giant)} chunks have words of more than {_MANY_CHARACTERS} characters on average"
        told.append(f"{message}, of which an encoder reads the beginning; the first is {giant[0].id}")
    return told
