"""Which values have the variables of a checkout? Its `.env` files are read, and texts filled in, as compose does both.

Compose takes a variable from the environment before the file, and from an earlier line of the file before none at all.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

_VARIABLE = re.compile(r"\$(?:(\$)|([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(?:(:?[-+?])((?:[^{}]|\{[^{}]*\})*))?\})")
_LINE = re.compile(r"\s*(?:export\s+)?(\w+)\s*=\s*(.*?)\s*$")


def filled(text: str, variables: Mapping[str, str]) -> str:
    """The text with its variables filled in; one that is not set and has no default is empty, as in compose."""

    def value(match: re.Match[str]) -> str:
        if match[1]:
            return "$"
        found = variables.get(match[2] or match[3])
        kind, other = match[4] or "", match[5] or ""
        is_given = bool(found) if kind.startswith(":") else found is not None
        if kind.endswith("+"):
            return filled(other, variables) if is_given else ""
        if kind.endswith("-") and not is_given:
            return filled(other, variables)
        return found or ""

    return _VARIABLE.sub(value, text)


def read_env_file(path: Path) -> dict[str, str]:
    """The variables of a file of NAME=value lines, names in capitals; an unreadable one counts as missing."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, ValueError):
        return {}
    values: dict[str, str] = {}
    for line in lines:
        found = _LINE.fullmatch(line)
        if found and not line.lstrip().startswith("#"):
            values[found[1].upper()] = _value(found[2], {**values, **os.environ})
    return values


def _value(text: str, variables: Mapping[str, str]) -> str:
    quote = text[:1]
    if quote in ("'", '"') and (end := text.find(quote, 1)) > 0:
        inner = text[1:end]
        return inner if quote == "'" else filled(inner, variables)
    return filled(re.split(r"(?:^|\s+)#", text, maxsplit=1)[0], variables)
