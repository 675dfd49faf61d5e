"""How good are the verdicts of whole runs of tier-latency? The table of the wrong and the decided ones.

Seeded: the same table each time. Further runs of the same kinds:
``python -m tests.analyze.verdict_simulation RUNS FIRST_SEED``.
"""

from __future__ import annotations

import sys

from pytest_benchmark.fixture import BenchmarkFixture

from tests.analyze.verdict_simulation import Row, format_rows, simulate_rows

RUNS = 200


def test_verdicts_are_right_and_soon(benchmark: BenchmarkFixture) -> None:
    rows: list[Row] = []

    benchmark.pedantic(lambda: rows.extend(simulate_rows(RUNS)), rounds=1, iterations=1)

    sys.stdout.write(f"\n{format_rows(rows)}\n")
    assert [row for row in rows if row.wrong > 0.05 * RUNS] == []
    assert [row for row in rows if row.scale in (0.5, 2.0) and row.soon < 0.99 * RUNS] == []
