"""How much do builds of the same code, and runs of different days, differ on a class of machine?

`gate --calibrate` finds both: the one at once, the other when it is done again on other days for the same code.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple

from synapse_perf.atomic_files import write_atomically
from synapse_perf.baselines.directory import DIRECTORY, own_turn
from synapse_perf.errors import InputError, NotComparableError
from synapse_perf.field_errors import field_errors, path_text
from synapse_perf.results.reading import read_bytes

PATH = DIRECTORY / "noise.json"
SCHEMA_VERSION = 1
_REMEDY = "mend the file, or remove it and calibrate again: synapse-perf gate --calibrate"
MOST_DAYS = 50


@dataclass(frozen=True, slots=True)
class Day:
    """One calibration's runs of one tree: by metric their median, and the standard deviation of the logarithm."""

    at: str
    tree: str
    levels: Mapping[str, float]
    scatter: Mapping[str, float]


class DaySpread(NamedTuple):
    """Of one run on another day: the standard deviation of the logarithm, and its degrees of freedom: days less one.

    With none, a single day was seen, and days differ by this at least.
    """

    deviation: float
    degrees: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """Of one class of machine: by metric the standard deviation of the logarithm between builds of the same code."""

    hardware_class: str
    calibrated_at: str
    sessions: int
    metrics: Mapping[str, float]
    days: tuple[Day, ...] = ()  # the newest first


@dataclass(frozen=True, slots=True)
class NoiseFile:
    kind: Literal["noise"] = "noise"
    schema_version: int = SCHEMA_VERSION
    calibrations: tuple[Calibration, ...] = ()

    def of(self, hardware_class: str) -> Mapping[str, float]:
        return next((one.metrics for one in self.calibrations if one.hardware_class == hardware_class), {})

    def day_spreads(self, hardware_class: str) -> dict[str, DaySpread]:
        """By metric, of the days on which the same code was run."""
        days = self.days_of(hardware_class)
        names = dict.fromkeys(name for day in days for name in day.levels)
        return {name: _day_spread([day for day in days if name in day.levels], name) for name in names}

    def days_of(self, hardware_class: str) -> tuple[Day, ...]:
        return next((one.days for one in self.calibrations if one.hardware_class == hardware_class), ())


def _day_spread(days: Sequence[Day], metric: str) -> DaySpread:
    """Days are compared with days of the same tree only; what runs of one day differ by comes on top."""
    within = statistics.fmean(day.scatter[metric] ** 2 for day in days)
    dates: dict[tuple[str, str], list[float]] = {}
    for day in days:
        dates.setdefault((day.tree, day.at[:10]), []).append(math.log(day.levels[metric]))
    trees: dict[str, list[float]] = {}
    for (tree, _), levels in dates.items():
        trees.setdefault(tree, []).append(statistics.fmean(levels))
    degrees = sum(len(levels) - 1 for levels in trees.values())
    squares = sum(statistics.variance(levels) * (len(levels) - 1) for levels in trees.values() if len(levels) > 1)
    return DaySpread(math.sqrt(within + (squares / degrees if degrees else 0.0)), degrees)


def load_noise() -> NoiseFile:
    """Empty where there is no file; raises InputError for one that cannot be read."""
    from pydantic import TypeAdapter, ValidationError

    if not PATH.exists():
        return NoiseFile()
    try:
        found = TypeAdapter(NoiseFile).validate_json(read_bytes(str(PATH)), strict=True)
    except ValidationError as error:
        location, words = field_errors(error.errors())[0]
        raise InputError(f"{PATH}: {path_text(location)} {words}", _REMEDY) from error
    if found.schema_version > SCHEMA_VERSION:
        raise NotComparableError(f"{PATH}: written by a newer synapse-perf", "upgrade synapse-perf")
    _check(found)
    return found


def _check(found: NoiseFile) -> None:
    days = [day for one in found.calibrations for day in one.days]
    deviations = [value for one in found.calibrations for value in one.metrics.values()]
    deviations += [value for day in days for value in day.scatter.values()]
    for value in deviations:
        if not 0 <= value < 10:
            raise InputError(f"{PATH}: {value} is no standard deviation", _REMEDY)
    for day in days:
        if set(day.levels) != set(day.scatter) or not all(0 < level < math.inf for level in day.levels.values()):
            raise InputError(f"{PATH}: the levels of {day.at} are not whole, or not above 0", _REMEDY)


def keep_calibration(calibration: Calibration) -> Path:
    """Put it in the place of an older one of the same class of machine; its days, and metrics it lacks, are kept."""
    with own_turn():
        document = asdict(_with(load_noise(), calibration))
        write_atomically(PATH, json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    return PATH


def _with(before: NoiseFile, calibration: Calibration) -> NoiseFile:
    merged = {**before.of(calibration.hardware_class), **calibration.metrics}
    days = (*calibration.days, *before.days_of(calibration.hardware_class))[:MOST_DAYS]
    new = replace(calibration, metrics=dict(sorted(merged.items())), days=days)
    others = [one for one in before.calibrations if one.hardware_class != new.hardware_class]
    together = sorted([*others, new], key=lambda one: one.hardware_class)
    return NoiseFile(calibrations=tuple(together))
