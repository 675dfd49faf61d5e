"""Which characters may the output hold? No control characters ever, and ASCII alone where the encoding needs it."""

from __future__ import annotations

import codecs
import os
import unicodedata
from typing import TextIO

_ASCII = str.maketrans(
    {
        "–": "-",
        "—": "-",
        "−": "-",
        "…": "..",
        "×": "x",
        "·": "|",
        "µ": "u",
        "μ": "u",
        "±": "+-",
        "≤": "<=",
        "≥": ">=",
        "→": "->",
        "‘": "'",
        "’": "'",
        "“": '"',
        "”": '"',
        "\u00a0": " ",
        **dict(zip("▁▂▃▄▅▆▇█", "_.:-=+*#", strict=True)),
    }
)


def clean(text: str) -> str:
    """The text without what could move the cursor, change colours or turn the reading direction."""
    if text.isprintable():
        return text
    return "".join(
        char if char == "\n" or char.isprintable() else " " if char.isspace() else "?"
        for char in text.replace("\r\n", "\n")
    )


def to_ascii(text: str) -> str:
    """The text in ASCII: known signs spelled out, accents dropped, the rest as question marks."""
    if text.isascii():
        return text
    spelled = unicodedata.normalize("NFKD", text.translate(_ASCII))
    kept = "".join(char for char in spelled if not unicodedata.combining(char))
    return kept.encode("ascii", "replace").decode("ascii")


def needs_ascii(stream: TextIO) -> bool:
    """Whether the stream's encoding can hold less than all of Unicode."""
    try:
        return codecs.lookup(stream.encoding or "ascii").name not in {"utf-8", "utf-8-sig", "utf-16", "utf-32"}
    except (LookupError, AttributeError):
        return True


def wants_color(stream: TextIO) -> bool:
    """Whether to colour what goes to this stream: a capable terminal, and nobody asked not to (https://no-color.org)."""
    if os.environ.get("NO_COLOR"):
        return False
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def shorten_middle(text: str, limit: int, mark: str = "…") -> str:
    """At most `limit` characters, both ends kept: how model files are told apart."""
    if len(text) <= limit:
        return text
    kept = max(limit - len(mark), 2)
    head = (kept + 1) // 2
    return f"{text[:head]}{mark}{text[len(text) - (kept - head) :]}"
