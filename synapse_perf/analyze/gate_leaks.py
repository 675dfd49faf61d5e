"""Has a change brought a leak? What a hunt has confirmed counts with its growth, and what it found clean as none.

A hunt judges itself, in processes of its own, so a gate does not judge its series again: a leak in every run of the
change and in none before is a regression, whatever its size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from synapse_perf.analyze.compare import SMALLEST_EFFECT
from synapse_perf.model import ComparisonStatus, Leak, Result

LARGEST = 0.10  # a leak that grew by less than this, as far as two hunts can tell, is the same one
CHANCE = 0.001  # for one probe, on top of the error that a hunt keeps by itself


def growth_of(leak: Leak) -> float:
    """Growth of a confirmed leak, 0 where there is none, NaN where the hunt could not tell."""
    if leak.status == "leak" and leak.growth is not None:
        return leak.growth
    return math.nan if leak.status == "inconclusive" else 0.0


def told_leaks(result: Result) -> list[Leak]:
    """Without what the allocator merely keeps, which is a row only where it was seen."""
    return [leak for leak in result.leaks if leak.status != "retained"]


def appeared(befores: Sequence[float], afters: Sequence[float]) -> tuple[ComparisonStatus, str] | None:
    """What follows from runs of both sides; None where every run leaks, so that sizes have to be compared."""
    leaking = [sum(value > 0 for value in side) for side in (befores, afters)]
    if leaking == [len(befores), len(afters)]:
        return None
    if not all(map(math.isfinite, [*befores, *afters])):
        return "inconclusive", "a hunt could not tell whether it leaks"
    if leaking == [0, 0]:
        return "unchanged", "no leak in any run"
    told = f"{leaking[0]} of {len(befores)} runs before leak, and {leaking[1]} of {len(afters)} of the change"
    if leaking == [0, len(afters)]:
        return "regressed", "a leak that was not there before"
    if leaking == [len(befores), 0]:
        return "improved", "the leak is gone"
    if _is_sure(befores, afters):
        return "regressed", f"a leak that was not there so often: {told}"
    if _is_sure(afters, befores):
        return "improved", f"a leak that is not there so often: {told}"
    return "inconclusive", told


def _is_sure(without: Sequence[float], leaking: Sequence[float]) -> bool:
    """Whether a coin would give that many pairs in which the second alone leaks as rarely as `CHANCE` (sign test)."""
    if len(without) != len(leaking):
        return False
    came = sum(two > 0 >= one for one, two in zip(without, leaking, strict=True))
    went = sum(one > 0 >= two for one, two in zip(without, leaking, strict=True))
    count = came + went
    return count > 1 and sum(math.comb(count, more) for more in range(came, count + 1)) <= CHANCE * 2**count


Ratios = tuple[float | None, float | None, float | None]
_NONE: Ratios = (None, None, None)


def between(old: Leak | None, new: Leak | None, difference: Sequence[str]) -> tuple[ComparisonStatus, str, Ratios]:
    """Status, reason, and the ratio with its bounds where both hunts found a leak."""
    if new is None:
        return "missing", "the hunt reads no such thing any more", _NONE
    if old is None:
        if math.isnan(growth_of(new)):
            return "inconclusive", "new, and the hunt could not tell whether it leaks", _NONE
        return "missing", "the baseline has no such metric", _NONE
    if difference:
        return "not-comparable", f"differing: {', '.join(difference)}", _NONE
    told = appeared([growth_of(old)], [growth_of(new)])
    if told is not None:
        return *told, _NONE
    bounds = [old.low, old.high, new.low, new.high]
    if not all(bound is not None and bound > 0 for bound in bounds):
        return "inconclusive", "a leak on both sides, whose sizes cannot be told apart", _NONE
    low, high = (new.low or 0.0) / (old.high or 1.0), (new.high or 0.0) / (old.low or 1.0)
    ratios = (growth_of(new) / growth_of(old), low, high)
    if low > 1 + SMALLEST_EFFECT:
        return "regressed", "the leak has grown", ratios
    if high < 1 - SMALLEST_EFFECT:
        return "improved", "the leak has become smaller", ratios
    if high < 1 + LARGEST:
        return "unchanged", "the same leak on both sides", ratios
    return "inconclusive", "a leak on both sides, whose sizes cannot be told apart", ratios
