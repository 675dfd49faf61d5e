"""Is this file a result, of which version, and what does it hold?"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path

from synapse_perf.errors import InputError, NotComparableError
from synapse_perf.field_errors import Location, field_errors, path_text, short_text
from synapse_perf.model import SCHEMA_VERSION, Json, Result, Suite
from synapse_perf.results.runs import find_run, is_run_name
from synapse_perf.results.schema import adapter

Migration = Callable[[dict[str, Json]], dict[str, Json]]

# version -> what makes a result or suite document of that version one of the next; the number itself is set here.
MIGRATIONS: Mapping[int, Migration] = {}

MAX_BYTES = 256 * 1024**2  # some ten million samples; more would not fit into an ordinary machine's memory
_NAME_ONE = "name a result file (written with --output FILE.json) or a saved run such as last"
_DAMAGED = "the file is damaged or was edited: take another copy, or measure again"


def load(path_or_name: str | Path, *, benchmark: str | None = None) -> Result | Suite:
    """Read a result file, or a saved run by its name (``last``, ``last~1``; of one benchmark if that is given).

    Raises NotComparableError for a newer schema and InputError for anything else that is no readable result.
    """
    if isinstance(path_or_name, str) and is_run_name(path_or_name):
        path_or_name = find_run(path_or_name, benchmark)
    name = str(path_or_name)
    return parse(read_bytes(name), short_text(name)[1:-1] if not name.isprintable() else name)


def parse(
    data: bytes, name: str, *, version: int = SCHEMA_VERSION, migrations: Mapping[int, Migration] = MIGRATIONS
) -> Result | Suite:
    """The result that the bytes of a file hold; `name` is what errors call the file, `version` what is read."""
    import pydantic_core

    try:
        document = pydantic_core.from_json(data, allow_inf_nan=False)
    except ValueError as error:
        raise InputError(f"{name}: not a result file: {_json_error(str(error), data)}", _DAMAGED) from error
    migrated = _migrate(document, name, version, migrations)
    if migrated is not document:
        data = pydantic_core.to_json(migrated)
    infinite = _infinite(migrated)
    if infinite is not None:
        raise InputError(f"{name}: {path_text(infinite)} must be a finite number", _DAMAGED)
    try:
        return adapter().validate_json(data)
    except pydantic_core.ValidationError as error:
        wrong = field_errors(error.errors())
        location, words = wrong[0]
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        raise InputError(f"{name}: {path_text(location[1:])} {words}{more}", _DAMAGED) from error


def read_bytes(name: str) -> bytes:
    """The bytes of a file that may hold a result; InputError for one that is missing, unreadable, huge or empty."""
    try:
        with Path(name).open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise InputError(f"{name}: no such file", _NAME_ONE) from error
    except IsADirectoryError as error:
        raise InputError(f"{name}: a directory, not a result file", _NAME_ONE) from error
    except OSError as error:
        raise InputError(f"{name}: cannot be read: {error.strerror}", _NAME_ONE) from error
    except ValueError as error:
        raise InputError(f"{short_text(name)}: not a file name", _NAME_ONE) from error
    if len(data) > MAX_BYTES:
        raise InputError(f"{name}: larger than a result file can be ({MAX_BYTES // 1024**2} MiB)", _NAME_ONE)
    if not data.strip():
        raise InputError(f"{name}: the file is empty", _NAME_ONE)
    return data


def _json_error(message: str, data: bytes) -> str:
    if message.startswith("EOF"):
        return "it ends too early" + message[message.find(" at line") :]
    if data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        return "it begins with a byte order mark; write it as UTF-8 without one"
    return "it is not JSON" if message.endswith("at line 1 column 1") or b"\0" in data[:1000] else message


def _migrate(document: Json, name: str, version: int, migrations: Mapping[int, Migration]) -> Json:
    """The document in the version that is read; the same object if nothing had to be done."""
    found = _version_of(document, name, version)
    if document["kind"] == "suite" and isinstance(document.get("results"), list):
        results = [_migrate(result, name, version, migrations) for result in document["results"]]
        if any(new is not old for new, old in zip(results, document["results"], strict=True)):
            document = {**document, "results": results}
    for step in range(found, version):
        document = {**migrations[step](document), "schema_version": step + 1}
    return document


def _version_of(document: Json, name: str, version: int) -> int:
    kind = document.get("kind") if isinstance(document, dict) else None
    if kind not in ("result", "suite"):
        raise InputError(f"{name}: JSON, but not a result of synapse-perf", _NAME_ONE)
    found = document.get("schema_version")
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        raise InputError(f"{name}: schema_version must be a whole number from 1, not {short_text(found)}", _DAMAGED)
    if found > version:
        raise NotComparableError(
            f"{name}: written in schema version {found}, and this synapse-perf reads up to {version}",
            "upgrade synapse-perf: pip install --upgrade synapse-perf",
        )
    return found


def _infinite(value: Json) -> Location | None:
    """Where a number is too large for a float (1e999); the JSON parser turns it into an infinity without a word."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        if isinstance(item, float):
            if math.isinf(item):
                return (key,)
        elif isinstance(item, (dict, list)):
            inside = _infinite(item)
            if inside is not None:
                return (key, *inside)
    return None
