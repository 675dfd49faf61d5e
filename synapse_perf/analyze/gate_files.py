"""How does one run differ from another, with nothing known but the two? The rows of `compare`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace

from synapse_perf.analyze.compare import SMALLEST_EFFECT, compare
from synapse_perf.analyze.gate_figures import Figure, figures_of, results_of
from synapse_perf.analyze.gate_report import GateRow
from synapse_perf.model import Comparison, Result, Suite


def rows_between(before: Result | Suite, after: Result | Suite) -> tuple[GateRow, ...]:
    """Each metric with a direction, of every command that either run has; raises what `figures_of` raises."""
    return tuple(_rows(before, after))


def _rows(before: Result | Suite, after: Result | Suite) -> Iterator[GateRow]:
    present = {result.benchmark for result in results_of(after)}
    for result in results_of(after):
        old = next((one for one in results_of(before) if one.benchmark == result.benchmark), None)
        figures = (figures_of(old) if old else {}, figures_of(result))
        yield from _judged(compare(result, before), *figures)
    for result in results_of(before):
        if result.benchmark not in present:
            yield from _judged(compare(replace(result, metrics=()), result), figures_of(result), {})


def _judged(
    comparisons: tuple[Comparison, ...], before: Mapping[str, Figure], after: Mapping[str, Figure]
) -> Iterator[GateRow]:
    for one in comparisons:
        old, new = before.get(one.metric), after.get(one.metric)
        figure = new or old
        if figure is not None:
            filled = replace(one, baseline=_known(old), current=_known(new))
            yield GateRow(filled, figure.better, SMALLEST_EFFECT, is_principal=figure.is_principal)


def _known(figure: Figure | None) -> float | None:
    return figure.value if figure and math.isfinite(figure.value) else None
