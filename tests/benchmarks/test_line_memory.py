"""What does a line add, and what is refused?"""

from __future__ import annotations

import sys
from typing import Any

import pytest

from synapse_perf.benchmarks.context import BenchmarkFailed
from synapse_perf.benchmarks.line_memory import MOST_LINES, line_table

KEPT: list[Any] = []  # of blocks beyond the size up to which malloc may take memory that it already has


def keeps() -> int:
    number = 1
    KEPT.append(b"x" * 40_000_000)
    return number


async def waits() -> None: ...


def runs_long() -> int:
    total = 0
    for number in range(MOST_LINES):
        total += number
    return total


def test_the_line_that_keeps_memory_adds_it() -> None:
    table = line_table("test:keeps", keeps, keeps)
    KEPT.clear()
    by_text = {one.text.strip(): one for one in table.lines}

    kept = by_text['KEPT.append(b"x" * 40_000_000)']
    assert kept.growth_bytes == pytest.approx(40_000_000, rel=0.1)
    assert (kept.hits, table.calls) == (1, 20)
    assert abs(by_text["number = 1"].growth_bytes) < 1_000_000
    assert sys.gettrace() is None or "coverage" in str(sys.gettrace())


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (waits, "it is async, which memory-profiler cannot follow"),
        (runs_long, f"more than {MOST_LINES} lines run in a call"),
        (len, "it has no lines of Python"),
    ],
)
def test_what_it_cannot_tell_is_refused_with_the_reason(function: Any, message: str) -> None:
    with pytest.raises(BenchmarkFailed, match=message):
        line_table("test:function", function, runs_long)


def test_a_function_that_no_call_uses_is_refused() -> None:
    with pytest.raises(BenchmarkFailed, match="it does not run in a call"):
        line_table("test:keeps", keeps, lambda: None)


def test_without_the_package_the_command_that_installs_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "memory_profiler", None)
    with pytest.raises(BenchmarkFailed) as caught:
        line_table("test:keeps", keeps, keeps)

    assert caught.value.failure["remedy"] == f"{sys.executable} -m pip install memory-profiler"
