"""Where are the headings of a markdown or reStructuredText file?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

Span = tuple[int, int]

_MOST_HEADING_CHARACTERS = 300  # a longer line is no heading, and is not searched for the signs of one
_ATX = re.compile(r" {0,3}#{1,6}[ \t]+(\S.*)")
_ATX_END = re.compile(r"[ \t]#+$")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_SETEXT = re.compile(r" {0,3}(=+|-+)[ \t]*")
_ADORNMENT = re.compile(r"""([=\-`:.'"~^_*+#<>])\1{2,}""")
_BLOCK_SIGNS = ("#", ">", "-", "*", "+", "|", "`", "~", "    ")


class Heading(NamedTuple):
    """The words of a heading, and the span of all that makes it one: signs, underline, overline."""

    title: str
    span: Span


def markdown_headings(text: str) -> Iterator[Heading]:
    """Headings of both kinds, outside code and front matter."""
    fence = ""
    above, before, before_start = "", "", 0
    for start, line in _lines(text, _front_matter_end(text)):
        opened = _FENCE.match(line)
        if fence:
            fence = "" if opened and opened[1].startswith(fence) and not line.strip(" `~") else fence
            line = ""
        elif opened:
            fence, line = opened[1], ""
        elif heading := _ATX.fullmatch(line):
            title = _ATX_END.sub("", heading[1].rstrip()).rstrip()
            yield Heading(title, (start, start + len(line)))
            line = ""
        elif _SETEXT.fullmatch(line) and before.strip() and not above.strip() and not before.startswith(_BLOCK_SIGNS):
            yield Heading(before.strip(), (before_start, start + len(line)))
            line = ""
        above, before, before_start = before, line, start


def restructuredtext_headings(text: str) -> Iterator[Heading]:
    """Titles with an underline that is long enough, and their overline if they have one."""
    above: tuple[int, str] = (0, "")
    title: tuple[int, str] = (0, "")
    for start, line in _lines(text, 0):
        underline = line.rstrip()
        words = title[1].strip()
        if (
            words
            and not _ADORNMENT.fullmatch(words)
            and _ADORNMENT.fullmatch(underline)
            and len(words) <= len(underline)
        ):
            overlined = above[1].rstrip() == underline
            if overlined or not above[1].strip():
                yield Heading(words, (above[0] if overlined else title[0], start + len(line)))
        above, title = title, (start, line)


def _lines(text: str, position: int) -> Iterator[tuple[int, str]]:
    """Every line with its place; one that is too long for a heading comes as a sign that means nothing here."""
    while position < len(text):
        end = text.find("\n", position)
        end = len(text) if end < 0 else end
        yield position, text[position:end] if end - position <= _MOST_HEADING_CHARACTERS else "|"
        position = end + 1


def _front_matter_end(text: str) -> int:
    """Where a markdown file begins after the fields that some programs write above it."""
    if not text.startswith("---\n"):
        return 0
    end = text.find("\n---\n", 3)
    return end + 5 if end >= 0 else 0
