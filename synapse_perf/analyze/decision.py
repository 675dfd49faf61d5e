"""Is this statistic on the good side of its limit, and if that cannot be said yet, how much more data would say it?

The unit of replication is the process. `decide` may be asked again after each further process, and the sampling may
stop at any answer: each side is wrong with a chance of at most 1 - confidence over all looks together (see boundary).
The median is decided by an exact sequential sign test on one value per process, which assumes that processes are
independent and nothing else; percentiles by the three conditions that percentile.py states with their assumptions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from synapse_perf.analyze.boundary import FIRST_LOOK, LAST_LOOK, Side, nominal_level, sign_boundary
from synapse_perf.analyze.percentile import Tail
from synapse_perf.analyze.summary import PERCENTILES, Groups, process_medians, quantile
from synapse_perf.model import Better, Statistic


@dataclass(frozen=True, slots=True)
class Decision:
    """`needs` is about how many further processes would decide; None when none is needed or no number would do."""

    status: Literal["pass", "fail", "inconclusive"]
    observed: float | None
    reason: str
    needs: int | None


def decide(
    groups: Groups,
    statistic: Statistic,
    limit: float,
    better: Better,
    confidence: float = 0.95,
    *,
    minimum: int = FIRST_LOOK,
) -> Decision:
    """Compare a statistic with its limit: "lower" must stay below it, "higher" must reach it.

    Looks start at `minimum` processes. Raises ValueError for a metric without a better direction.
    """
    if better not in ("lower", "higher"):
        raise ValueError(f"a limit needs a better direction, not '{better}'")
    filled = [group for group in groups if group]
    pooled = [value for group in filled for value in group]
    if any(math.isnan(value) for value in pooled):
        return Decision("inconclusive", None, "a sample is not a number", None)
    first = max(2, minimum)
    if not pooled:
        return Decision("inconclusive", None, "no samples", first)
    medians = process_medians(filled)
    observed = quantile(medians if statistic == "median" else pooled, PERCENTILES[statistic])
    if len(filled) < first:
        reason = f"{len(filled)} process{'es' if len(filled) > 1 else ''}, at least {first} are needed"
        missing = _needs_of_few(filled, statistic, limit, 1 - confidence, first)
        return Decision("inconclusive", observed, reason, missing)
    side, needs = _now_or_later(_side_at(filled, statistic, limit, 1 - confidence, first), len(filled))
    evidence = _evidence(medians if statistic == "median" else pooled, limit, statistic, len(filled))
    if side is None:
        why = "too close to the limit" if statistic == "median" else "too close to the limit, or too few processes,"
        return Decision("inconclusive", observed, f"{why} to tell: {evidence}", needs)
    is_good = side == ("under" if better == "lower" else "over")
    return Decision("pass" if is_good else "fail", observed, f"{statistic} {side} the limit: {evidence}", None)


def samples_per_process(statistic: Statistic, processes: int = FIRST_LOOK, confidence: float = 0.95) -> int:
    """The fewest samples in each of so many processes that can show a percentile to be under its limit.

    At 6 processes and 95 %: 1 for the median, 7 for p90, 14 for p95, 68 for p99, none of them past the limit.
    """
    if statistic == "median":
        return 1
    level = nominal_level(processes, 1 - confidence, min(processes, FIRST_LOOK))
    return math.ceil(math.log(level) / math.log(PERCENTILES[statistic]) / processes - 1e-9)


def _side_at(
    groups: Groups, statistic: Statistic, limit: float, error: float, first: int
) -> Callable[[int], Side | None]:
    """The side that is shown if so many processes give samples like these; "over" holds what is on the limit."""
    if statistic != "median":
        tail = Tail.of(groups, PERCENTILES[statistic], limit)
        return lambda processes: tail.side(processes, error, first)
    medians = process_medians(groups)
    share = sum(median >= limit for median in medians) / len(medians)

    def median_side(processes: int) -> Side | None:
        boundary = sign_boundary(processes, error, first)
        over = round(share * processes)
        if over <= boundary:
            return "under"
        return "over" if processes - over <= boundary else None

    return median_side


def _needs_of_few(groups: Groups, statistic: Statistic, limit: float, error: float, first: int) -> int:
    """The processes that are missing for a first look, or more where these would not decide by going on like these."""
    if len(groups) < 2:
        return first - len(groups)
    side_at = _side_at(groups, statistic, limit, error, first)
    return next((count for count in range(first, LAST_LOOK + 1) if side_at(count)), first) - len(groups)


def _evidence(values: Sequence[float], limit: float, statistic: Statistic, processes: int) -> str:
    over = sum(value >= limit for value in values)
    what = "processes" if statistic == "median" else f"samples in {processes} processes"
    return f"{over} of {len(values)} {what} at or over it"


def _now_or_later(side_at: Callable[[int], Side | None], processes: int) -> tuple[Side | None, int | None]:
    """The side that is shown, or after how many further processes it would be if they go on like these."""
    side = side_at(processes)
    if side is not None:
        return side, None
    later = (count for count in range(processes + 1, LAST_LOOK + 1) if side_at(count) is not None)
    return None, next((count - processes for count in later), None)
