"""Is leak-hunt as seldom wrong on the corpus as it has to be? What further runs tell is added to what is known.

Each run hunts for five minutes, or as long as SYNAPSE_PERF_LEAK_BENCH_S says (seconds); 0 judges what is known.
"""

from __future__ import annotations

import os
import sys

from pytest_benchmark.fixture import BenchmarkFixture

from tests.bench.leak_rates import accumulate, accused, groups, kept_file, named, of_cases, right, table
from tests.faults.leak_cases import CASES, SIZES

HUNTING_S = float(os.environ.get("SYNAPSE_PERF_LEAK_BENCH_S") or 300)
SMALLEST, MIDDLE, _ = SIZES
WANTED_SHARE = 0.95  # of the leaks of the middle size; of larger ones and of counts every one
WANTED_NAMED = 0.90  # of the leaks that an object of Python's holds
FILE = kept_file()


def test_innocent_code_is_never_accused_and_leaks_are_told_with_their_owners(benchmark: BenchmarkFixture) -> None:
    records = benchmark.pedantic(accumulate, args=(HUNTING_S, FILE), rounds=1)

    sys.stdout.write(f"\n{table(records)}\n")
    assert accused(of_cases(records, [case for case in CASES if case.kind == "innocent"])).hits == 0
    for told, cases in groups(case for case in CASES if case.kind != "innocent").items():
        rate = right(of_cases(records, cases))
        if cases[0].size == MIDDLE:
            assert rate.interval[1] >= WANTED_SHARE, f"{told}: {rate}"
        elif cases[0].size != SMALLEST:
            assert rate.hits == rate.count, f"{told}: {rate}"
    owners = named(of_cases(records, [case for case in CASES if case.is_held]))
    assert owners.interval[1] >= WANTED_NAMED, f"owners named: {owners}"
