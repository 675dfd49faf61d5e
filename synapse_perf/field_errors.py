"""Which field of a file is wrong, and how is that said in one plain line?"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Location = tuple[int | str, ...]

_EXPECTED = {
    "float_type": "a number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "string_type": "text",
    "bool_type": "true or false",
    "finite_number": "a finite number",
    "dataclass_type": "a table of fields",
    "dict_type": "a table of fields",
    "mapping_type": "a table of fields",
    "tuple_type": "a list",
    "list_type": "a list",
}
# The branches of a union end the location of its errors: facts.read_bytes[0].int is no field of the file.
_BRANCHES = frozenset({"float", "int", "str", "bool"})


def path_text(location: Sequence[int | str]) -> str:
    """Write a location as people read it: ``metrics[0].summary.median``."""
    text = ""
    for step in location:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            name = step if step.replace("-", "").replace("_", "").isalnum() and len(step) <= 60 else short_text(step)
            text += f".{name}" if text else name
    return text or "the whole file"


def short_text(value: object) -> str:
    """A value from a file in at most 40 characters, on one line and without control characters."""
    text = json.dumps(value, default=str)
    return text if len(text) <= 40 else f"{text[:37]}..."


def field_errors(errors: Iterable[ErrorDetails]) -> list[tuple[Location, str]]:
    """Each wrong field once, with what is wrong about it, in the order of the file."""
    branches: dict[Location, list[str]] = {}
    found: dict[Location, str] = {}
    for error in errors:
        location: Location = tuple(error["loc"])
        if location and location[-1] in _BRANCHES and error["type"] in _EXPECTED:
            location = location[:-1]
            words = branches.setdefault(location, [])
            words.append(_EXPECTED[error["type"]])
            # A union is met by any of its branches, so an infinite number is still only said to be no finite one.
            expected = "a finite number" if "a finite number" in words else " or ".join(words)
            found[location] = f"must be {expected}, not {_kind_of(error['input'])}"
        else:
            found.setdefault(location, _words(error))
    return list(found.items())


def _words(error: ErrorDetails) -> str:
    kind = error["type"]
    if kind == "missing":
        return "is missing"
    if kind in ("unexpected_keyword_argument", "extra_forbidden"):
        return "is not a known field"
    if kind == "literal_error":
        return f"must be {error['ctx']['expected']}, not {short_text(error['input'])}"
    if kind in _EXPECTED:
        return f"must be {_EXPECTED[kind]}, not {_kind_of(error['input'])}"
    return error["msg"][:1].lower() + error["msg"][1:]


def _kind_of(value: object) -> str:
    if isinstance(value, Mapping):
        return "a table of fields"
    if isinstance(value, (list, tuple)):
        return "a list"
    return "null" if value is None else short_text(value)


def suggestion(word: str, known: Iterable[str]) -> str:
    """What to write instead of an unknown word: the nearest known one, or all of them."""
    known = sorted(known)
    nearest = get_close_matches(word, known, n=1)
    return f"did you mean '{nearest[0]}'?" if nearest else f"known here: {', '.join(known)}"
