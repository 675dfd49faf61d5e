"""How much do builds of the same code differ on a class of machine, as `gate --calibrate` has found?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from synapse_perf.atomic_files import write_atomically
from synapse_perf.baselines.files import DIRECTORY
from synapse_perf.errors import InputError, NotComparableError
from synapse_perf.field_errors import field_errors, path_text
from synapse_perf.results.reading import read_bytes

PATH = DIRECTORY / "noise.json"
SCHEMA_VERSION = 1
_REMEDY = "mend the file, or remove it and calibrate again: synapse-perf gate --calibrate"


@dataclass(frozen=True, slots=True)
class Calibration:
    """Of one class of machine: by metric the standard deviation of the logarithm between builds of the same code."""

    hardware_class: str
    calibrated_at: str
    sessions: int
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class NoiseFile:
    kind: Literal["noise"] = "noise"
    schema_version: int = SCHEMA_VERSION
    calibrations: tuple[Calibration, ...] = ()

    def of(self, hardware_class: str) -> Mapping[str, float]:
        return next((one.metrics for one in self.calibrations if one.hardware_class == hardware_class), {})


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
    wrong = [value for one in found.calibrations for value in one.metrics.values() if not 0 <= value < 10]
    if wrong:
        raise InputError(f"{PATH}: {wrong[0]} is no standard deviation", _REMEDY)
    return found


def keep_calibration(calibration: Calibration) -> Path:
    """Put it in the place of an older one of the same class of machine; metrics that it lacks are kept."""
    before = load_noise()
    merged = {**before.of(calibration.hardware_class), **calibration.metrics}
    new = replace(calibration, metrics=dict(sorted(merged.items())))
    others = [one for one in before.calibrations if one.hardware_class != new.hardware_class]
    together = sorted([*others, new], key=lambda one: one.hardware_class)
    try:
        DIRECTORY.mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(f"{DIRECTORY}/: cannot be created: {error.strerror}", "run it where you may write") from error
    document = asdict(NoiseFile(calibrations=tuple(together)))
    write_atomically(PATH, json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    return PATH
