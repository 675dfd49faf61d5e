"""The options of tier-latency that put load on the tiers, and what they may say."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, TypeVar

from synapse_perf.commands.options import option
from synapse_perf.errors import InputError

if TYPE_CHECKING:
    from synapse_perf.analyze.query_load_plan import Loads
    from synapse_perf.profiles.settings import TierLatencySettings

LOAD = "Under load (shown, never judged)"
MOST_USERS, MOST_PER_S, MOST_LEVELS = 256, 1000.0, 8
USERS_FORM = f"write whole numbers from 1 to {MOST_USERS}, such as 1,2,4"
RATE_FORM = f"write numbers above 0 and up to {MOST_PER_S:g}, such as 0.5 or 0.5,1,2"

Number = TypeVar("Number", int, float)


@dataclass(frozen=True, slots=True)
class QueryLoadOptions:
    """Both may be given: each level is measured by itself."""

    concurrency: Annotated[
        str | None,
        option("Users who each ask the next query when the last is answered. A list.", "--concurrency", LOAD),
    ] = None
    rate: Annotated[
        str | None,
        option("Queries a second that come whether or not others are answered. A list.", "--rate", LOAD),
    ] = None


def loads_of(options: QueryLoadOptions, settings: TierLatencySettings, *, is_tuning: bool) -> Loads:
    """The options, or else what the profile says; InputError for what is no load, or does not fit into one run."""
    from synapse_perf.analyze.query_load_plan import Loads

    users = _list("--concurrency", options.concurrency, _users, USERS_FORM)
    rates = _list("--rate", options.rate, _rate, RATE_FORM)
    if not users and not rates:
        users, rates = _of_profile(settings)
    if len(users) + len(rates) > MOST_LEVELS:
        raise InputError(
            f"{len(users) + len(rates)} levels of load are too many for one run", f"give {MOST_LEVELS} at most"
        )
    if is_tuning and (users or rates):
        raise InputError("--tune and load in one run: each would take the other's time", "measure them in two runs")
    return Loads(users, rates)


def _of_profile(settings: TierLatencySettings) -> tuple[tuple[int, ...], tuple[float, ...]]:
    users, rates = tuple(sorted({*settings.concurrency})), tuple(sorted({*settings.rate}))
    if any(one > MOST_USERS for one in users):
        raise InputError(f"the profile has concurrency {users[-1]} in [tier-latency]", USERS_FORM)
    if any(one > MOST_PER_S for one in rates):
        raise InputError(f"the profile has rate {rates[-1]:g} in [tier-latency]", RATE_FORM)
    return users, rates


def _list(name: str, text: str | None, parse: Callable[[str], Number | None], form: str) -> tuple[Number, ...]:
    """Each value once, the smallest first."""
    if text is None:
        return ()
    found: dict[str, Number] = {}
    for part in text.split(","):
        value = parse(part.strip())
        if value is None:
            raise InputError(f"{name} {text}: '{part.strip()}' is none", form)
        found.setdefault(f"{value:g}", value)
    return tuple(sorted(found.values()))


def _users(text: str) -> int | None:
    is_number = text.isascii() and text.isdecimal() and len(text) < 9
    return int(text) if is_number and 1 <= int(text) <= MOST_USERS else None


def _rate(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and 0 < value <= MOST_PER_S and "_" not in text else None
