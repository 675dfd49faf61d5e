"""When is growth that of a bounded cache which is still filling, and when is it a leak beside one?"""

from __future__ import annotations

from typing import Any

import pytest

from synapse_perf.analyze.leak_filling import doubted, filling_of, told_rows
from synapse_perf.analyze.leak_findings import leak_findings
from synapse_perf.analyze.leak_rows import leaks_of
from tests.analyze.made_leaks import KB
from tests.analyze.made_owners import CALLS, EACH, READINGS, container, growing, seen

LENGTH = CALLS * (READINGS - 1)  # that a container with one entry for each call has in the end


def bounded(bound: float = 128, *, each: float = EACH, **more: Any) -> dict[str, Any]:
    """An lru_cache that gets one entry with each call; emptied, it gives back so much of each."""
    back = {"heap": LENGTH * each, "anonymous": LENGTH * each}
    told = {"length": LENGTH, "bound": bound, "held": LENGTH, "gives_back": back, **more}
    return container("app.lookup", "lru_cache", **told)


def judged(grown: dict[str, float], *containers: dict[str, Any]) -> dict[str, str]:
    facts = seen(containers).facts["attribution"]
    return {probe: one.status for probe, one in doubted(growing(grown), facts).judged.items()}


def test_a_cache_that_was_not_full_in_the_look_is_no_leak_and_told_with_the_way_on() -> None:
    one, facts = growing({"heap": float(EACH)}), seen([bounded()]).facts["attribution"]
    (row,) = told_rows(leaks_of(one.look, None), [doubted(one, facts)])

    assert (row.status, row.full_after) == ("inconclusive", None)
    assert row.growth == pytest.approx(EACH)
    assert "app.lookup is a bounded cache that is still filling: some 92 of 128 entries" in row.reason
    assert "--calls 7 goes on past its bound" in row.reason


def test_its_finding_says_how_to_go_on_and_asks_for_no_bound() -> None:
    trial = seen([bounded()])
    (finding,) = leak_findings(doubted(growing({"heap": float(EACH)}), trial.facts["attribution"]), trial)

    assert (finding.id, finding.severity) == ("filling-cache", "low")
    assert "some 92 of 128 entries" in finding.cause
    assert "leak-hunt app:work --calls 7" in finding.change
    assert "--calls 7" in finding.check


@pytest.mark.parametrize(("share", "status"), [(1.0, "inconclusive"), (0.92, "inconclusive"), (0.85, "leak")])
def test_a_leak_beside_it_is_told_from_a_tenth_of_the_growth_on(share: float, status: str) -> None:
    assert judged({"heap": EACH / share}, bounded()) == {"heap": status}


def test_several_caches_explain_the_growth_together() -> None:
    assert judged({"heap": 2.0 * EACH}, bounded(), bounded(500)) == {"heap": "inconclusive"}


def test_a_cache_that_was_full_before_the_end_of_the_look_explains_nothing() -> None:
    """Of 92 entries that it would have had: the last fifth of the look grew behind it."""
    assert judged({"heap": float(EACH)}, bounded(60)) == {"heap": "leak"}
    assert judged({"heap": float(EACH)}, bounded(80)) == {"heap": "inconclusive"}


def test_what_has_no_bound_stays_a_leak() -> None:
    assert judged({"heap": float(EACH)}, container("app.lookup", "lru_cache", bound=None)) == {"heap": "leak"}


def test_pages_go_with_the_heap_and_only_with_it() -> None:
    """A page holds more than what is in use; a mapping beside the cache grows by much more."""
    cache = bounded(gives_back={"heap": LENGTH * EACH})
    heap = float(EACH)

    assert judged({"heap": heap, "anonymous": 1.3 * EACH}, cache)["anonymous"] == "inconclusive"
    assert judged({"heap": heap, "anonymous": 2.0 * EACH}, cache)["anonymous"] == "leak"
    assert judged({"anonymous": heap}, cache) == {"anonymous": "leak"}


def test_what_is_counted_is_explained_by_what_emptying_closes() -> None:
    files = bounded(gives_back={"descriptors": LENGTH})

    assert judged({"descriptors": 1.0}, files) == {"descriptors": "inconclusive"}
    assert judged({"descriptors": 1.0, "threads": 1.0}, files)["threads"] == "leak"


def test_a_leak_beside_a_cache_is_somebody_elses() -> None:
    kept = container("app.KEPT", site="app/other.py:7 (keep)")
    trial = seen([bounded(each=EACH), kept], python=2 * EACH)
    (finding,) = leak_findings(doubted(growing({"heap": 2.0 * EACH}), trial.facts["attribution"]), trial)

    assert (finding.severity, finding.evidence["owner"]) == ("high", "app.KEPT")
    (also,) = finding.evidence["also"]
    assert also.startswith("app.lookup, +97.7 KiB per call, a bounded cache that is still filling")


def test_a_bound_in_bytes_counts_in_bytes() -> None:
    one = growing({"heap": float(EACH)})
    cache = bounded(20_000 * KB, held=LENGTH * EACH)
    filling = filling_of(one, cache, seen([cache]).facts["attribution"])

    assert filling is not None
    assert (filling.reached, filling.unit, filling.calls) == (9_200 * KB, "", 10)


def test_slow_calls_need_more_time() -> None:
    """69 samples of 7 calls of 0.1 s take 48 s, of 35 calls 242 s."""
    facts = seen([bounded()]).facts["attribution"]
    ways = [filling_of(growing({"heap": float(EACH)}), bounded(bound), facts) for bound in (128, 700)]

    assert [way and way.way_on for way in ways] == ["--calls 7", "--calls 35 --max-time 6m"]
