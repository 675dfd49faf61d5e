"""leak-hunt on bounded caches that take long to fill: no leak, said with the bound, and a leak beside one is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.faults.program import Told, run

FOLDER = Path(__file__).parent


def hunt(function: str, *arguments: str) -> Told:
    return run("leak-hunt", f"leaky_code:{function}", "--calls", "1", *arguments, "--format", "json", cwd=FOLDER)


def heap(told: Told) -> dict[str, Any]:
    return next(leak for leak in told.result["leaks"] if leak["metric"].endswith("probe=heap}"))


def test_an_lru_cache_of_the_usual_size_is_seen_to_be_full_in_the_fourth_look() -> None:
    told = hunt("fills_an_lru_cache")

    assert (told.code, heap(told)["status"]) == (0, "clean"), told.err
    assert told.result["plan"]["looks"]["leaky_code:fills_an_lru_cache"] >= 4
    assert "no more" in heap(told)["reason"]


def test_a_ring_that_is_not_full_yet_is_undecided_and_told_with_its_bound_and_the_way_on() -> None:
    told = hunt("fills_a_ring", "--max-time", "12s")
    (finding,) = told.result["findings"]

    assert (told.code, {leak["status"] for leak in told.result["leaks"]}) == (3, {"clean", "inconclusive"}), told.err
    assert "leaky_code.RECENT is a bounded cache that is still filling: some " in heap(told)["reason"]
    assert "of 300 entries; --calls 15 goes on past its bound" in heap(told)["reason"]
    assert (finding["id"], finding["evidence"]["owner"]) == ("filling-cache", "leaky_code.RECENT")


def test_past_its_bound_it_is_clean() -> None:
    told = hunt("fills_a_ring", "--calls", "15")

    assert (told.code, heap(told)["status"]) == (0, "clean"), told.err


def test_a_leak_beside_such_a_ring_is_told_with_its_own_holder() -> None:
    told = hunt("fills_a_ring", "--arg", "50000", "--max-time", "40s")
    (finding,) = told.result["findings"]

    assert (told.code, heap(told)["status"]) == (1, "leak"), told.err
    assert finding["evidence"]["owner"] == "leaky_code.KEPT"
