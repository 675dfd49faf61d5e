"""Which of the candidates that were measured alone are compared side by side, opened cold, and measured for growth?"""

from __future__ import annotations

from collections.abc import Sequence

from synapse_perf.analyze.summary import quantile
from synapse_perf.analyze.tuning import CURRENT, Measured
from synapse_perf.analyze.tuning_plan import LEAST_ROWS, TuningRequest, eligible, index_spec, keeps_to_memory
from synapse_perf.analyze.tuning_trials import COLD, COMPARE, failed, latencies, measured, parse_point
from synapse_perf.model import Json, Trial, TrialSpec

FINALIST = 1.5  # how much slower than the best, measured alone, one may be to be compared side by side
FINALISTS = 4
OPENED_COLD = 2  # of the finalists the best, besides the current index
GROWTH_PARTS = (16, 4)  # the winner is measured on these parts of the vectors as well
GIVE_UP = 2  # failed trials of one kind


def next_final(request: TuningRequest, trials: tuple[Trial, ...]) -> TrialSpec | None:
    """First all finalists side by side, then each out of a cold file, then the winner on fewer vectors."""
    chosen = finalists(request, trials)
    if not chosen:
        return None
    spec = _compare_spec(request, chosen)
    if _is_wanted(trials, [spec], request.processes):
        return spec
    ahead = [one for one in quickest(request, trials) if one.family != CURRENT][:OPENED_COLD]
    cold = [_cold_spec(request, one) for one in chosen if one in ahead or one.family == CURRENT]
    missing = [one for one in cold if _is_wanted(trials, [one], request.processes)]
    if missing:
        return min(missing, key=lambda one: sum(_is_same(trial.spec, one) for trial in trials))
    return _next_growth(request, trials)


def finalists(request: TuningRequest, trials: Sequence[Trial]) -> list[Measured]:
    """The current index, and the few that are about as fast as the fastest within the budget; at least two of them."""
    full = measured(trials, request.count)
    current = [one for one in full if one.family == CURRENT]
    good = sorted(eligible(request, trials), key=lambda one: one.best.p95_s)
    near = [one for one in good[:FINALISTS] if one.best.p95_s <= FINALIST * good[0].best.p95_s]
    return [*current, *(near if len(near) > 1 else good[:2])]


def quickest(request: TuningRequest, trials: Sequence[Trial]) -> list[Measured]:
    """The finalists that keep to recall and memory, the smallest p95 first, side by side where that was measured."""
    good = [one for one in finalists(request, trials) if one.best.suffices and keeps_to_memory(request, one, trials)]
    return sorted(good, key=lambda one: p95_of(trials, one))


def p95_of(trials: Sequence[Trial], one: Measured) -> float:
    """Over all processes that compared the finalists, or as measured alone."""
    (compared,) = latencies(trials, one)
    return quantile([value for process in compared for value in process], 0.95) if compared else one.best.p95_s


def _next_growth(request: TuningRequest, trials: tuple[Trial, ...]) -> TrialSpec | None:
    """Only where a latency budget asks for it."""
    chosen = [one for one in quickest(request, trials) if one.family != CURRENT]
    if request.budget.latency_s is None or not chosen:
        return None
    winner = (chosen[0].family, chosen[0].size)
    for part in GROWTH_PARTS:
        rows = request.count // part
        known = {(one.family, one.size) for one in measured(trials, rows)} | set(failed(trials, rows))
        if rows >= LEAST_ROWS and winner not in known:
            return index_spec(request, [winner], rows)
    return None


def _compare_spec(request: TuningRequest, chosen: Sequence[Measured]) -> TrialSpec:
    return TrialSpec(
        benchmark=COMPARE,
        arm="side by side",
        labels={},
        workload={
            "directory": request.directory,
            "k": request.k,
            "finalists": [
                {"file": one.file, "point": _point(request, one), "labels": labels_of(one)} for one in chosen
            ],
        },
        samples=10_000,
        timeout_s=request.timeout_s,
    )


def _cold_spec(request: TuningRequest, one: Measured) -> TrialSpec:
    return TrialSpec(
        benchmark=COLD,
        arm=f"{one.index} cold",
        labels=labels_of(one),
        workload={
            "directory": request.directory,
            "file": one.file,
            "mode": open_mode(request, one),
            "k": request.k,
            "point": _point(request, one),
            "labels": labels_of(one),
        },
        timeout_s=request.timeout_s,
        page_cache="cold",
        files=(one.file,),
    )


def open_mode(request: TuningRequest, one: Measured) -> str:
    return dict(request.open_modes).get(one.index, "read")


def labels_of(one: Measured) -> dict[str, str]:
    return {"family": one.family, "index": one.index, "parameters": one.best.parameters}


def _point(request: TuningRequest, one: Measured) -> dict[str, Json]:
    if one.family == CURRENT:
        return dict(request.current or ())
    return parse_point(one.best.parameters)


def _is_wanted(trials: Sequence[Trial], specs: Sequence[TrialSpec], processes: int) -> bool:
    tried = [trial for trial in trials if any(_is_same(trial.spec, spec) for spec in specs)]
    failures = sum(trial.failure is not None for trial in tried)
    return failures < GIVE_UP and len(tried) - failures < processes


def _is_same(one: TrialSpec, other: TrialSpec) -> bool:
    """A trial out of a file that could not be shown to be cold comes back with another label."""
    return one.benchmark == other.benchmark and one.workload == other.workload
