"""What does a report tell of a cache: what each key keeps, how fast that grows, and how small the cache may be?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from synapse_perf.analyze.cache_bounds import hit_rates
from synapse_perf.analyze.leak_cache import CacheSeen, KeyUse
from synapse_perf.analyze.leak_cache_findings import cache_finding
from synapse_perf.analyze.leak_trend import Slope
from synapse_perf.report.render import render
from tests.report.leak_examples import EXAMPLES

SEEN = CacheSeen(
    "app:lookup",
    "unbounded",
    fresh_key=Slope(3300, 3290, 3310),
    repeated_key=Slope(0, 0, 1),
    repeated_seen_from=12.0,
    entry=Slope(3300, 3290, 3310),
    entries_per_key=1.0,
    fresh_keys=900,
    fresh_call_s=0.01,
    repeated_call_s=2e-6,
    name="app.CACHE",
    container="dict",
    entries=920,
    made_keys=820,
)
KEYS = [place % 100 for place in range(5000)]
LOG = KeyUse(20.0, "the times of the log", 5000, 100, 0.05, hit_rates(KEYS))


def text(seen: CacheSeen, use: KeyUse, width: int = 120) -> str:
    result = replace(EXAMPLES["leak_clean"](), findings=(cache_finding(seen, use),))
    return " ".join(render(result, "console", width=width, color=False, ascii_only=False).split())


@pytest.mark.parametrize("width", [80, 120])
def test_everything_that_is_known_of_a_cache_is_told(width: int) -> None:
    told = text(SEEN, LOG, width)

    assert "keeps something for each new key, 3.22 KiB an entry in app.CACHE, 272 MiB a day" in told
    assert "new key keeps 3.22 KiB (95 % 3.21–3.23 KiB)" in told
    assert "known key keeps nothing; 12 B would have been seen" in told
    assert "920 in app.CACHE after 900 new keys, 1.00 for each new key" in told
    assert "820 new keys were made up, as your log has 100 different ones" in told
    assert "10.0 ms for a new key, 2.00 µs for a known one" in told
    assert "272 MiB (95 % 271–273 MiB) at 1.00 new keys per second, from the times of the log" in told
    assert "100 entries (322 KiB) keep the hit rate of your log within 1 point: 98.0 % of 98.0 % hits" in told


def test_what_is_missing_is_told_with_the_option_that_gives_it() -> None:
    told = text(SEEN, KeyUse())

    assert "not known without a rate: give --rate, or a log with times; 3.15 MiB for 1,000 new keys" in told
    assert "not known without a log of the keys that are asked for: give it with --keys FILE" in told


def test_a_cache_that_asks_for_no_change_is_no_finding_of_the_list() -> None:
    bounded = replace(SEEN, kind="bounded", bound=1000, entries=1000, entries_per_key=0.0)
    told = text(bounded, KeyUse())

    assert "has a cache in app.CACHE with a bound, 1000 entries (3.15 MiB): once full, it grows no more" in told
    assert "Findings" not in told
