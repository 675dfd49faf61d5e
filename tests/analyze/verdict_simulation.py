"""How often is the verdict of a whole run wrong, and how soon is it there? Everything that decides is the real thing.

The policy of tier-latency asks a simulated machine, trial by trial, until its own rule is content; `check_targets`
judges the metrics of these trials, as the command does. Only the times of the queries are drawn.
``python -m tests.analyze.verdict_simulation RUNS FIRST_SEED`` prints the table for so many runs of each kind.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from synapse_perf.analyze.collect import metrics_of
from synapse_perf.analyze.latency_pace import paced
from synapse_perf.analyze.latency_plan import LatencyRequest, plan_latency
from synapse_perf.analyze.load_plan import ModelUnderTest
from synapse_perf.analyze.query_set import built_in_queries
from synapse_perf.analyze.sampling import Bounds
from synapse_perf.analyze.stopping import Judgement, needs_by
from synapse_perf.analyze.targets import TARGETS
from synapse_perf.analyze.verdict import check_targets
from synapse_perf.benchmarks.tier_latency import METRICS
from synapse_perf.model import CheckStatus, Trial
from tests.analyze.latency_machine import Machine
from tests.analyze.simulation import Shape

LIMIT_S = 2.0  # of query-fast
WITHIN = 150  # queries
PROCESS_EFFECT = 0.05
SHAPES = (
    Shape("lognormal", 0.25, PROCESS_EFFECT),
    Shape("two peaks", 0.08, PROCESS_EFFECT, ((0.7, 1.0), (0.3, 1.6))),
)
SCALES = (0.5, 0.8, 0.9, 0.95, 1.05, 1.1, 1.2, 1.5, 2.0)  # true p90 over its limit
MODEL = ModelUnderTest("fast", "/m", ("/m",), 1, "d", "a model", is_sample=False, tier="fast")


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run: its verdict, after how many queries, and whether that is the wrong one."""

    status: CheckStatus
    queries: int
    is_wrong: bool


def simulate_run(shape: Shape, scale: float, seed: int, processes: int = 60) -> Outcome:
    """A run of one tier whose true p90 is at this multiple of the limit, with so many processes at most."""
    alone = LatencyRequest(prefixes=("cold",), wants_high_level=False, overlaps=())
    cases = plan_latency({"fast": MODEL}, built_in_queries(), alone)
    judgement = Judgement(METRICS, TARGETS)
    arms = [case.arm(6) for case in cases]
    bounds = Bounds(maximum=processes)
    policy = paced(cases, bounds=bounds, judgement=judgement, needs=needs_by(judgement, arms), seed=seed)
    unit_s = LIMIT_S * scale / shape.true_quantile(0.9)
    drawing = np.random.default_rng([seed, round(scale * 1000), len(shape.peaks)])

    def draw(rng: random.Random, count: int) -> Sequence[float]:
        values: list[float] = shape.draw(drawing, 1, 1, count)[0, 0].astype(float).tolist()
        return values

    trials = Machine({"fast": unit_s}, draw=draw).run(policy)
    status = _verdict(trials)
    return Outcome(status, sum(len(trial.samples) for trial in trials), status == ("fail" if scale < 1 else "pass"))


def _verdict(trials: Sequence[Trial]) -> CheckStatus:
    metrics = metrics_of(trials, METRICS)
    checks = check_targets(metrics, TARGETS, confidence=0.95, subject="real", profile="laptop")
    (check,) = (check for check in checks if check.target == "query-fast" and check.status != "not-measured")
    return check.status


@dataclass(frozen=True, slots=True)
class Row:
    """All runs at one place of the limit."""

    shape: str
    scale: float
    runs: int
    wrong: int
    decided: int
    soon: int  # decided within 150 queries
    middle: float  # queries of a decided run, in the middle

    def __str__(self) -> str:
        shares = f"{self.wrong / self.runs:7.2%} {self.soon / self.runs:11.1%} {self.decided / self.runs:8.1%}"
        return f"{self.shape:10} {self.scale:10.2f} {self.runs:6} {shares} {self.middle:9.0f}"


HEADER = "shape      true/limit   runs   wrong  within 150  decided   queries (median of the decided)"


def row_of(shape: Shape, scale: float, outcomes: Sequence[Outcome]) -> Row:
    decided = [one for one in outcomes if one.status in ("pass", "fail")]
    middle = float(np.median([one.queries for one in decided])) if decided else float("nan")
    soon = sum(one.queries <= WITHIN for one in decided)
    return Row(shape.name, scale, len(outcomes), sum(one.is_wrong for one in outcomes), len(decided), soon, middle)


def simulate_rows(
    runs: int, *, first_seed: int = 1, scales: Sequence[float] = SCALES, processes: int = 60
) -> list[Row]:
    """One row for each shape and place; run n has seed `first_seed` + n, so that a table can be made in parts."""
    seeds = range(first_seed, first_seed + runs)
    return [
        row_of(shape, scale, [simulate_run(shape, scale, seed, processes) for seed in seeds])
        for shape in SHAPES
        for scale in scales
    ]


def format_rows(rows: Sequence[Row]) -> str:
    return "\n".join([HEADER, *map(str, rows)])


if __name__ == "__main__":
    print(format_rows(simulate_rows(int(sys.argv[1]), first_seed=int(sys.argv[2]))))  # noqa: T201
