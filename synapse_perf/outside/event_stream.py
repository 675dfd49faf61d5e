"""Which events does a stream of server-sent events hold, however its bytes are cut into pieces?

The rules are those of the HTML standard (server-sent events, interpreting a stream), but for one: llama-server tells a
failure in a field of its own, ``error:``, so that field is an event too.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import NamedTuple

LONGEST_LINE = 8 * 1024 * 1024  # characters: what goes on without an end is no stream of events


class Event(NamedTuple):
    """What an empty line ended: its `data` lines joined, or the text of an error field."""

    data: str
    is_error: bool = False


class TooLong(ValueError):  # noqa: N818  # says what happened
    """A line without an end."""


class EventStream:
    """Takes bytes as they come and gives the events that are complete; what is cut off at the end is none."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self._line = ""
        self._data: list[str] = []
        self._after_return = False  # the line ended with \r, and the \n of a \r\n may be still to come

    def feed(self, piece: bytes) -> Iterator[Event]:
        """Every event that these bytes complete, in order; TooLong for a line that never ends."""
        text = self._decoder.decode(piece)
        if self._after_return and text:
            self._after_return = False
            text = text.removeprefix("\n")
        self._after_return = self._after_return or text.endswith("\r")
        *lines, rest = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        for line in lines:
            whole, self._line = self._line + line, ""
            yield from self._take(whole)
        self._line += rest
        if len(self._line) > LONGEST_LINE:
            raise TooLong(f"a line of more than {LONGEST_LINE} characters")

    def _take(self, line: str) -> Iterator[Event]:
        if not line:
            if self._data:
                yield Event("\n".join(self._data))
            self._data = []
            return
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            self._data.append(value)
        elif field == "error":
            yield Event(value, is_error=True)
