"""Which run does a name on the command line mean, and how is a share of change written?"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from synapse_perf.analyze.gate_paired import Rules
    from synapse_perf.model import Result, Suite

_PERCENT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*%\s*")


def load_run(name: str) -> Result | Suite:
    """A saved run (``last~1``), a file (a path or a name that ends in .json), else the baseline of that name."""
    from synapse_perf import baselines
    from synapse_perf.baselines.imported import read_run
    from synapse_perf.errors import InputError, NoBaselineError
    from synapse_perf.results import is_run_name, load

    if is_run_name(name):
        return load(name)
    if "/" in name or name.endswith(".json") or Path(name).is_file():
        return read_run(Path(name).expanduser())
    try:
        return baselines.load(name)
    except NoBaselineError as error:
        raise InputError(
            f"'{name}' is no saved run, no file and no baseline", "write last, last~1, a path, or a name of a baseline"
        ) from error


def unknown_machines(results: Iterable[Result]) -> list[str]:
    """What to say of runs of which nobody knows whether they are of one machine."""
    from synapse_perf.baselines.imported_run import UNKNOWN_MACHINE

    names = dict.fromkeys(result.benchmark for result in results if UNKNOWN_MACHINE in result.warnings)
    return [f"{name}: {UNKNOWN_MACHINE}" for name in names]


def today() -> date:
    """In UTC, so that a waiver ends everywhere at once."""
    return datetime.now(UTC).date()


def rules_of(min_effect: str, effect: str, pairs: int) -> Rules:
    """The rules of a gate, with the floors that were calibrated for this class of machine."""
    from synapse_perf.analyze.gate_paired import Rules
    from synapse_perf.baselines.noise import load_noise
    from synapse_perf.host.environment import digest, hardware_class

    floor = parse_share(min_effect, "--min-effect")
    looks = (*(look for look in Rules().confirm_pairs if look < pairs), pairs)
    floors = {metric: 3 * bias for metric, bias in load_noise().of(digest(hardware_class())).items()}
    return Rules(floor=floor, floors=floors, effect=parse_share(effect, "--effect"), confirm_pairs=looks)


def parse_share(text: str, option: str) -> float:
    """0.1 from ``10%``; raises InputError for anything else, a bare 0.1 too, which could be 0.1 %."""
    from synapse_perf.errors import InputError

    match = _PERCENT.fullmatch(text)
    if match is None or not 0 < float(match[1]) <= 1000:
        raise InputError(f"{option} {text}: not a share of change", "write a percentage above 0, such as 10%")
    return float(match[1]) / 100
