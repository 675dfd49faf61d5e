"""Which queries does the user's file hold?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from synapse_perf.errors import InputError

if TYPE_CHECKING:
    from synapse_perf.analyze.query_set import Query

BYTES_AT_MOST = 64_000_000


def read_queries_file(path: Path) -> tuple[Query, ...]:
    """The queries of a JSON Lines file; InputError for one that cannot be read, or names its first bad line."""
    from synapse_perf.analyze.query_set import FORM, parse_queries

    try:
        if path.is_dir():
            raise InputError(f"{path} is a directory", FORM)
        with path.open("rb") as file:
            data = file.read(BYTES_AT_MOST + 1)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", "check the path and its permissions") from error
    if len(data) > BYTES_AT_MOST:
        raise InputError(f"{path} is larger than {BYTES_AT_MOST // 1_000_000} MB", FORM)
    return parse_queries(data, str(path))
