"""Which keys does a log of the user's hold, in order, and over how long were they asked for?

One key a line, or a time, a tab and the key: ISO 8601 or seconds, on every line or on none. Standard library only, as
the worker reads it in the user's own environment.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple, TypeAlias

Key: TypeAlias = "str | int"
FORM = "write one key a line, or TIME<TAB>KEY on every line"


class KeyLog(NamedTuple):
    """The keys as they were asked for; `span_s`: from the first to the last, None where no times are told."""

    keys: list[Key]
    span_s: float | None


def read_key_log(data: bytes, kind: str) -> KeyLog:
    """`kind` is str or int; ValueError names the first line that is wrong."""
    keys: list[Key] = []
    times: list[float] = []
    has_times: bool | None = None
    for number, line in _lines(data):
        before, tab, after = line.partition("\t")
        moment = _moment(before) if tab else None
        if has_times is None:
            has_times = moment is not None
        if has_times:
            if moment is None:
                raise ValueError(f"line {number}: no time and tab before the key, as the first line has")
            times.append(moment)
            line = after
        keys.append(_key(line, kind, number))
    if not keys:
        raise ValueError("it has no key")
    span_s = max(times) - min(times) if times else 0.0
    return KeyLog(keys, span_s if span_s > 0 else None)


def _lines(data: bytes) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        try:
            text = line.decode("utf-8").rstrip("\r")
        except UnicodeDecodeError as error:
            raise ValueError(f"line {number}: not UTF-8") from error
        if text.strip():
            yield number, text


def _moment(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text.strip()).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def _key(text: str, kind: str, number: int) -> Key:
    if kind != "int":
        return text
    try:
        return int(text)
    except ValueError as error:
        raise ValueError(f"line {number}: not a whole number, as --key-type int asks for") from error
