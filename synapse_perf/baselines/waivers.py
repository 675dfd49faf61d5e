"""Which slowdowns were agreed to, why, and until when?"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Literal

from synapse_perf.atomic_files import write_atomically
from synapse_perf.baselines.directory import DIRECTORY, make_directory, own_turn
from synapse_perf.errors import InputError, NotComparableError
from synapse_perf.field_errors import field_errors, path_text
from synapse_perf.results.reading import read_bytes

PATH = DIRECTORY / "waivers.json"
SCHEMA_VERSION = 1
_DAYS = re.compile(r"(\d{1,4})d")
_REMEDY = "mend the file, or remove it and waive again: synapse-perf baseline waive"


@dataclass(frozen=True, slots=True)
class Waiver:
    """One metric may be slower, up to a share of slowdown where one was given, through the day on which it expires."""

    metric: str
    reason: str
    expires: str  # YYYY-MM-DD
    up_to: float | None = None

    def is_expired(self, today: date) -> bool:
        return date.fromisoformat(self.expires) < today


@dataclass(frozen=True, slots=True)
class _File:
    kind: Literal["waivers"]
    schema_version: int
    waivers: tuple[Waiver, ...]


def load_waivers() -> tuple[Waiver, ...]:
    """None where there is no file; raises InputError for one that cannot be read."""
    from pydantic import TypeAdapter, ValidationError

    if not PATH.exists():
        return ()
    try:
        found = TypeAdapter(_File).validate_json(read_bytes(str(PATH)), strict=True)
        for waiver in found.waivers:
            date.fromisoformat(waiver.expires)
    except ValidationError as error:
        location, words = field_errors(error.errors())[0]
        raise InputError(f"{PATH}: {path_text(location)} {words}", _REMEDY) from error
    except ValueError as error:
        raise InputError(f"{PATH}: {error}", _REMEDY) from error
    if found.schema_version > SCHEMA_VERSION:
        raise NotComparableError(f"{PATH}: written by a newer synapse-perf", "upgrade synapse-perf")
    return found.waivers


def save_waivers(waivers: tuple[Waiver, ...]) -> Path:
    """Sorted by metric, so that two branches that waive different metrics merge."""
    ordered = sorted(waivers, key=lambda waiver: (waiver.metric, waiver.expires))
    make_directory()
    document = {"kind": "waivers", "schema_version": SCHEMA_VERSION, "waivers": [asdict(each) for each in ordered]}
    write_atomically(PATH, json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    return PATH


def waive(waiver: Waiver) -> Path:
    """Add it; an older one of the same metric is replaced."""
    with own_turn():
        others = tuple(each for each in load_waivers() if each.metric != waiver.metric)
        return save_waivers((*others, waiver))


def drop_expired(today: date) -> tuple[Waiver, ...]:
    """Those that have run out, which are no longer kept."""
    if not PATH.exists():
        return ()
    with own_turn():
        waivers = load_waivers()
        expired = tuple(waiver for waiver in waivers if waiver.is_expired(today))
        if expired:
            save_waivers(tuple(waiver for waiver in waivers if waiver not in expired))
    return expired


def expiry(text: str, today: date) -> str:
    """A day from ``2026-12-31`` or ``30d``; raises InputError for anything else, and for one that has passed."""
    remedy = "write a day to come such as 2026-12-31, or a number of days such as 30d"
    days = _DAYS.fullmatch(text)
    try:
        day = today + timedelta(days=int(days[1])) if days else date.fromisoformat(text)
    except (ValueError, OverflowError) as error:
        raise InputError(f"--expires {text}: not a day", remedy) from error
    if day < today:
        raise InputError(f"--expires {text}: that day has passed", remedy)
    return day.isoformat()
