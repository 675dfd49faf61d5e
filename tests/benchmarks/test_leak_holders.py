"""How much does an entry of a container hold?"""

from __future__ import annotations

import sys
from collections import namedtuple

import numpy as np
import pytest

from synapse_perf.benchmarks.leak_holders import _deep_bytes

Pair = namedtuple("Pair", ["name", "vector"])


def test_an_entry_is_all_that_belongs_to_it() -> None:
    held = {number: {"text": "x" * 1000, "numbers": [number + 0.5] * 10} for number in range(5)}
    assert 1000 + 24 < _deep_bytes(held) < 2500


def test_an_array_and_its_view_hold_the_same_numbers() -> None:
    whole = [np.zeros(40_000) for _ in range(5)]
    views = [np.zeros(40_000)[1:3] for _ in range(5)]
    assert _deep_bytes(whole) == pytest.approx(320_000, rel=0.01)
    assert _deep_bytes(views) == pytest.approx(320_000, rel=0.01)


def test_without_pympler_a_walk_tells_about_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    held = [Pair("n" * 100, [1.5 * number] * 3) for number in range(5)]
    with_pympler = _deep_bytes(held)
    monkeypatch.setitem(sys.modules, "pympler", None)
    assert _deep_bytes(held) == pytest.approx(with_pympler, rel=0.3)


def test_an_entry_that_leads_to_all_the_rest_is_told_only_up_to_a_bound() -> None:
    everything: list[object] = [[] for _ in range(5000)]
    entries = [[everything] for _ in range(5)]
    assert _deep_bytes(entries) < 2000 * 100 + sys.getsizeof(everything)
