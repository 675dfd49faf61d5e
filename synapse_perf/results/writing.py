"""What text does a result become?"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path

from synapse_perf.atomic_files import write_atomically
from synapse_perf.errors import MeasurementError
from synapse_perf.field_errors import field_errors, path_text
from synapse_perf.model import Json, Result, Suite
from synapse_perf.results.schema import adapter

_LEADING = ("kind", "schema_version")  # first in the file, so that a reader sees at once what it is
_LINE_LENGTH = 120
_REMEDY = "this is a fault of synapse-perf: please report it with the command that you ran"


def dumps(result: Result | Suite) -> str:
    """The text of a result file, which is certain to load again.

    Keys come in the order of the data classes, those of open mappings as they were put in. Floats are rounded to 15
    significant digits: a double carries that many for certain, and the noise of binary arithmetic beyond them goes
    (0.30000000000000004 is written as 0.3). A number that is not finite means "not known" and becomes null; where the
    schema demands a number it raises MeasurementError, as does any other value that a result file cannot hold.
    """
    from pydantic import ValidationError

    text = _lay_out(_plain(result), 0) + "\n"
    text = text.encode("utf-8", "replace").decode()  # a file name that is not UTF-8 has lone surrogates in it
    try:
        adapter().validate_json(text)
    except ValidationError as error:
        location, words = field_errors(error.errors())[0]
        raise MeasurementError(f"the result is not valid: {path_text(location[1:])} {words}", _REMEDY) from error
    return text


def write(path: str | Path, result: Result | Suite) -> None:
    """Write the result file whole or not at all; raises InputError with the cause if the file cannot be written."""
    write_atomically(path, dumps(result))


def _plain(value: Json) -> Json:
    if isinstance(value, float):
        return _rounded(value) if math.isfinite(value) else None
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise MeasurementError("the result is not valid: a key that is not text", _REMEDY)
        return {key: _plain(item) for key, item in value.items()}
    if is_dataclass(value):
        names = [field.name for field in fields(value)]
        leading = [name for name in _LEADING if name in names]
        return {name: _plain(getattr(value, name)) for name in dict.fromkeys(leading + names)}
    raise MeasurementError(f"the result is not valid: a value of type {type(value).__name__}", _REMEDY)


def _rounded(value: float) -> float:
    short = float(f"{value:.15g}")
    return short if math.isfinite(short) else value  # the largest doubles round up beyond what a double holds


def _lay_out(value: Json, depth: int) -> str:
    """JSON with one line for what fits in it and for lists of numbers, so that a diff shows what changed."""
    if isinstance(value, dict):
        parts = [f"{_scalar(key)}: {_lay_out(item, depth + 1)}" for key, item in value.items()]
        opening, closing = "{}"
    elif isinstance(value, list):
        if not any(isinstance(item, (dict, list)) for item in value):
            return _scalar(value)
        parts = [_lay_out(item, depth + 1) for item in value]
        opening, closing = "[]"
    else:
        return _scalar(value)
    if sum(map(len, parts)) + 2 * len(parts) + 2 * depth <= _LINE_LENGTH and not any("\n" in part for part in parts):
        return opening + ", ".join(parts) + closing
    line = "\n" + "  " * (depth + 1)
    return f"{opening}{line}{f',{line}'.join(parts)}\n{'  ' * depth}{closing}"


def _scalar(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
