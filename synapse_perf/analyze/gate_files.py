"""How does one run differ from another, with nothing known but the two? The rows of `compare`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from synapse_perf.analyze.compare import SMALLEST_EFFECT, compare, differing_fields
from synapse_perf.analyze.gate_figures import Figure, figures_of, results_of
from synapse_perf.analyze.gate_leaks import between, growth_of, told_leaks
from synapse_perf.analyze.gate_report import GateRow
from synapse_perf.model import Comparison, Leak, Result, Suite


def rows_between(before: Result | Suite, after: Result | Suite) -> tuple[GateRow, ...]:
    """Each metric with a direction, of every command that either run has; raises what `figures_of` raises."""
    return tuple(_rows(before, after))


def _rows(before: Result | Suite, after: Result | Suite) -> Iterator[GateRow]:
    for result in newest_of(after):
        old = next((one for one in results_of(before) if one.benchmark == result.benchmark), None)
        if result.leaks or (old and old.leaks):
            yield from _leak_rows(old, result)
            continue
        figures = (figures_of(old) if old else {}, figures_of(result))
        yield from _judged(compare(result, before), *figures)
    yield from gone(before, after)


def gone(before: Result | Suite, after: Result | Suite, wanted: Sequence[str] = ()) -> Iterator[GateRow]:
    """The metrics of each command that only the first of the two has."""
    present = {result.benchmark for result in results_of(after)}
    for result in newest_of(before):
        if result.benchmark not in present:
            yield from _judged(compare(replace(result, metrics=()), result), figures_of(result, wanted), {})


def newest_of(run: Result | Suite) -> tuple[Result, ...]:
    """One run of each command: a baseline may hold several, the newest first."""
    results = results_of(run)
    return tuple(
        one for place, one in enumerate(results) if one.benchmark not in {of.benchmark for of in results[:place]}
    )


def older_runs(name: str, run: Result | Suite) -> list[str]:
    """What to say of a baseline of several runs, of which two runs are compared by the newest alone."""
    left_out = len(results_of(run)) - len(newest_of(run))
    return [f"{name} holds several runs: the newest is compared, {left_out} older are not"] if left_out else []


def _judged(
    comparisons: tuple[Comparison, ...], before: Mapping[str, Figure], after: Mapping[str, Figure]
) -> Iterator[GateRow]:
    for one in comparisons:
        old, new = before.get(one.metric), after.get(one.metric)
        figure = new or old
        if figure is not None:
            filled = replace(one, baseline=_known(old, figure.unit), current=_known(new, figure.unit))
            is_incomplete = one.status == "inconclusive" and None in (filled.baseline, filled.current)
            is_principal = figure.is_principal or is_incomplete
            yield GateRow(filled, figure.better, SMALLEST_EFFECT, is_principal=is_principal)


def _leak_rows(before: Result | None, after: Result) -> Iterator[GateRow]:
    olds = {leak.metric: leak for leak in told_leaks(before)} if before else {}
    news = {leak.metric: leak for leak in told_leaks(after)}
    difference = differing_fields(after, before) if before else []
    for metric in dict.fromkeys([*olds, *news]):
        status, reason, ratios = between(olds.get(metric), news.get(metric), difference)
        unit = (news.get(metric) or olds[metric]).unit
        old, new = (_growth(side.get(metric)) for side in (olds, news))
        yield GateRow(Comparison(metric, status, old, new, unit, *ratios, reason), "lower", SMALLEST_EFFECT)


def _growth(leak: Leak | None) -> float | None:
    value = math.nan if leak is None else growth_of(leak)
    return value if math.isfinite(value) else None


def _known(figure: Figure | None, unit: str) -> float | None:
    return figure.value if figure and figure.unit == unit and math.isfinite(figure.value) else None


def software_between(before: Result | Suite, after: Result | Suite) -> list[str]:
    """The fields of the software class that differ, in any command that both runs have."""
    olds = {result.benchmark: result for result in results_of(before)}
    found = [
        name
        for result in results_of(after)
        if result.benchmark in olds
        for name in changed_software(result, olds[result.benchmark])
    ]
    return list(dict.fromkeys(found))


def changed_software(current: Result, stored: Result) -> list[str]:
    """What is another version there: it is compared all the same, and told."""
    now, before = current.environment.software_class, stored.environment.software_class
    if now.get("digest") == before.get("digest"):
        return []
    return [name for name in {**before, **now} if now.get(name) != before.get(name) and name != "digest"]
