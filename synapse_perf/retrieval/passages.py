"""Where in a document does a short text stand over the passage that it is about?"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from synapse_perf.retrieval.corpus import Document
from synapse_perf.retrieval.headings import Heading, Span, markdown_headings, restructuredtext_headings

_LEAST_PASSAGE_WORDS = 20
_LEAST_QUERY_WORDS, _MOST_QUERY_WORDS = 2, 30
_LEAST_SENTENCE_WORDS = 5
_LEAST_LETTERS = 0.75  # of the characters of a sentence, spaces included: below, it is code or a table
_PASSAGE_WORDS = 150  # where a paragraph goes on for pages, each of its passages has this many words or a few more
_MOST_CODE_CHARACTERS = 1 << 20  # a longer source is data in the clothes of code, and takes seconds to parse

_BLANK_LINE = re.compile(r"\n[ \t]*\n\s*")
_SENTENCE_END = re.compile(r"""[.?!]["')\]]?\s+(?=["'(\[]?[A-Z0-9])""")
_COMMENT_SIGN = re.compile(r"^[ \t]*(?://+!?|/?\*+|#+|--|;+)[ \t]?", re.MULTILINE)
_LINK = re.compile(r"!?\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])|:[a-z:]+:(?=`)|\{#[^}]*\}|<[^<>]*>")
_NUMBER = re.compile(r"(?:\d+(?:\.\d+)*[.)]?|[A-Z]\.|§)\s+(?=\S)")
_CODE_SIGN = re.compile(r"[{}=;|<>\[\]_]|\w\(|::")
_STRING_START = re.compile(r"""[rRuU]?(\"\"\"|''')\s*""")

# What stands over a passage in so many texts that it asks for none of them.
_GENERIC = re.compile(
    "api reference|basic usage|breaking changes|bug fixes|code of conduct|first steps|further reading|getting help"
    "|getting started|how it works|how to contribute|how to use(?: it)?|initialize self.|known issues|next steps"
    "|other changes|quick ?start(?: guide)?|release notes|(?:reference|user) guide|see also|table of contents"
    "|what it does|what is it.?|what.s new.?"
)


class Pair(NamedTuple):
    """A heading, first line or first sentence as a query; what is taken out with it, and the passage under it."""

    query: str
    cut: Span
    passage: Span


def pairs_in(document: Document) -> Iterator[Pair]:
    """Every pair in the document, in the order of its text: of sentences only where it is built of nothing better."""
    found = False
    for pair in _built_pairs(document):
        words = len(pair.query.split())
        if _LEAST_QUERY_WORDS <= words <= _MOST_QUERY_WORDS and not _GENERIC.fullmatch(pair.query.casefold()):
            found = True
            yield pair
    if not found and document.language != "docstring":
        yield from _sentences(document.text)


def first_sentences(text: str, span: Span) -> Iterator[Pair]:
    """Each passage of a paragraph that begins with a sentence of people's language, under that sentence."""
    start, words = span[0], 0
    after_first = 0
    position = start
    for end in [*(match.end() for match in _SENTENCE_END.finditer(text, *span)), span[1]]:
        words += len(text[position:end].split())
        position = end
        after_first = after_first or end
        if words < _PASSAGE_WORDS and end < span[1]:
            continue
        query = _without_signs(text[start:after_first])
        if _is_sentence(query) and _is_passage(text, (after_first, end)):
            yield Pair(query, (start, after_first), (after_first, end))
        start, words, after_first = end, 0, 0


def sentences_in(text: str) -> Iterator[str]:
    """Every whole sentence of people's language, without the first, of which the beginning may be elsewhere."""
    ends = [match.end() for match in _SENTENCE_END.finditer(text)]
    for start, end in zip(ends, [*ends[1:], len(text)], strict=False):
        sentence = _without_signs(text[start:end])
        if _is_sentence(sentence):
            yield sentence


def _built_pairs(document: Document) -> Iterator[Pair]:
    text = document.text
    if document.language == "docstring":
        return _summaries(text, [(0, len(text))])
    if document.language == "python":
        return _summaries(text, _docstrings(text))
    if document.language == "markdown":
        return _sections(text, markdown_headings(text))
    if document.language == "restructuredtext":
        return _sections(text, restructuredtext_headings(text))
    return _sections(text, (Heading(text[start:end], (start, end)) for start, end in document.headings))


def _sections(text: str, headings: Iterable[Heading]) -> Iterator[Pair]:
    """A heading over the text up to the next one."""
    listed = list(headings)
    ends = [*(heading.span[0] for heading in listed[1:]), len(text)]
    for heading, end in zip(listed, ends, strict=False):
        passage = (heading.span[1], end)
        if _is_passage(text, passage):
            yield Pair(_plain(heading.title), heading.span, passage)


def _plain(title: str) -> str:
    """The words of a heading without its marks, its links and its number."""
    words = " ".join(_LINK.sub(r"\1", title).replace("**", "").replace("`", "").replace("\\", "").split())
    return _NUMBER.sub("", words, count=1) if _NUMBER.match(words) else words


def _summaries(text: str, spans: Iterable[Span]) -> Iterator[Pair]:
    """The first paragraph of a docstring, or its first sentence if that is long, over the rest."""
    for start, end in spans:
        blank = _BLANK_LINE.search(text, start, end)
        head = (start, blank.start() if blank else end)
        query = " ".join(text[slice(*head)].split())
        if len(query.split()) > _MOST_QUERY_WORDS:
            yield from first_sentences(text, (start, end))
        elif blank and _is_passage(text, (blank.end(), end)) and _is_prose(query):
            yield Pair(query, (start, blank.end()), (blank.end(), end))


def _docstrings(text: str) -> Iterator[Span]:
    """What stands between the quotes of every docstring in three of them."""
    if len(text) > _MOST_CODE_CHARACTERS or not _STRING_START.search(text):
        return
    try:
        with warnings.catch_warnings(action="ignore"):
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    lines = text.split("\n")
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) or not node.body:
            continue
        first = node.body[0]
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            span = (
                starts[first.lineno - 1] + _characters(lines[first.lineno - 1], first.col_offset),
                starts[(first.end_lineno or 1) - 1]
                + _characters(lines[(first.end_lineno or 1) - 1], first.end_col_offset or 0),
            )
            quotes = _STRING_START.match(text, *span)
            if quotes and quotes.end() < span[1] - 3:
                yield quotes.end(), span[1] - 3


def _characters(line: str, octets: int) -> int:
    return octets if line.isascii() else len(line.encode()[:octets].decode(errors="ignore"))


def _sentences(text: str) -> Iterator[Pair]:
    start = 0
    for blank in _BLANK_LINE.finditer(text):
        yield from first_sentences(text, (start, blank.start()))
        start = blank.end()
    yield from first_sentences(text, (start, len(text)))


def _without_signs(text: str) -> str:
    return " ".join(_COMMENT_SIGN.sub("", text).split())


def _is_sentence(query: str) -> bool:
    return (
        _LEAST_SENTENCE_WORDS <= len(query.split()) <= _MOST_QUERY_WORDS
        and query[-1] in ".?!\"')]"
        and not _CODE_SIGN.search(query)
        and _is_prose(query)
    )


def _is_prose(query: str) -> bool:
    letters = sum(character.isalpha() or character == " " for character in query)
    return (query[:1].isalnum() or query[:1] in "`'\"") and "\\" not in query and letters >= _LEAST_LETTERS * len(query)


def _is_passage(text: str, span: Span) -> bool:
    return len(text[slice(*span)].split(None, _LEAST_PASSAGE_WORDS)) >= _LEAST_PASSAGE_WORDS
