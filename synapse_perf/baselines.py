"""Which results has somebody blessed, and where are they?"""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path

from synapse_perf.atomic_files import write_atomically
from synapse_perf.errors import InputError, NoBaselineError, NotComparableError
from synapse_perf.model import Check, Comparison, Interval, Metric, Result, Suite, Summary, TrialRecord
from synapse_perf.results import dumps, find_run, is_run_name
from synapse_perf.results import load as load_result

DIRECTORY = Path("baselines")  # under the working directory: baselines are committed with the code they belong to
DIGITS = 6  # a change of one in a million is far below any machine's noise, and the diff of a commit stays readable

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def baseline_path(name: str) -> Path:
    """``baselines/NAME.json``; raises InputError for a name that would be another file or a saved run."""
    if not _NAME.fullmatch(name) or name.endswith(".json") or is_run_name(name):
        raise InputError(
            f"{name!r} cannot name a baseline",
            "use letters, digits, '.', '_' and '-'; not .json at its end, which is added; not the word last",
        )
    return DIRECTORY / f"{name}.json"


def save(name: str, result: Result | Suite, *, force: bool = False) -> Path:
    """Keep the result as the baseline of that name and return its file; an old one is replaced only with `force`."""
    path = baseline_path(name)
    if not any(each.metrics for each in (result.results if isinstance(result, Suite) else (result,))):
        raise InputError(
            "the run has no metric that could be compared with", "choose a run in which something was measured"
        )
    if path.exists() and not force:
        raise InputError(f"{path} exists already", "replace it with --force, or choose another name")
    text = dumps(_rounded(result) if isinstance(result, Result) else _rounded_suite(result))
    try:
        DIRECTORY.mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(f"{DIRECTORY}/: cannot be created: {error.strerror}", "run it where you may write") from error
    write_atomically(path, text)
    return path


def list_baselines() -> tuple[Path, ...]:
    """The files under ``baselines/``, by name; whether one can be read is seen when it is loaded."""
    return tuple(sorted(path for path in DIRECTORY.glob("*.json") if not path.name.startswith(".")))


def load_for(name_or_path: str, benchmark: str) -> Result:
    """The baseline for one measuring command: a saved run is one of that command, a suite gives its part.

    Raises NotComparableError for a baseline of another command, and what `load` raises.
    """
    loaded = load(name_or_path, benchmark=benchmark)
    candidates = loaded.results if isinstance(loaded, Suite) else (loaded,)
    for result in candidates:
        if result.benchmark == benchmark:
            return result
    found = ", ".join(sorted({result.benchmark for result in candidates})) or "nothing"
    raise NotComparableError(
        f"the baseline {name_or_path} is of {found}, not of {benchmark}", "see: synapse-perf baseline list"
    )


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


def _rounded_suite(suite: Suite) -> Suite:
    return replace(suite, results=tuple(map(_rounded, suite.results)), checks=tuple(map(_rounded_check, suite.checks)))


def _rounded(result: Result) -> Result:
    return replace(
        result,
        metrics=tuple(map(_rounded_metric, result.metrics)),
        checks=tuple(map(_rounded_check, result.checks)),
        comparisons=tuple(map(_rounded_comparison, result.comparisons)),
    )


def _rounded_metric(metric: Metric) -> Metric:
    return replace(metric, trials=tuple(map(_rounded_trial, metric.trials)), summary=_rounded_summary(metric.summary))


def _rounded_trial(trial: TrialRecord) -> TrialRecord:
    return replace(trial, samples=tuple(map(_short, trial.samples)))


def _rounded_summary(summary: Summary) -> Summary:
    interval: Interval | None = summary.interval
    if interval is not None:
        interval = replace(interval, low=_short(interval.low), high=_short(interval.high))
    median, p90, p95, p99 = map(_short_or_none, (summary.median, summary.p90, summary.p95, summary.p99))
    return replace(summary, median=median, p90=p90, p95=p95, p99=p99, interval=interval)


def _rounded_check(check: Check) -> Check:
    return replace(check, observed=_short_or_none(check.observed))


def _rounded_comparison(comparison: Comparison) -> Comparison:
    return replace(
        comparison,
        baseline=_short_or_none(comparison.baseline),
        current=_short_or_none(comparison.current),
        ratio=_short_or_none(comparison.ratio),
        low=_short_or_none(comparison.low),
        high=_short_or_none(comparison.high),
    )


def _short_or_none(value: float | None) -> float | None:
    return None if value is None else _short(value)


def _short(value: float) -> float:
    """Whole numbers stay as they are: bytes and counts are exact, and read no better with zeros."""
    return value if not math.isfinite(value) or value == int(value) else float(f"{value:.{DIGITS}g}")
