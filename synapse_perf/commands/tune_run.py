"""Finds the best index for a prepared set: races candidates, compares the finalists, and says what to adopt."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from synapse_perf.analyze.tuning import Budget, Tuning
    from synapse_perf.analyze.tuning_plan import TuningRequest
    from synapse_perf.measure.session import Outcome
    from synapse_perf.model import Metric, Policy, Trial

    CarryOut = Callable[[Policy, int], Outcome]

ROOM = 6  # times the bytes of the vectors, for candidates on disk while they are tried


def tune(
    prepared_directory: Path,
    budget: Budget,
    carry_out: CarryOut,
    *,
    metric: str = "l2",
    k: int = 25,
    current_search: Mapping[str, int] | None = None,
    processes: int = 6,
    confidence: float = 0.95,
    max_time_s: float | None = None,
) -> tuple[Tuning, Outcome]:
    """Run all trials of a tuning; the index to beat is the set's `docs.index`, if there is one.

    `current_search` are the parameters that it is searched with, where they are not its own. Raises InputError.
    """
    from synapse_perf.analyze.tuning_outcome import outcome
    from synapse_perf.analyze.tuning_plan import tuning_policy

    request = request_for(
        prepared_directory,
        budget,
        metric=metric,
        k=k,
        current_search=current_search,
        processes=processes,
        confidence=confidence,
        max_time_s=max_time_s,
    )
    done = carry_out(tuning_policy(request), 4 + 4 * processes)
    tuning = outcome(request, done.trials, _code_for(request))
    _remove_losers(prepared_directory, tuning)
    return tuning, done


def request_for(
    prepared_directory: Path,
    budget: Budget,
    *,
    metric: str,
    k: int,
    current_search: Mapping[str, int] | None,
    processes: int,
    confidence: float,
    max_time_s: float | None,
) -> TuningRequest:
    """What can be tried on this set with this FAISS."""
    from synapse_perf.analyze.tuning import Option
    from synapse_perf.analyze.tuning_plan import TuningRequest
    from synapse_perf.retrieval.candidate_files import CURRENT, shape_of_set
    from synapse_perf.retrieval.code_for import open_mode
    from synapse_perf.retrieval.indexes import FAMILIES, candidates

    count, dimension, queries = shape_of_set(prepared_directory)
    _check_budget(budget, prepared_directory, count * dimension * 4)
    tried, left_out = candidates(count, dimension, "l2" if metric == "l2" else "inner-product")
    factories = {one.factory(count) for one in tried}
    has_current = (prepared_directory / CURRENT).exists()
    return TuningRequest(
        directory=str(prepared_directory),
        count=count,
        dimension=dimension,
        queries=queries,
        metric=metric,
        k=min(k, count),
        budget=budget,
        options=tuple(Option(one.family, one.size, FAMILIES[one.family].growth) for one in tried),
        left_out=tuple((one.family, one.reason) for one in left_out),
        current=tuple((current_search or {}).items()) if has_current else None,
        processes=processes,
        confidence=confidence,
        max_time_s=max_time_s,
        timeout_s=_patience_s(count, dimension),
        open_modes=tuple((factory, open_mode(factory)) for factory in sorted(factories)),
    )


def tuning_metrics(trials: Sequence[Trial], count: int, confidence: float = 0.95) -> tuple[Metric, ...]:
    """What was measured on all vectors, for the result: recall at every setting, and the finalists' latencies."""
    from synapse_perf.analyze.collect import metrics_of
    from synapse_perf.benchmarks import tune_cold, tune_compare, tune_index

    kept = [trial for trial in trials if trial.spec.workload.get("rows", count) == count]
    return metrics_of(kept, {**tune_index.METRICS, **tune_compare.METRICS, **tune_cold.METRICS}, confidence)


def _check_budget(budget: Budget, directory: Path, raw_bytes: int) -> None:
    import shutil

    from synapse_perf.errors import InputError
    from synapse_perf.units import format_bytes, format_percent

    if not 0 < budget.recall <= 1:
        raise InputError(f"a recall of {budget.recall:g} cannot be had", "give a share such as 0.95")
    for value, name in ((budget.latency_s, "latency"), (budget.memory_bytes, "memory")):
        if value is not None and value <= 0:
            raise InputError(f"a {name} of {value:g} cannot be kept", "give one above 0, or none")
    free = shutil.disk_usage(directory).free
    if free < ROOM * raw_bytes:
        needed = f"{format_bytes(ROOM * raw_bytes)} of disk are needed to try the candidates"
        share = format_percent(free / (ROOM * raw_bytes))
        raise InputError(f"{needed}, {format_bytes(free)} ({share}) are free", "make room, or tune on fewer vectors")


def _patience_s(count: int, dimension: int) -> float:
    """A graph over a million vectors takes a quarter of an hour to build on a small machine."""
    return 300.0 + 3.0 * count * dimension / 384 / 1000


def _code_for(request: TuningRequest) -> Callable[[str, Mapping[str, int], str], str]:
    from synapse_perf.retrieval.code_for import code_for

    def code(factory: str, point: Mapping[str, int], mode: str) -> str:
        return code_for(
            factory,
            point,
            metric="l2" if request.metric == "l2" else "inner-product",
            mode=mode,  # type: ignore[arg-type]
            k=request.k,
        )

    return code


def _remove_losers(directory: Path, tuning: Tuning) -> None:
    """Keep the files of the winner and the runner-up: the others are large, and quickly built again."""
    from synapse_perf.retrieval.candidate_files import remove_candidates

    kept = {row.index for row in (tuning.winner, tuning.runner_up) if row is not None}
    remove_candidates(directory, keep=kept, count=tuning.count, metric=tuning.metric)
