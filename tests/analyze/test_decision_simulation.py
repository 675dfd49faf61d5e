"""Do decisions keep their stated error when the sampling stops at the first one, for distributions of several shapes?

10,000 runs in each cell, looked at after every process from the sixth to the sixtieth. Shown with ``pytest -s``.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from synapse_perf.analyze.decision import decide
from synapse_perf.analyze.summary import PERCENTILES
from synapse_perf.model import Statistic
from tests.analyze.simulation import (
    ERROR,
    MEDIAN_SHAPES,
    MOST_PROCESSES,
    PERCENTILE_SHAPES,
    Cell,
    Rule,
    Shape,
    cells,
    format_cells,
    median_rule,
    naive_median_rule,
    naive_percentile_rule,
    percentile_rule,
    simulate,
)

SAMPLES = 15  # of each process, for percentiles
CASES: list[tuple[Statistic, Shape, int]] = [
    *(("median", shape, samples) for shape, samples in MEDIAN_SHAPES),
    *(("p90", shape, SAMPLES) for shape in PERCENTILE_SHAPES),
    *(("p95", shape, SAMPLES) for shape in PERCENTILE_SHAPES),
]
every_case = pytest.mark.parametrize(
    ("statistic", "shape", "samples"), CASES, ids=[f"{case[0]}, {case[1].name}" for case in CASES]
)

simulated = cache(simulate)


@every_case
def test_wrong_verdicts_are_at_most_the_stated_error(statistic: Statistic, shape: Shape, samples: int) -> None:
    table = simulated(statistic, shape, samples)
    print(f"\n{format_cells(table)}")  # noqa: T201
    assert [cell for cell in table if cell.wrong > ERROR] == []


@every_case
def test_half_and_twice_the_limit_are_decided_by_the_first_look(
    statistic: Statistic, shape: Shape, samples: int
) -> None:
    table = simulated(statistic, shape, samples)
    assert [cell for cell in table if cell.scale in (0.5, 2.0) and cell.decided_at_first < 0.99] == []


@every_case
def test_half_as_much_again_is_decided_in_the_end(statistic: Statistic, shape: Shape, samples: int) -> None:
    """A rule that never decides would keep any error: away from the limit this one does."""
    table = simulated(statistic, shape, samples)
    far = [cell for cell in table if cell.scale in (0.5, 1.5, 2.0)]
    assert min(cell.decided for cell in far) > 0.999


def _worst(rule: Rule, shape: Shape, statistic: Statistic) -> Cell:
    table = cells(shape, statistic, rule, shape.true_quantile(PERCENTILES[statistic]))
    return max(table, key=lambda cell: cell.wrong)


def test_a_fixed_count_test_tried_again_at_every_look_breaks_the_error_of_the_median() -> None:
    shape = MEDIAN_SHAPES[0][0]
    data = shape.draw(np.random.default_rng(20), 10_000, MOST_PROCESSES, 1)
    assert _worst(naive_median_rule(data), shape, "median").wrong > 3 * ERROR


def test_pooled_samples_tried_again_at_every_look_break_the_error_of_a_percentile() -> None:
    """Without regard for processes, which differ."""
    shape = PERCENTILE_SHAPES[-1]
    data = shape.draw(np.random.default_rng(20), 4_000, MOST_PROCESSES, SAMPLES)
    table = cells(shape, "p90", naive_percentile_rule(data, 0.9), shape.true_quantile(0.9))
    assert max(cell.wrong for cell in table) > 5 * ERROR


@pytest.mark.parametrize("statistic", ["median", "p90", "p95"])
@pytest.mark.parametrize("scale", [0.8, 0.95, 1.0, 1.2])
def test_the_simulated_rule_is_the_rule_of_decide(statistic: Statistic, scale: float) -> None:
    """Run by run and look by look, on data where both verdicts and none occur."""
    shape = PERCENTILE_SHAPES[1]
    data = shape.draw(np.random.default_rng(5), 12, 30, SAMPLES).astype(np.float64)
    limit = shape.true_quantile(PERCENTILES[statistic]) / scale
    rule = median_rule(data) if statistic == "median" else percentile_rule(data, PERCENTILES[statistic])
    under, over = rule(limit)
    for run, groups in enumerate(data.tolist()):
        for look in range(6, 31, 3):
            status = decide(groups[:look], statistic, limit, "lower").status
            expected = "pass" if under[run, look - 6] else "fail" if over[run, look - 6] else "inconclusive"
            assert status == expected
