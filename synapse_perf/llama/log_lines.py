"""How does a llama.cpp log become lines with a time, whether its callback delivered it or somebody saved it?"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

LEVEL_DEBUG, LEVEL_INFO, LEVEL_WARN, LEVEL_ERROR, LEVEL_CONT = 1, 2, 3, 4, 5  # enum ggml_log_level

_LETTERS = {"D": LEVEL_DEBUG, "I": LEVEL_INFO, "W": LEVEL_WARN, "E": LEVEL_ERROR}
_WORDS = {"debug": LEVEL_DEBUG, "info": LEVEL_INFO, "warn": LEVEL_WARN, "error": LEVEL_ERROR}
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
# Minutes.seconds.milliseconds.microseconds and the level's letter; some builds leave the microseconds out.
_STAMP = re.compile(r"(?:^|[\s|:\]])(\d{1,6})\.([0-5]\d)\.(\d{3})(?:\.(\d{3}))? ([DIWE])(?: |$)")
_LETTER = re.compile(r"^([DIWE]) (?=[\w~]+:|srv |slot |cmn |spec |main)")
_CONTAINER = re.compile(r"^[\w.-]{1,64}\s{1,40}\| ")
_STAMP_WITHIN = 120  # a stamp comes before the text, behind at most a container's or a journal's own prefix


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line; its time is that of its first fragment (any clock), its level ggml's number; None where not said."""

    time_ns: int | None
    level: int | None
    text: str


def join_fragments(fragments: Iterable[tuple[int | None, int | None, str | bytes]]) -> list[LogLine]:
    """Lines from what llama_log_set delivers: (stamp, level, text) pieces, dots and line ends apart.

    A piece of another level begins a line of its own even where the line before was never ended, as progress dots are
    not when a load stops short of 100 %.
    """
    lines: list[LogLine] = []
    pieces: list[str] = []
    started: tuple[int | None, int | None] = (None, None)

    def finish() -> None:
        lines.append(LogLine(*started, "".join(pieces).rstrip("\r")))
        pieces.clear()

    for stamp, level, raw in fragments:
        text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else raw
        if pieces and level != LEVEL_CONT and level != started[1]:
            finish()
        *whole, rest = text.split("\n")
        for part in whole:
            if not pieces:
                started = (stamp, level)
            pieces.append(part)
            finish()
        if rest:
            if not pieces:
                started = (stamp, level)
            pieces.append(rest)
    if pieces:
        finish()
    return lines


def read_text(text: str | bytes) -> list[LogLine]:
    """Lines of a saved log: plain, with llama.cpp's timestamps, or as JSON lines; with colours or container prefixes.

    Times are in ns since the process started its log, as llama.cpp counts them; without timestamps they are None.
    """
    whole = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    lines: list[LogLine] = []
    for raw in whole.split("\n"):
        line = raw.rstrip("\r")
        if "\x1b" in line:
            line = _ANSI.sub("", line)
        if line.startswith('{"'):
            lines += _json_lines(line)
            continue
        dots = len(line) - len(line.lstrip("."))
        if 0 < dots < len(line):
            # Progress dots have no line end of their own when they stop early: the next message is glued to them.
            lines.append(LogLine(None, LEVEL_CONT, line[:dots]))
            line = line[dots:]
        lines.append(_text_line(line))
    if lines and not lines[-1].text and lines[-1].level is None:
        lines.pop()  # what follows the last line end
    return lines


def as_text(lines: Iterable[LogLine], origin_ns: int) -> str:
    """The lines as llama.cpp writes them with ``--log-timestamps``, counted from `origin_ns`: `read_text` undoes it."""
    letters = {level: letter for letter, level in _LETTERS.items()}
    return "".join(f"{_stamp(line, origin_ns, letters)}{line.text}\n" for line in lines)


def _stamp(line: LogLine, origin_ns: int, letters: dict[int, str]) -> str:
    if line.time_ns is None or line.level not in letters:
        return ""
    microseconds = max(line.time_ns - origin_ns, 0) // 1000
    seconds, rest = divmod(microseconds, 1_000_000)
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes}.{seconds:02d}.{rest // 1000:03d}.{rest % 1000:03d} {letters[line.level]} "


def is_timed(lines: Iterable[LogLine]) -> bool:
    """Whether any line has a time, so that phases can be told."""
    return any(line.time_ns is not None for line in lines)


def _text_line(line: str) -> LogLine:
    stamp = _STAMP.search(line, 0, _STAMP_WITHIN)
    if stamp is not None:
        minutes, seconds, milliseconds, microseconds = (int(part or 0) for part in stamp.group(1, 2, 3, 4))
        time_ns = ((minutes * 60 + seconds) * 1000 + milliseconds) * 1_000_000 + microseconds * 1000
        return LogLine(time_ns, _LETTERS[stamp[5]], line[stamp.end() :])
    line = _CONTAINER.sub("", line, count=1)
    letter = _LETTER.match(line)
    if letter is not None:
        return LogLine(None, _LETTERS[letter[1]], line[letter.end() :])
    return LogLine(None, None, line)


def _json_lines(line: str) -> list[LogLine]:
    """A line of ``--log-jsonl``; anything else in braces is taken as text."""
    try:
        entry = json.loads(line)
        message, microseconds = entry["msg"], entry.get("time")
    except (ValueError, KeyError, TypeError, AttributeError):
        return [LogLine(None, None, line)]
    timed = isinstance(microseconds, int) and microseconds > 0
    time_ns = microseconds * 1000 if timed else None
    level = _WORDS.get(str(entry.get("level")))
    return [LogLine(time_ns, level, part) for part in str(message).rstrip("\n").split("\n")]
