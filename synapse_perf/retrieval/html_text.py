"""What would a reader of an HTML page see, and what are its headings?

An own scanner: html.parser needs quadratic time and more for a page that is cut off inside a tag, in most of the Python
versions that are in use, and a folder of pages from elsewhere has such a page.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from itertools import accumulate

_RAW = frozenset(("script", "style"))
_UNSEEN = frozenset(("template", "noscript", "svg", "math"))
_HEADING = re.compile("title|h[1-6]")
_BLOCK = re.compile(
    "title|h[1-6]|address|article|aside|blockquote|body|dd|details|div|dl|dt|fieldset|figcaption|figure|footer|form|head"
    "|header|hr|li|main|nav|ol|p|pre|section|summary|table|tr|ul"
)
_SPACES = frozenset(("br", "td", "th", "img", "button", "option"))

_TAG = re.compile(r"<(/?)([a-zA-Z][^\s/>]*)")
_REST_OF_TAG = re.compile(r"""(?:[^>"']++|"[^"]*+"|'[^']*+')*+>""")
_RAW_END = {tag: re.compile(rf"</{tag}", re.IGNORECASE) for tag in _RAW}
_OTHER_ENDS = {"!": ">", "?": ">", "/": ">"}  # declarations, instructions, and end tags without a name


def read_html(page: str) -> tuple[str, tuple[tuple[int, int], ...]]:
    """The text of a page, a paragraph a block, and the spans of its headings in that text."""
    blocks = list(_blocks(page))
    if any(tag == "h1" for tag, _ in blocks):
        # A title is not on the page itself, and mostly says what the first heading says.
        blocks = [(tag, text) for tag, text in blocks if tag != "title"]
    ends = accumulate(len(text) + 2 for _, text in blocks)
    spans = (
        (end - 2 - len(text), end - 2) for end, (tag, text) in zip(ends, blocks, strict=True) if _HEADING.fullmatch(tag)
    )
    return "\n\n".join(text for _, text in blocks), tuple(spans)


def _blocks(page: str) -> Iterator[tuple[str, str]]:
    """Each run of text between two tags that begin or end a block, and the tag that began it."""
    pieces: list[str] = []
    begun, unseen, depth = "", "", 0
    for tag, closes, data in _scan(page):
        if unseen:
            depth += (-1 if closes else 1) if tag == unseen else 0
            unseen = unseen if depth else ""
        elif tag in _UNSEEN:
            unseen, depth = ("", 0) if closes else (tag, 1)
        elif _BLOCK.fullmatch(tag):
            if text := " ".join("".join(pieces).split()):
                yield begun, text
            pieces, begun = [], "" if closes else tag
        else:
            pieces.append(" " if tag in _SPACES else data)
    if text := " ".join("".join(pieces).split()):
        yield begun, text


def _scan(page: str) -> Iterator[tuple[str, bool, str]]:
    """(tag, whether it closes, "") or ("", False, text); what is cut off at the end is left out, as browsers do."""
    position = 0
    quotes_fit = True
    while (opening := page.find("<", position)) >= 0:
        yield "", False, html.unescape(page[position:opening])
        tag = _TAG.match(page, opening)
        if tag is None:
            mark = "-->" if page.startswith("<!--", opening) else _OTHER_ENDS.get(page[opening + 1 : opening + 2])
            if mark is None:
                yield "", False, "<"
            position = _after(page, mark, opening + 1) if mark else opening + 1
            continue
        rest = _REST_OF_TAG.match(page, tag.end()) if quotes_fit else None
        quotes_fit = rest is not None  # a quote that nothing closes: from here on a tag ends at the first ">"
        position = rest.end() if rest else _after(page, ">", tag.end())
        name, closes = tag[2].lower(), bool(tag[1])
        yield name, closes, ""
        if page.startswith("/", position - 2):
            yield name, True, ""
        elif name in _RAW and not closes:
            end = _RAW_END[name].search(page, position)
            position = _after(page, ">", end.end()) if end else len(page)
    yield "", False, html.unescape(page[position:])


def _after(page: str, mark: str, start: int) -> int:
    """Where the page goes on after the mark: nowhere if it is missing."""
    found = page.find(mark, start)
    return found + len(mark) if found >= 0 else len(page)
