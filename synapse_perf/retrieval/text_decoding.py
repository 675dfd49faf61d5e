"""In which encoding is a file written, and is it text at all?"""

from __future__ import annotations

import codecs
import re

_MARKS = (  # the longer first: UTF-32 begins like UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROL = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f]")  # those that no text needs; escape begins a colour in a log
_HALF_CHARACTER = re.compile("[\ud800-\udfff]")
_MOST_UNREADABLE = 0.05  # of the characters: beyond, what is left says more about the file format than about its text


class NotTextError(ValueError):
    """The bytes are no text; the message says why, in a few words."""


def decode(data: bytes) -> tuple[str, str]:
    """The text with plain line ends, and how it had to be read if it is not what it claims to be, else "".

    A file with a damaged character is kept: to leave it out would change the corpus more than one sign does.
    """
    text, repair = _decoded(data)
    unreadable = text.count("\ufffd") if repair else 0
    unreadable += len(_CONTROL.findall(text))
    if unreadable > _MOST_UNREADABLE * len(text):
        raise NotTextError("no text in an encoding that is known here")
    return text.replace("\r\n", "\n").replace("\r", "\n"), repair


def without_half_characters(text: str) -> str:
    r"""What JSON may spell as `\ud83d` alone is no character, and no encoder takes it."""
    return _HALF_CHARACTER.sub("\ufffd", text)


def _decoded(data: bytes) -> tuple[str, str]:
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "")
    if not encoding and b"\0" in data:
        raise NotTextError("binary (it holds NUL bytes)")
    try:
        return data.decode(encoding or "utf-8"), ""
    except UnicodeDecodeError:
        return _repaired(data, encoding)


def _repaired(data: bytes, encoding: str) -> tuple[str, str]:
    """As UTF-8 with replaced characters where most of it is UTF-8, else as Windows-1252."""
    text = data.decode(encoding or "utf-8", "replace")
    damaged = text.count("\ufffd")
    if not encoding and damaged > sum(not character.isascii() for character in text) - damaged:
        try:
            return data.decode("cp1252"), "read as Windows-1252"
        except UnicodeDecodeError:
            pass  # five of its bytes mean nothing
    return text, f"read with {damaged} replaced character{'s' if damaged > 1 else ''}"
