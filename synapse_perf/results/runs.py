"""Where is every run kept, and which one is ``last~1``?"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from synapse_perf.atomic_files import write_atomically
from synapse_perf.errors import InputError
from synapse_perf.model import Result, Suite
from synapse_perf.results.writing import dumps

KEPT = 200
STATE_DIRECTORY_VARIABLE = "SYNAPSE_PERF_STATE_DIR"
SUITE = "run"  # the command that writes suites

_RUN_NAME = re.compile(r"last(?:~(\d{1,9}))?")
_FILE_NAME = re.compile(r"(?P<stamp>\d{8}T\d{6}\.\d{3}Z)-(?P<benchmark>.+)-[0-9a-f]{8}\.json")


def state_directory() -> Path:
    """The user's directory for what lasts between runs; the environment variable moves it."""
    moved = os.environ.get(STATE_DIRECTORY_VARIABLE)
    if moved:
        return Path(moved)
    from platformdirs import user_state_path

    return user_state_path("synapse-perf", appauthor=False)


def is_run_name(name: str) -> bool:
    return _RUN_NAME.fullmatch(name) is not None


def save_run(result: Result | Suite) -> Path:
    """Keep the run under a name of its own, drop all but the newest 200, and return its file.

    Raises InputError if the state directory cannot be written: a caller that has a result to show warns and goes on.
    """
    directory = _runs_directory()
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{directory}: cannot be created: {error.strerror}",
            f"set {STATE_DIRECTORY_VARIABLE} to a directory that you may write to",
        ) from error
    started_at, benchmark = _started_at(result), _benchmark(result)
    # The random part keeps writers apart that start within the same millisecond, on one machine or several.
    path = directory / f"{_stamp(started_at)}-{benchmark}-{secrets.token_hex(4)}.json"
    write_atomically(path, dumps(result))
    for old in list_runs()[KEPT:]:
        if old != path:
            with suppress(OSError):
                old.unlink()
    return path


def list_runs(benchmark: str | None = None) -> tuple[Path, ...]:
    """The saved runs (of one benchmark if that is given), newest start first."""
    found = sorted(_saved(benchmark), reverse=True)
    return tuple(path for _, _, path in found)


def find_run(name: str, benchmark: str | None = None) -> Path:
    """The file of the saved run called ``last`` (the newest) or ``last~N`` (the N-th before it)."""
    match = _RUN_NAME.fullmatch(name)
    if match is None:
        raise InputError(f"'{name}' names no saved run", "write last, last~1, last~2 ...")
    runs = list_runs(benchmark)
    back = int(match[1] or 0)
    if back < len(runs):
        return runs[back]
    of_what = f" of {benchmark}" if benchmark else ""
    if not runs:
        raise InputError(
            f"{name}: no run{of_what} is saved yet", f"measure first: synapse-perf {benchmark or '--help'}"
        )
    oldest = f"last~{len(runs) - 1}" if len(runs) > 1 else "last"
    raise InputError(f"{name}: only {len(runs)} saved run{'s' * (len(runs) > 1)}{of_what}", f"the oldest is {oldest}")


def _runs_directory() -> Path:
    return state_directory() / "runs"


def _saved(benchmark: str | None) -> Iterator[tuple[str, int, Path]]:
    try:
        entries = list(os.scandir(_runs_directory()))
    except OSError:
        return
    for entry in entries:
        match = _FILE_NAME.fullmatch(entry.name)
        if match is not None and benchmark in (None, match["benchmark"]):
            with suppress(OSError):  # another writer may have dropped it just now
                yield match["stamp"], entry.stat().st_mtime_ns, Path(entry.path)


def _started_at(result: Result | Suite) -> str:
    if isinstance(result, Result):
        return result.started_at
    return min((each.started_at for each in result.results), default="")


def _benchmark(result: Result | Suite) -> str:
    return re.sub(r"[^a-z0-9]+", "-", result.benchmark.lower())[:60] if isinstance(result, Result) else SUITE


def _stamp(started_at: str) -> str:
    """The start as a name that sorts: ``20261123T101530.123Z``; now, if it is not a date."""
    try:
        moment = datetime.fromisoformat(started_at)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        moment = datetime.now(UTC)
    return f"{moment:%Y%m%dT%H%M%S}.{moment.microsecond // 1000:03d}Z"
