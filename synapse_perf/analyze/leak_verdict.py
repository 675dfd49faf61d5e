"""Is a series of levels a leak, clean, or not to be decided yet?

Growth in a first look is looked at again over twice as many iterations. A leak has to rise there beyond the floor, not
in one step, and has to prove that it keeps its pace: what may slow down, as a bounded cache does while it fills, is
inconclusive. Both are looked at twice more, each time twice as long, and what is inconclusive then once more, if there
is time; of what was a leak in the third look the fourth asks only whether it ends. What grows by chance proves least in
each iteration, so that only the last look can tell it from a cache; one that takes longer to fill evenly than any look
is told by its owner alone (analyze/leak_filling.py).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from synapse_perf.analyze.leak_thresholds import (
    ALPHA,
    ALPHA_STILL_GROWING,
    CHANCE_ERRORS,
    CHANCE_SHARE,
    CHANCE_VARIATION,
    CONFIDENCE,
    END_LEAST,
    END_SHARE,
    ENDED_SHARE,
    LEAST_JUDGED,
    LOOKS,
    ONE_STEP_SHARE,
    SLOWEST_CACHE,
    SLOWING_ALPHA,
    SLOWING_SHARE,
    SMALLEST_ERRORS,
    SMALLEST_FACTOR,
    SMALLEST_MARGIN,
    STEADY_CONFIDENCE,
    STEADY_ERRORS,
    WANDER_SHARE,
    WARM_UP_FLOORS,
    WARM_UP_LEAST,
    WARM_UP_SHARE,
)
from synapse_perf.analyze.leak_trend import (
    Slope,
    largest_step,
    mean_step,
    noise_of,
    rising_p,
    slope_error,
    slope_of,
    smaller_p,
    step_variation,
    steps_of,
)
from synapse_perf.model import LeakStatus
from synapse_perf.units import format_value


@dataclass(frozen=True, slots=True)
class Judged:
    """What a series of levels tells; slopes are for one sample."""

    status: LeakStatus
    slope: Slope | None
    smallest: float | None
    count: int  # judged points
    reason: str
    wants_longer: bool  # a longer look could tell more


def judged_part(levels: Sequence[float]) -> Sequence[float]:
    """The levels after the warm-up: of 23 the last 20."""
    return levels[warm_up_of(len(levels)) :]


def warm_up_of(samples: int) -> int:
    """How many of so many samples warm up."""
    return max(WARM_UP_LEAST, math.ceil(samples * WARM_UP_SHARE / (1 + WARM_UP_SHARE)))


def samples_of_look(look: int) -> int:
    """How many samples a look needs with its warm-up."""
    return LOOKS[look] + max(WARM_UP_LEAST, math.ceil(LOOKS[look] * WARM_UP_SHARE))


def judge(levels: Sequence[float], unit: str, floor: float, *, was_steady: bool = False) -> Judged:
    """The verdict on a probe's levels after each iteration, the warm-up among them; `floor`: growth that is no leak.

    `was_steady`: it has proved its pace in the third look, and what is still asked is only whether it ends.
    """
    return _judge(tuple(judged_part(levels)), unit, floor, was_steady)


@lru_cache(maxsize=64)  # plan, rows and report ask for the same ones, and the longest have 200,000 pairs of points
def _judge(series: tuple[float, ...], unit: str, floor: float, was_steady: bool) -> Judged:
    count = len(series)
    if count < LEAST_JUDGED:
        told = f"{count} iterations after the warm-up are too few, {LEAST_JUDGED} are needed"
        return Judged("inconclusive", None, None, count, told, wants_longer=False)
    slope = slope_of(series, CONFIDENCE)
    smallest = smallest_seen(series, slope.middle, floor)
    is_first_look = count < LOOKS[1]
    if not _grows(series, floor, ALPHA):
        if is_first_look and _climbs(series, floor):
            told = f"it grew in a few steps over {count} iterations, too few to tell whether more follow"
            return Judged("inconclusive", slope, smallest, count, told, wants_longer=True)
        return Judged("clean", slope, smallest, count, _clean_reason(series, unit, floor), wants_longer=False)
    if is_first_look:
        told = f"it grew over {count} iterations, too few to tell a leak from a cache that fills"
        return Judged("inconclusive", slope, smallest, count, told, wants_longer=True)
    still_grows = _grows(series[count // 2 :], floor, ALPHA_STILL_GROWING)
    if _is_spread(series) and (_is_steady(series) or (was_steady and still_grows and _rises_to_the_end(series))):
        told = f"it grew steadily over {count} iterations, as would a bounded cache that takes more to fill"
        longest = LOOKS[3] if unit == "B" else LOOKS[2]
        return Judged("leak", slope, smallest, count, told, wants_longer=count < longest)
    if still_grows:
        told = f"still growing after {count} iterations, but {_doubt(series)}, as a bounded cache does while it fills"
        told += "; leak-hunt --cache tells by its keys" if count > LOOKS[3] else ""
        return Judged("inconclusive", slope, smallest, count, told, wants_longer=count < LOOKS[-1])
    return Judged("clean", slope, smallest, count, _ended_reason(series, unit), wants_longer=False)


def is_steady_leak(judged: Judged) -> bool:
    """Whether it has proved its pace, so that later looks ask only whether it ends."""
    return judged.status == "leak" and judged.count >= LOOKS[2]


def goes_on(judged: Iterable[Judged]) -> bool:
    """Whether a longer look at all that was judged together could tell more.

    Beside a leak that is confirmed nobody needs to know whether another steady one is a cache; a hundred processes or
    descriptors more, that it would leave meanwhile, are a burden.
    """
    every = tuple(judged)
    is_confirmed = any(one.status == "leak" and not one.wants_longer for one in every)
    asking = [one for one in every if one.wants_longer]
    return any(one.status != "leak" or one.count < LOOKS[2] or not is_confirmed for one in asking)


def smallest_seen(series: Sequence[float], slope: float, floor: float) -> float:
    """The smallest growth for one sample that this series would have told, from its noise and its length."""
    error = noise_of(series, slope) * math.sqrt(12 / len(series) ** 3)
    return SMALLEST_FACTOR * floor + SMALLEST_MARGIN * SMALLEST_ERRORS * error


def _grows(series: Sequence[float], floor: float, alpha: float) -> bool:
    return rising_p(series) < alpha and slope_of(series, CONFIDENCE).low > floor


def _is_spread(series: Sequence[float]) -> bool:
    net = series[-1] - series[0]
    return net > 0 and largest_step(series) <= ONE_STEP_SHARE * net


def _climbs(series: Sequence[float], floor: float) -> bool:
    """Whether it rises in steps so far apart that most pairs of points see none."""
    return rising_p(series) < ALPHA and mean_step(series) > floor and _is_spread(series)


def _is_by_chance(series: Sequence[float]) -> bool:
    return step_variation(series, _wander_lag(series)) > CHANCE_VARIATION


def _wander_lag(series: Sequence[float]) -> int:
    return round(WANDER_SHARE * len(series))


def _rises_to_the_end(series: Sequence[float]) -> bool:
    """Whether the end may still grow by half of what the first half did."""
    half, end = len(series) // 2, round(len(series) * (1 - END_SHARE))
    first, last = (slope_of(part, STEADY_CONFIDENCE) for part in (series[:half], series[end:]))
    return last.high >= END_LEAST * first.middle


def _is_steady(series: Sequence[float]) -> bool:
    """Whether the second half surely grows faster than a cache would let it, the end too, and neither slows down."""
    half = len(series) // 2
    first, second = (slope_of(part, STEADY_CONFIDENCE) for part in (series[:half], series[half:]))
    if second.low <= 0 or not _rises_to_the_end(series) or _is_slowing(series):
        return False
    share, errors = math.exp(-half / SLOWEST_CACHE), STEADY_ERRORS  # of the first half's slope is left to such a cache
    if _is_by_chance(series):
        if len(series) <= LOOKS[3]:
            return False
        share, errors = max(share, CHANCE_SHARE), CHANCE_ERRORS
    error = slope_error(series, _wander_lag(series), half) * math.hypot(1, share)
    return second.middle - share * first.middle > errors * error


def _is_slowing(series: Sequence[float]) -> bool:
    steps, half = steps_of(series), len(series) // 2
    return smaller_p([SLOWING_SHARE * step for step in steps[:half]], steps[half:]) < SLOWING_ALPHA


def _doubt(series: Sequence[float]) -> str:
    if _is_slowing(series):
        return "slower than before"
    return "by chance" if _is_by_chance(series) else "not surely as fast as before"


def _clean_reason(series: Sequence[float], unit: str, floor: float) -> str:
    net = series[-1] - series[0]
    if net > 0 and largest_step(series) > ONE_STEP_SHARE * net and net > WARM_UP_FLOORS * floor:
        place = max(range(1, len(series)), key=lambda i: series[i] - series[i - 1])
        grown = format_value(series[place] - series[place - 1], unit)
        return f"no growth with the iterations, but once by {grown}"
    half = len(series) // 2
    early, late = series[half] - series[0], series[-1] - series[half]
    if early > WARM_UP_FLOORS * floor and late < ENDED_SHARE * early:
        return _ended_reason(series, unit)
    return "no growth with the iterations"


def _ended_reason(series: Sequence[float], unit: str) -> str:
    return f"it grew by {format_value(max(series) - series[0], unit)} and then no more, as a warm-up or a bounded cache"
