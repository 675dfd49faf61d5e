"""What do new keys and known keys tell together, and what follows from it?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from synapse_perf.analyze.cache_bounds import hit_rates
from synapse_perf.analyze.leak_cache import CacheSeen, KeyUse, Kind, read_hunts, told_rows
from synapse_perf.analyze.leak_cache_findings import cache_finding
from synapse_perf.analyze.leak_rows import leaks_of
from synapse_perf.analyze.leak_trend import Slope
from synapse_perf.model import Trial
from tests.analyze.made_leaks import SAMPLES, filling, leaking, trial

COUNT = SAMPLES[2] + 1
CALLS = 10
FLAT = [0.0] * COUNT
KEPT = leaking(20_000, COUNT)  # 2,000 bytes for each of ten keys
SLOWING = [2e6 * place**0.4 for place in range(COUNT)]


def look(heap: Sequence[float], entries: Sequence[float] | None = None, **facts: Any) -> Trial:
    levels = {"heap": heap} | ({"entries": entries} if entries is not None else {})
    made = trial(levels, arm="look 3", calls=CALLS)
    return replace(made, facts={**made.facts, **facts})


def cache(bound: int | None = None, entries: int = 920) -> dict[str, Any]:
    return {"name": "app.CACHE", "container": "dict", "bound": bound, "entries": entries, "grown": 0, "keys": 1}


@pytest.mark.parametrize(
    ("fresh", "repeated", "kind"),
    [
        (look(KEPT), look(FLAT), "unbounded"),
        (look(KEPT, leaking(10, COUNT), cache=cache()), look(FLAT), "unbounded"),
        (look(KEPT, leaking(10, COUNT), cache=cache(bound=5000)), look(FLAT), "filling"),
        (look(KEPT, FLAT, cache=cache(bound=64, entries=64)), look(FLAT), "behind"),
        (look(KEPT), look(KEPT), "any-key"),
        (look(FLAT), look(KEPT), "any-key"),
        (look(FLAT), look(FLAT), "nothing"),
        (look(FLAT, FLAT, cache=cache(bound=64)), look(FLAT), "bounded"),
        (look(filling(COUNT, 40)), look(FLAT), "bounded"),
        (look(SLOWING), look(FLAT), "filling"),
        (look(KEPT), look(SLOWING), "undecided"),
        (look(KEPT[:24]), look(FLAT), "undecided"),
        (look(KEPT[:8]), look(FLAT), "undecided"),
        (look(KEPT), None, "undecided"),
    ],
)
def test_growth_for_new_keys_and_for_known_ones_tell_what_it_is(
    fresh: Trial, repeated: Trial | None, kind: Kind
) -> None:
    assert read_hunts("app:lookup", fresh, repeated).kind == kind


def test_an_entry_has_the_bytes_of_a_key_over_its_entries() -> None:
    seen = read_hunts("app:lookup", look(KEPT, leaking(5, COUNT), cache=cache()), look(FLAT))

    assert (seen.fresh_key, seen.entries_per_key) == (Slope(2000, 2000, 2000), 0.5)
    assert seen.entry == Slope(4000, 4000, 4000)
    assert seen.repeated_seen_from == pytest.approx(1.1 * 4096 / CALLS)
    assert seen.fresh_seen_from is None


def test_a_full_cache_has_the_bytes_that_filling_it_took() -> None:
    fill = {"entries": 64, "bytes": 64_000, "is_full": True}
    seen = read_hunts("app:lookup", look(FLAT, FLAT, cache=cache(64, 64), fill=fill), look(FLAT))

    assert seen.entry == Slope(1000, 1000, 1000)


def test_growth_towards_a_bound_that_can_be_seen_is_no_leak() -> None:
    fresh = look(KEPT, leaking(10, COUNT), cache=cache(bound=5000))
    rows = told_rows(leaks_of(fresh, None), read_hunts("app:lookup", fresh, look(FLAT)))

    assert {row.status for row in rows} == {"inconclusive"}
    assert all("holds 5000 entries at most and was not full, which would take 8 min" in row.reason for row in rows)


# --- findings --------------------------------------------------------------------------------------------------------

UNBOUNDED = CacheSeen(
    "app:lookup",
    "unbounded",
    fresh_key=Slope(1000, 900, 1100),
    entry=Slope(1000, 900, 1100),
    name="app.CACHE",
    container="dict",
    entries=500,
    fresh_keys=500,
)


def test_the_growth_of_a_day_follows_from_the_rate_of_new_keys() -> None:
    finding = cache_finding(UNBOUNDED, KeyUse(rate=10.0, new_share=0.1))

    assert finding.evidence["growth_a_day_bytes"]["middle"] == 1000 * 86_400
    assert finding.gain is not None
    assert (finding.gain.value, finding.gain.low, finding.gain.high, finding.gain.unit) == (1000, 900, 1100, "B/s")
    assert "82.4 MiB a day" in finding.cause


def test_without_a_rate_there_is_no_day_and_no_gain() -> None:
    finding = cache_finding(UNBOUNDED, KeyUse())

    assert finding.gain is None
    assert "growth_a_day_bytes" not in finding.evidence
    assert "a day" not in finding.cause


def test_the_change_has_the_bound_that_the_log_needs() -> None:
    keys = [place % 100 for place in range(10_000)]
    finding = cache_finding(UNBOUNDED, KeyUse(requests=len(keys), distinct=100, hit_rates=hit_rates(keys)))

    assert (finding.evidence["smallest_bound"], finding.evidence["hit_rate_bounded"]) == (100, 0.99)
    assert "if len(CACHE) > 128:" in finding.change
    assert finding.alert == "len(app.CACHE) > 128"


def test_an_unbounded_lru_cache_is_given_a_size() -> None:
    seen = replace(UNBOUNDED, container="_lru_cache_wrapper", name="app.lookup")

    assert cache_finding(seen, KeyUse()).change == "@functools.lru_cache(maxsize=1024)"
    assert cache_finding(seen, KeyUse()).alert == "app.lookup.cache_info().currsize > 1024"
