"""Which containers know their bound, and what does emptying them give back? In a worker of their own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.benchmarks.bounded_code import MANY, SIZE
from tests.benchmarks.test_leak_attribution import attributed, growing

OWN = {"bounded_code.looked_up": "lru_cache", "bounded_code.RECENT": "collections.deque"}
OF_A_CLASS = "bounded_code.MODELS._Cache__data"


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """By path what the attribution tells of each container."""
    one = growing("nothing", {"heap": 5 * SIZE})
    workload = {**one.hunt.spec.workload, "function": "bounded_code:fills_every_cache"}
    one = replace(one, hunt=replace(one.hunt, spec=replace(one.hunt.spec, workload=workload)))
    seen = attributed(one, tmp_path_factory.mktemp("register")).facts["attribution"]
    return {container["path"]: container for container in seen["containers"]}


@pytest.mark.parametrize(("path", "kind"), [*OWN.items(), (OF_A_CLASS, "dict")])
def test_each_kind_of_bound_is_told_with_what_the_cache_holds(path: str, kind: str, found: dict[str, Any]) -> None:
    """All of it: what lies within the first entries too, and memory of compiled code."""
    container = found[path]

    assert (container["type"], container["bound"]) == (kind, MANY)
    assert container["gives_back"]["heap"] == pytest.approx(container["length"] * SIZE, rel=0.05)


def test_a_size_is_counted_as_the_cache_counts_it(found: dict[str, Any]) -> None:
    assert found[OF_A_CLASS]["held"] == 2 * found[OF_A_CLASS]["length"]
    assert found["bounded_code.RECENT"]["held"] == found["bounded_code.RECENT"]["length"]


def test_entries_of_a_bounded_lru_cache_are_told_with_their_size_and_line(found: dict[str, Any]) -> None:
    """Its dictionary leads to links that refer to nothing."""
    cache = found["bounded_code.looked_up"]

    assert cache["entry_type"] == "bytes"
    assert cache["site"].endswith("(looked_up)")
    assert cache["entry_bytes"] == pytest.approx(SIZE, rel=0.01)


@pytest.mark.parametrize("path", ["bounded_code.UNBOUNDED", "bounded_code.PROXY.entries"])
def test_what_knows_no_bound_is_left_alone(path: str, found: dict[str, Any]) -> None:
    assert found[path].get("bound") is None
    assert "gives_back" not in found[path]
