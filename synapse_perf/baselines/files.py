"""Which results has somebody blessed, and where are they?"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path

from synapse_perf.atomic_files import write_atomically
from synapse_perf.baselines.directory import DIRECTORY, make_directory, own_turn
from synapse_perf.baselines.rounding import rounded
from synapse_perf.errors import InputError, NoBaselineError, NotComparableError
from synapse_perf.model import Result, Suite
from synapse_perf.results import dumps, find_run, is_run_name
from synapse_perf.results import load as load_result

RESERVED = ("waivers", "noise")  # other files of the same directory

_LEFTOVER_AGE_S = 3600.0
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def baseline_path(name: str) -> Path:
    """``baselines/NAME.json``; raises InputError for a name that would be another file or a saved run."""
    if not _NAME.fullmatch(name) or name.endswith(".json") or is_run_name(name) or name in RESERVED:
        raise InputError(
            f"{name!r} cannot name a baseline",
            "use letters, digits, '.', '_' and '-'; not .json at its end, which is added; not last, waivers or noise",
        )
    return DIRECTORY / f"{name}.json"


def save(name: str, run: Result | Suite, *, force: bool = False) -> Path:
    """Keep the run as the baseline of that name and return its file; an old one is replaced only with `force`."""
    path = baseline_path(name)
    if not any(each.metrics for each in results_of(run)):
        raise InputError(
            "the run has no metric that could be compared with", "choose a run in which something was measured"
        )
    if path.exists() and not force:
        raise InputError(
            f"{path} exists already", "replace it with --force, add to it with --add, or choose another name"
        )
    _write(path, run, is_new=not force)
    return path


def add(name: str, run: Result) -> tuple[Path, int]:
    """Put a run beside those of the baseline of that name; its file, and how many runs it holds now.

    Raises NotComparableError for a run that is not like them, NoBaselineError where there is no such baseline.
    """
    path = baseline_path(name)
    with own_turn():
        return path, _add(path, results_of(load(name)), run)


def _add(path: Path, runs: tuple[Result, ...], run: Result) -> int:
    _check_alike(run, runs[0], f"{path} is")
    if any(run.started_at == other.started_at for other in runs):
        raise InputError(f"{path} holds this run already", "add another one")
    together = sorted((run, *runs), key=lambda one: one.started_at, reverse=True)
    _write(path, joined(together), is_new=False)
    return len(together)


def keep_newest(path: Path, count: int) -> int:
    """Drop all but the newest runs of each command in a baseline; how many were dropped."""
    with own_turn():
        runs = results_of(load_result(path))
        kept = [
            one for one in runs if sum(other.benchmark == one.benchmark for other in runs[: runs.index(one)]) < count
        ]
        if len(kept) < len(runs):
            _write(path, joined(kept), is_new=False)
    return len(runs) - len(kept)


def joined(runs: Sequence[Result]) -> Result | Suite:
    """One run as it is, several as what the newest of them found."""
    return runs[0] if len(runs) == 1 else Suite(tuple(runs), runs[0].checks, runs[0].verdict)


def joined_alike(runs: Sequence[Result]) -> Result | Suite:
    """Runs of one baseline together; raises NotComparableError for one that is not like the newest."""
    ordered = sorted(runs, key=lambda one: one.started_at, reverse=True)
    for run in ordered:
        _check_alike(run, ordered[0], "the runs are")
    return joined(ordered)


def remove_leftovers() -> int:
    """Remove the temporary files of writers that were killed; how many those were."""
    left = [path for path in DIRECTORY.glob(".*.tmp") if time.time() - path.stat().st_mtime > _LEFTOVER_AGE_S]
    for path in left:
        path.unlink(missing_ok=True)
    return len(left)


def _check_alike(run: Result, other: Result, what: str) -> None:
    for field in ("benchmark", "profile", "subject"):
        if getattr(run, field) != getattr(other, field):
            names = f"{getattr(other, field)!r}, not {getattr(run, field)!r}"
            raise NotComparableError(f"{what} of another {field}: {names}", "choose another name")
    if hardware(run) != hardware(other):
        raise NotComparableError(f"{what} of another class of machine", "choose another name")
    if run.workload.get("digest") != other.workload.get("digest"):
        raise NotComparableError(f"{what} of another workload", "choose another name")


def results_of(run: Result | Suite) -> tuple[Result, ...]:
    return run.results if isinstance(run, Suite) else (run,)


def _write(path: Path, run: Result | Suite, *, is_new: bool) -> None:
    text = dumps(rounded(run))
    make_directory()
    write_atomically(path, text, is_new=is_new)


def name_for(result: Result) -> str:
    """The name of its own that each benchmark, profile and hardware class has."""
    digest = str(result.environment.hardware_class.get("digest") or "")[:8]
    words = (result.benchmark, result.profile, digest)
    return ".".join(re.sub(r"[^A-Za-z0-9_-]+", "-", word).strip("-") for word in words if word)[:100]


def find_for(result: Result, name_or_path: str | None = None) -> tuple[str, tuple[Result, ...]]:
    """The stored runs to judge a run by, the newest first, and what they are called.

    Without a name the one baseline of the same benchmark, profile and hardware class. Raises NoBaselineError where
    there is none, NotComparableError where there are only some of other machines, InputError where there are several.
    """
    if name_or_path is not None:
        return name_or_path, _runs_of(load(name_or_path, benchmark=result.benchmark), result.benchmark, name_or_path)
    found = {path: runs for path in list_baselines() if (runs := _like(load_result(path), result))}
    fitting = [path for path, runs in found.items() if hardware(runs[0]) == hardware(result)]
    if len(fitting) > 1:
        names = ", ".join(path.stem for path in fitting)
        raise InputError(f"several baselines fit this run: {names}", "name one with --baseline")
    if fitting:
        return str(fitting[0]), found[fitting[0]]
    if found:
        path, runs = next(iter(found.items()))
        now, before = result.environment.hardware_class, runs[0].environment.hardware_class
        differing = [name for name in {**before, **now} if name != "digest" and now.get(name) != before.get(name)]
        raise NotComparableError(
            f"{path} is of another machine; differing: {', '.join(differing) or 'digest'}",
            "measure both here: gate --against REV; or save a baseline of this machine: synapse-perf baseline save",
        )
    raise NoBaselineError(
        f"there is no baseline of {result.benchmark} with the profile '{result.profile}' in {DIRECTORY}/",
        "save this run as it: synapse-perf baseline save; or let the gate do so: --create-missing",
    )


def _like(loaded: Result | Suite, result: Result) -> tuple[Result, ...]:
    results = results_of(loaded)
    return tuple(one for one in results if (one.benchmark, one.profile) == (result.benchmark, result.profile))


def _runs_of(loaded: Result | Suite, benchmark: str, name: str) -> tuple[Result, ...]:
    results = results_of(loaded)
    found = tuple(one for one in results if one.benchmark == benchmark)
    if not found:
        others = ", ".join(sorted({one.benchmark for one in results})) or "nothing"
        raise NotComparableError(
            f"the baseline {name} is of {others}, not of {benchmark}", "see: synapse-perf baseline list"
        )
    return found


def hardware(result: Result) -> object:
    """The digest of the class of machine that it ran on; None for a run of another tool, which does not say."""
    return result.environment.hardware_class.get("digest")


def list_baselines() -> tuple[Path, ...]:
    """The files under ``baselines/``, by name; whether one can be read is seen when it is loaded."""
    return tuple(
        sorted(path for path in DIRECTORY.glob("*.json") if not path.name.startswith(".") and path.stem not in RESERVED)
    )


def load_for(name_or_path: str, benchmark: str) -> Result:
    """The baseline for one measuring command: a saved run is one of that command, a suite gives its part.

    Raises NotComparableError for a baseline of another command, and what `load` raises.
    """
    return _runs_of(load(name_or_path, benchmark=benchmark), benchmark, name_or_path)[0]


def load(name_or_path: str, *, benchmark: str | None = None) -> Result | Suite:
    """The baseline of that name, else the result file of that path or the saved run (``last``, of that benchmark).

    Raises NoBaselineError if there is none, and what `results.load` raises if it cannot be read.
    """
    if is_run_name(name_or_path):
        try:
            return load_result(find_run(name_or_path, benchmark))
        except InputError as error:
            raise NoBaselineError(error.message, error.remedy) from error
    is_path = "/" in name_or_path or name_or_path.endswith(".json")
    path = Path(name_or_path).expanduser() if is_path else baseline_path(name_or_path)
    if _is_missing(path):
        if is_path:
            remedy = "check the path, or name one that this shows: synapse-perf baseline list"
        else:
            remedy = f"save the newest run as it: synapse-perf baseline save {name_or_path}"
        raise NoBaselineError(f"there is no baseline {path}", remedy)
    return load_result(path)


def _is_missing(path: Path) -> bool:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return True
    except OSError:
        return False  # there, but not for us: reading it tells why
    return False
