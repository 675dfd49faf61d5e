"""Pairs of runs for the tests of the gate, made of the slowdowns that they show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from synapse_perf.analyze.gate_figures import Figure
from synapse_perf.analyze.gate_paired import PairedRuns
from synapse_perf.analyze.gate_policy import Pair, PairSpec, Stage
from synapse_perf.model import Better

NOISE = (0.004, -0.006, 0.002, -0.003, 0.007, -0.001, 0.005, -0.004, 0.001, -0.002, 0.003, -0.005)


def time(value: float, unit: str = "s", better: Better = "lower") -> Figure:
    return Figure(value, unit, better)


def paired(before: float, after: float, better: Better = "lower", unit: str = "s", name: str = "m") -> PairedRuns:
    return PairedRuns({name: Figure(before, unit, better)}, {name: Figure(after, unit, better)})


def slower_by(factor: float, count: int = 12, noise: float = 1.0, better: Better = "lower") -> list[PairedRuns]:
    """Small noise around a ratio of after over before."""
    return [paired(10.0, 10.0 * factor * (1 + noise * NOISE[place % 12]), better) for place in range(count)]


def merged(*columns: Sequence[PairedRuns]) -> list[PairedRuns]:
    """Runs with several metrics, one of each column, named by its place."""
    return [
        PairedRuns(
            {f"m{place}": run.before["m"] for place, run in enumerate(row)},
            {f"m{place}": run.after["m"] for place, run in enumerate(row)},
        )
        for row in zip(*columns, strict=True)
    ]


def pair(
    number: int,
    runs: PairedRuns,
    stage: Stage = "screen",
    disturbances: tuple[str, ...] = (),
) -> Pair:
    return Pair(PairSpec(number, stage, ("before", "after"), (12,)), runs, disturbances)


def without(figures: Mapping[str, Figure], name: str) -> dict[str, Figure]:
    return {key: figure for key, figure in figures.items() if key != name}
