"""Which index is to be built and measured next, and when is enough known?

A race on a part of the vectors shows which families are worth building in full: successive halving over one or two
sizes (K. Jamieson, A. Talwalkar, AISTATS 2016). Then the most promising is built first, its number of lists or links is
moved as long as that helps, and what cannot become the fastest any more is not built at all.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from synapse_perf.analyze.sampling import spent_s
from synapse_perf.analyze.tuning import CURRENT, Budget, Measured, Option
from synapse_perf.analyze.tuning_trials import INDEX, failed, measured, memory_bytes, parse_point
from synapse_perf.model import Json, Policy, Trial, TrialSpec

RACE_ABOVE = 10_000  # vectors; with fewer all candidates are measured in full at once
RACE_ROWS = 50_000  # of a race at most, or there is a smaller one before it
RACE_SHARE = 8  # each race is over this part of what follows it, but over no fewer than
LEAST_RACED = 5000
RACE_QUERIES = 200
SLACK = 1.6  # how much faster than projected a candidate may turn out to be
CORRECTED_SLACK = 1.4  # the same where the projection is corrected by those that were built
MOST_COMPARED = 0.5  # of the vectors: an index to skip vectors that compares more of them is a slower scan
NEAR = 1.5  # how much slower than the best a family may be to have its other sizes tried
LEAST_ROWS = 1000
SEARCHING_SHARE = 0.7  # of the time; the rest is for comparing what was found


@dataclass(frozen=True, slots=True)
class TuningRequest:
    """What is to be tuned, on what, and how thoroughly."""

    directory: str
    count: int
    dimension: int
    queries: int
    metric: str
    k: int
    budget: Budget
    options: tuple[Option, ...]
    left_out: tuple[tuple[str, str], ...] = ()
    current: tuple[tuple[str, int], ...] | None = None  # parameters of its search; None: there is no index yet
    processes: int = 6
    confidence: float = 0.95
    max_time_s: float | None = None
    timeout_s: float = 900.0
    open_modes: tuple[tuple[str, str], ...] = field(default=())  # by factory text

    @property
    def is_shown(self) -> bool:
        """Whether so many queries can show the recall of an index that finds everything (Wilson's bound)."""
        return self.queries / (self.queries + 1.96**2) >= self.budget.recall


def tuning_policy(request: TuningRequest) -> Policy:
    """The trials of a whole tuning, one after the other."""

    def next_trial(trials: tuple[Trial, ...]) -> TrialSpec | None:
        from synapse_perf.analyze.tuning_finals import next_final

        spent, most = spent_s(trials), request.max_time_s
        if most is not None and spent > most:
            return None
        has_time = most is None or spent <= SEARCHING_SHARE * most or not eligible(request, trials)
        spec = (_next_race(request, trials) or _next_in_full(request, trials)) if has_time else None
        return spec or next_final(request, trials)

    return next_trial


def races(count: int) -> tuple[int, ...]:
    """The numbers of vectors of the races before the full one."""
    sizes: list[int] = []
    rows = max(count // RACE_SHARE, LEAST_RACED)
    while count > RACE_ABOVE and rows >= LEAST_ROWS and len(sizes) < 2:
        sizes.insert(0, rows)
        if rows <= RACE_ROWS:
            break
        rows //= RACE_SHARE
    return tuple(sizes)


def index_spec(
    request: TuningRequest,
    candidates: Sequence[tuple[str, float]],
    rows: int | None = None,
    *,
    queries: int | None = None,
    limit_s: float | None = None,
    near: Mapping[str, int] | None = None,
) -> TrialSpec:
    """A trial that builds and measures these candidates on so many vectors (None: all), beginning near a setting."""
    asked: list[dict[str, Json]] = [{"family": family, "size": size} for family, size in candidates]
    for one in asked:
        if one["family"] == CURRENT:
            one["point"] = dict(request.current or ())
        if near:
            one["near"] = dict(near)
    name = candidates[0][0] if len(candidates) == 1 else f"{len(candidates)} candidates"
    return TrialSpec(
        benchmark=INDEX,
        arm=name if rows is None else f"{name} on {rows} vectors",
        labels={},
        workload={
            "directory": request.directory,
            "metric": request.metric,
            "k": request.k,
            "rows": request.count if rows is None else rows,
            "queries": queries,
            "candidates": asked,
            "recall": request.budget.recall,
            "shown": request.is_shown and queries is None,
            "limit_s": limit_s,
            "slack": 2 * SLACK,  # others may slow a race down for a moment
        },
        samples=10_000,
        timeout_s=request.timeout_s,
    )


def _next_race(request: TuningRequest, trials: tuple[Trial, ...]) -> TrialSpec | None:
    entered = _representatives(request.options)
    for rows in races(request.count):
        left = _left(entered, trials, rows)
        if left:
            return index_spec(request, [(one.family, one.size) for one in left], rows, queries=RACE_QUERIES)
        entered = survivors(request, entered, measured(trials, rows))
    return None


def _next_in_full(request: TuningRequest, trials: tuple[Trial, ...]) -> TrialSpec | None:
    faults = failed(trials, request.count)
    full = measured(trials, request.count)
    known = {_key_of(one) for one in full} | set(faults)
    if request.current is not None and (CURRENT, 0) not in known:
        return index_spec(request, [(CURRENT, 0)])
    if not races(request.count):
        left = [(one.family, one.size) for one in request.options if (one.family, one.size) not in known]
        return index_spec(request, left) if left else None
    best_s = fastest_s(request, trials)
    due = [(promise_s, option) for promise_s, option in promising(request, trials) if _key(option) not in known]
    if not due:
        return None
    _, option = min(due, key=lambda pair: pair[0])
    limit_s = 2 * SLACK * best_s if math.isfinite(best_s) else None
    return index_spec(request, [_key(option)], limit_s=limit_s, near=_near(option, trials))


def _near(option: Option, trials: Sequence[Trial]) -> dict[str, int]:
    """A setting that sufficed for this family on the most vectors so far."""
    own = [one for one in measured(trials) if one.family == option.family and one.best.suffices]
    return parse_point(max(own, key=lambda one: one.rows).best.parameters) if own else {}


def promising(request: TuningRequest, trials: Sequence[Trial]) -> list[tuple[float, Option]]:
    """The candidates that may still become the fastest, each with the time that it is expected to take."""
    full = measured(trials, request.count)
    best_s = fastest_s(request, trials)
    correction = _correction(request, trials)
    has_no_rival = len(eligible(request, trials)) < 2  # the winner is told with a runner-up
    found: list[tuple[float, Option]] = []
    for option in _raced(request, trials):
        own = [one for one in full if one.family == option.family]
        if not own:
            promise_s = projected_s(request, option, trials)
            least_s = min(promise_s / SLACK, correction * promise_s / CORRECTED_SLACK)
            if least_s < best_s or has_no_rival:
                found.append((promise_s, option))
            continue
        best = min(own, key=lambda one: (not one.best.suffices, one.best.p50_s))
        if best.best.suffices and best.best.p50_s <= NEAR * best_s:
            found += [(best.best.p50_s, one) for one in _neighbours(request.options, best)]
    return found


def survivors(request: TuningRequest, entered: Sequence[Option], raced: Sequence[Measured]) -> list[Option]:
    """Those of a race that may become the fastest on all vectors, and the better half at most of many."""
    by_key = {_key_of(one): one for one in raced}
    there = [option for option in entered if _key(option) in by_key and keeps_to_memory(request, by_key[_key(option)])]
    promises = {option: _projection(request, option, by_key[_key(option)]) for option in there}
    useful = [one for one in there if math.isfinite(promises[one]) and not skips_little(one, by_key[_key(one)])]
    ordered = sorted(useful, key=lambda one: promises[one])
    if not ordered:
        return there
    best_s = promises[ordered[0]]
    near = [option for option in ordered if promises[option] <= SLACK**2 * best_s]
    return near[: max(3, math.ceil(len(entered) / 2))]


def skips_little(option: Option, raced: Measured) -> bool:
    return option.growth < 1 and raced.compared_share > MOST_COMPARED


def projected_s(request: TuningRequest, option: Option, trials: Sequence[Trial]) -> float:
    """What a median query is expected to take on all vectors, from the last race that the candidate was in."""
    raced = [one for one in measured(trials) if _key(option) == _key_of(one) and one.rows < request.count]
    if not raced:
        return math.inf
    return _projection(request, option, max(raced, key=lambda one: one.rows))


def fastest_s(request: TuningRequest, trials: Sequence[Trial]) -> float:
    """The median query of the fastest candidate that keeps to what is asked of recall and memory."""
    return min((one.best.p50_s for one in eligible(request, trials)), default=math.inf)


def _correction(request: TuningRequest, trials: Sequence[Trial]) -> float:
    """How much less than projected the candidates took that were built so far, at the best: others may as well."""
    expected = {_key(option): projected_s(request, option, trials) for option in request.options}
    ratios = [one.best.p50_s / expected[_key_of(one)] for one in eligible(request, trials)]
    return min([1.0, *(ratio for ratio in ratios if ratio > 0)])


def eligible(request: TuningRequest, trials: Sequence[Trial]) -> list[Measured]:
    """The candidates, without the current index, that keep to what is asked of recall and memory."""
    full = [one for one in measured(trials, request.count) if one.family != CURRENT and one.best.suffices]
    return [one for one in full if keeps_to_memory(request, one, trials)]


def keeps_to_memory(request: TuningRequest, one: Measured, trials: Sequence[Trial] = ()) -> bool:
    """By what an open index took, if that is known, else by its file as large as it were with all vectors in it."""
    limit = request.budget.memory_bytes
    if limit is None:
        return True
    taken = memory_bytes(trials, one) if one.rows == request.count else None
    return (one.file_bytes * request.count / one.rows if taken is None else taken) <= limit


def _projection(request: TuningRequest, option: Option, raced: Measured) -> float:
    if not raced.best.suffices:
        return math.inf
    growth = option.growth + (1 - option.growth) * raced.compared_share  # what skips nothing grows as a scan does
    return float(raced.best.p50_s * (request.count / raced.rows) ** growth)


def _raced(request: TuningRequest, trials: Sequence[Trial]) -> list[Option]:
    """What is left after the races, or all that entered them where that leaves no winner and runner-up."""
    entered = _representatives(request.options)
    too_large = {_key_of(one) for one in measured(trials) if not keeps_to_memory(request, one)}
    everything = [option for option in entered if _key(option) not in too_large]
    for rows in races(request.count):
        entered = survivors(request, entered, measured(trials, rows))
    known = {one.family for one in measured(trials, request.count)}
    known |= {family for family, _ in failed(trials, request.count)}
    is_in_vain = all(option.family in known for option in entered) and len(eligible(request, trials)) < 2
    return everything if is_in_vain else entered


def _representatives(options: Sequence[Option]) -> list[Option]:
    """One size of each family, the middle one."""
    families: dict[str, list[Option]] = {}
    for option in options:
        families.setdefault(option.family, []).append(option)
    return [sizes[len(sizes) // 2] for sizes in families.values()]


def _neighbours(options: Sequence[Option], best: Measured) -> list[Option]:
    """The next smaller and the next larger size of the family."""
    sizes = sorted((one for one in options if one.family == best.family), key=lambda one: one.size)
    place = next((index for index, one in enumerate(sizes) if one.size == best.size), None)
    if place is None:
        return []
    return [sizes[index] for index in (place - 1, place + 1) if 0 <= index < len(sizes)]


def _left(entered: Sequence[Option], trials: Sequence[Trial], rows: int) -> list[Option]:
    known = {_key_of(one) for one in measured(trials, rows)} | set(failed(trials, rows))
    return [option for option in entered if _key(option) not in known]


def _key_of(one: Measured) -> tuple[str, float]:
    return one.family, one.size


def _key(option: Option) -> tuple[str, float]:
    return option.family, option.size
