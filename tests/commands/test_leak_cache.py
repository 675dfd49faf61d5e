"""leak-hunt --cache from the command line: caches without a bound are told from bounded ones, and from other leaks."""

from __future__ import annotations

import random
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest

from synapse_perf.analyze.leak_thresholds import FLOOR_BYTES
from tests.commands.cached_code import ENTRY
from tests.faults.program import Told, run

FOLDER = Path(__file__).parent
KEYS = 20  # of a reading
OVERHEAD = 300  # bytes at most of an entry beside its value: key, object, place in the table
OF_OTHERS = FLOOR_BYTES / KEYS  # what the interpreter may keep meanwhile, which is told of no hunt as a leak


def hunt(*functions: str, more: tuple[str, ...] = (), max_time: str = "2m") -> Told:
    """With 20 keys a reading, which is quick."""
    named = [part for function in functions for part in ("--cache", f"cached_code:{function}")]
    limits = ("--calls", str(KEYS), "--max-time", max_time)
    return run("leak-hunt", *named, *more, *limits, "--format", "json", cwd=FOLDER)


def findings(told: Told) -> dict[str, dict[str, Any]]:
    """By the function's name."""
    named = [one for one in told.result["findings"] if "kind" in one["evidence"]]
    return {one["evidence"]["function"].partition(":")[2]: one for one in named}


def statuses(told: Told, keys: str) -> dict[str, str]:
    """Of the probes of one hunt."""
    mark = f", {keys} keys,probe="
    return {
        leak["metric"].partition(mark)[2].rstrip("}"): leak["status"]
        for leak in told.result["leaks"]
        if mark in leak["metric"]
    }


# --- what grows for ever ---------------------------------------------------------------------------------------------


def test_entries_that_are_smaller_than_their_table_are_found_with_a_log_of_times_and_a_bound(tmp_path: Path) -> None:
    draw = random.Random(5)
    keys = [int(draw.paretovariate(1.0)) for _ in range(3000)]
    log = tmp_path / "keys.log"
    log.write_text("".join(f"{1000 + place * 0.5}\t{key}\n" for place, key in enumerate(keys)))

    told = hunt("remembers_numbers", more=("--key-type", "int", "--keys", str(log)))
    finding = findings(told)["remembers_numbers"]
    seen = finding["evidence"]

    assert (told.code, finding["id"]) == (1, "unbounded-cache"), told.err
    assert finding["change"].startswith("@functools.lru_cache(maxsize=")
    share = len(set(keys[1500:]) - set(keys[:1500])) / 1500
    assert seen["new_keys_per_s"] == pytest.approx(2.0 * share, rel=0.001)
    a_day = seen["fresh_key_bytes"]["middle"] * seen["new_keys_per_s"] * 86_400
    assert seen["growth_a_day_bytes"]["middle"] == pytest.approx(a_day)
    bound = seen["smallest_bound"]
    unbounded = hits(keys, len(keys))
    assert seen["hit_rate_unbounded"] == pytest.approx(unbounded)
    assert hits(keys, bound) >= unbounded - 0.01 > hits(keys, bound - 1)


def hits(keys: list[int], bound: int) -> float:
    """The hit rate of a cache that throws away what was used longest ago, by trying it."""
    held: OrderedDict[int, None] = OrderedDict()
    count = 0
    for key in keys:
        count += key in held
        held[key] = None
        held.move_to_end(key)
        if len(held) > bound:
            held.popitem(last=False)
    return count / len(keys)


def test_a_cache_without_a_bound_is_told_with_its_entries_its_pace_and_a_remedy() -> None:
    around = ("--setup", "cached_code:make_store", "--arg", "4000", "--rate", "0.5")
    told = hunt("ask", more=around)
    finding = findings(told)["ask"]
    seen = finding["evidence"]

    assert told.code == 1, told.err
    assert (finding["id"], finding["severity"]) == ("unbounded-cache", "high")
    assert statuses(told, "fresh")["entries"] == "leak"
    assert set(statuses(told, "repeated").values()) == {"clean"}
    assert seen["cache"] == "what the setup gave.entries"
    assert seen["entries_per_fresh_key"] == pytest.approx(1.0)
    low, middle, high = (seen["entry_bytes"][end] for end in ("low", "middle", "high"))
    assert ENTRY < low <= middle <= high < 3 * ENTRY  # whose ends go by the noise
    assert 2 * ENTRY < middle < 2 * ENTRY + OVERHEAD + OF_OTHERS
    assert "popitem(last=False)" in finding["change"]
    assert finding["gain"]["value"] == pytest.approx(middle / 2)
    assert (finding["gain"]["unit"], finding["gain"]["measured"]) == ("B/s", False)


# --- what is bounded, and what is no cache ---------------------------------------------------------------------------


def test_bounded_caches_are_clean_whether_the_bound_is_seen_or_not() -> None:
    told = hunt("remembers_some", "remembers_few", "remembers_nothing")
    found = findings(told)

    assert told.code == 0, told.out
    assert {name: one["id"] for name, one in found.items()} == {
        "remembers_some": "bounded-cache",
        "remembers_few": "bounded-cache",
        "remembers_nothing": "keeps-nothing",
    }
    some = found["remembers_some"]["evidence"]
    assert (some["bound"], some["entries"]) == (200, 200)
    assert ENTRY < some["entry_bytes"]["middle"] < ENTRY + 2 * OVERHEAD
    assert found["remembers_few"]["evidence"]["entries"] == 100


def test_a_leak_behind_a_cache_is_told_from_the_cache() -> None:
    told = hunt("leaks_behind")

    assert (told.code, findings(told)["leaks_behind"]["id"]) == (1, "leak-behind-cache")


# --- wrong input -----------------------------------------------------------------------------------------------------


def test_a_function_that_takes_no_made_keys_is_told_to_be_given_its_own() -> None:
    told = hunt("knows_few")

    assert told.code == 6
    assert "call 1 of cached_code:knows_few: KeyError" in told.errors[0]
    assert "--keys FILE" in told.errors[0]
    assert told.result["findings"] == []


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "cannot be read"), (b"", "it has no key"), (b"1\ta\nb\n", "line 2: no time and tab")],
)
def test_a_log_that_is_none_is_refused_before_anything_runs(
    content: bytes | None, message: str, tmp_path: Path
) -> None:
    log = tmp_path / "keys.log"
    if content is not None:
        log.write_bytes(content)
    told = run("leak-hunt", "--cache", "cached_code:remembers_all", "--keys", log, cwd=FOLDER)

    assert told.code == 2
    assert message in told.errors[-1].splitlines()[0]
