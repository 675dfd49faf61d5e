"""What has the last run finished that this one need not measure again? Only what was asked for in the same way."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from synapse_perf.errors import InputError

if TYPE_CHECKING:
    from synapse_perf.commands.options import CommonOptions
    from synapse_perf.model import Result
    from synapse_perf.profiles import Profile

ASKED = "asked"  # the key in a result's plan
_TO_READ = ("name", "description", "run", "digest")  # of a profile: what changes nothing that is measured
_OPTIONS = ("trials", "confidence", "seed", "target", "python")


class Finished(NamedTuple):
    """The file to go on with, its results that count, and why others do not.

    None for a file of its own, where the last one holds what was finished and is not asked for now: it stays.
    """

    file: Path | None
    results: list[Result]
    left_out: list[str]


def digest_of(profile: Profile, options: CommonOptions) -> str:
    """Of all that decides what is measured and how it is judged, except for how long."""
    settings = {key: value for key, value in asdict(profile).items() if key not in _TO_READ}
    settings["options"] = {name: getattr(options, name) for name in _OPTIONS}
    return hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()[:16]


def marked(result: Result, digest: str) -> Result:
    """The result with the mark that `finished_before` looks for."""
    return replace(result, plan={**result.plan, ASKED: digest})


def finished_before(names: Sequence[str], digest: str) -> Finished:
    """What the last run has finished of these commands; InputError where there is nothing to go on with."""
    from synapse_perf.model import Suite
    from synapse_perf.results import find_run, load
    from synapse_perf.results.runs import SUITE

    try:
        file = find_run("last", SUITE)
    except InputError as error:
        raise InputError("--resume: no run is saved that could go on", "start one: leave out --resume") from error
    last = load(file)
    results = last.results if isinstance(last, Suite) else ()
    if results and not any(result.plan.get(ASKED) == digest for result in results):
        told = f"--resume: the last run (profile {results[0].profile}) was asked for in another way"
        raise InputError(told, "give the same --profile and options as then, or leave out --resume")
    taken, left_out = [], []
    goes_on: Path | None = file
    for result in results:
        if result.benchmark not in names:
            left_out.append(f"{result.benchmark} is not asked for now; that run keeps it")
            goes_on = None
        elif result.plan.get("stopped") == "interrupted":
            left_out.append(f"{result.benchmark} was interrupted, and is measured again")
        elif result.plan.get(ASKED) != digest:
            left_out.append(f"{result.benchmark} was asked for in another way, and is measured again")
        else:
            taken.append(result)
    return Finished(goes_on, taken, left_out)
