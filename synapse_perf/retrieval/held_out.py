"""Which questions can be taken out of the texts themselves, so that none is found by its own words?"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from synapse_perf.retrieval.corpus import Document
from synapse_perf.retrieval.headings import Span
from synapse_perf.retrieval.passages import Pair, pairs_in
from synapse_perf.retrieval.queries import normalised

_SPARE = 1.5  # pairs taken out for each query wanted: some prove unfit once the text is cut into chunks
_TRIES = 10  # documents looked at for each pair wanted


class HeldOut(NamedTuple):
    """A query and the passage that answers it, in the text from which the query is gone."""

    query: str
    path: str
    start: int
    end: int


def hold_out(documents: Sequence[Document], count: int, seed: int) -> tuple[list[Document], list[HeldOut]]:
    """The documents without the texts of the queries, and the queries, more than `count` where there are as many."""
    pairs = _chosen(documents, int(count * _SPARE) + 1, seed)
    by_path: dict[str, list[Pair]] = {}
    for path, pair in pairs:
        by_path.setdefault(path, []).append(pair)
    kept, held = [], {}
    for document in documents:
        if document.path not in by_path:
            kept.append(document)
            continue
        cut = sorted(by_path[document.path], key=lambda pair: pair.cut)
        text, passages = _without(document.text, cut)
        kept.append(document._replace(text=text, headings=()))
        for pair, (start, end) in zip(cut, passages, strict=True):
            held[document.path, pair.query] = HeldOut(pair.query, document.path, start, end)
    return kept, [held[path, pair.query] for path, pair in pairs]


def _chosen(documents: Sequence[Document], wanted: int, seed: int) -> list[tuple[str, Pair]]:
    """A few of many documents before many of a few, in an order that only the seed decides."""
    first: list[tuple[str, Pair]] = []
    rest: list[tuple[str, Pair]] = []
    seen: Counter[str] = Counter()
    most = -(-wanted // max(1, len(documents)))
    for document in sorted(documents, key=lambda document: _rank(seed, document.path))[: _TRIES * wanted]:
        found = sorted(pairs_in(document), key=lambda pair: _rank(seed, document.path, pair.query))
        seen.update(normalised(pair.query) for pair in found)
        first += [(document.path, pair) for pair in found[:most]]
        rest += [(document.path, pair) for pair in found[most:]]
        if len(first) >= wanted:
            break
    unique = (item for item in first + rest if seen[normalised(item[1].query)] == 1)
    return list(unique)[:wanted]


def _without(text: str, pairs: Iterable[Pair]) -> tuple[str, list[Span]]:
    """The text without the cut spans, which are in order, and where each passage then is."""
    parts, passages, position, removed = [], [], 0, 0
    for pair in pairs:
        parts.append(text[position : pair.cut[0]])
        position = pair.cut[1]
        removed += pair.cut[1] - pair.cut[0]
        passages.append((pair.passage[0] - removed, pair.passage[1] - removed))
    return "".join((*parts, text[position:])), passages


def _rank(seed: int, *names: str) -> bytes:
    key = "\0".join((str(seed), *names)).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(key, digest_size=8).digest()
