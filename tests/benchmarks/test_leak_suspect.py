"""Which suspects can be named, and are they empty after each call?"""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from functools import cache
from typing import Any, ClassVar

import pytest

from synapse_perf.benchmarks.context import BenchmarkFailed
from synapse_perf.benchmarks.leak_suspect import clearing, with_suspect


@pytest.fixture
def app() -> Iterator[Any]:
    """A module with something to clear of each kind."""
    module: Any = types.ModuleType("suspected_app")
    seen = ["a"]

    def add(kept: list[str] = ["b"]) -> list[list[str]]:  # noqa: B006
        return [seen, kept]

    class Store:
        items: ClassVar = {"one": 1}
        blob = b"abc"

    @cache
    def lookup(key: int) -> int:
        return key

    lookup(1)
    module.KEPT, module.Store, module.STORE, module.lookup, module.add, module.number = (
        [1],
        Store,
        Store(),
        lookup,
        add,
        3,
    )
    sys.modules["suspected_app"] = module
    yield module
    del sys.modules["suspected_app"]


def test_each_kind_is_cleared(app: Any) -> None:
    for path in ("KEPT", "Store.items", "lookup", "add.seen", "add.kept", "Store.blob"):
        clearing(f"suspected_app.{path}")()

    assert (app.KEPT, app.Store.items, app.Store.blob, app.add()) == ([], {}, b"", [[], []])
    assert app.lookup.cache_info().currsize == 0


def test_a_suspect_is_cleared_after_each_call_and_only_where_that_is_asked_for(app: Any) -> None:
    lengths = []

    def step(number: int) -> None:
        lengths.append(len(app.KEPT))
        app.KEPT.append(number)

    for number in (1, 2):
        with_suspect({"suspect": "suspected_app.KEPT"}, step)(number)
    for number in (1, 2):
        with_suspect({"suspect": "suspected_app.KEPT", "clear": True}, step)(number)

    assert lengths == [1, 2, 3, 0]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("no_such_module.KEPT", "--prove no_such_module.KEPT: finds no module no_such_module"),
        ("suspected_app.NOTHING", "--prove suspected_app.NOTHING: suspected_app has no NOTHING"),
        ("suspected_app.STORE.nothing", "--prove suspected_app.STORE.nothing: Store has no nothing"),
        ("suspected_app.number", "--prove suspected_app.number: an object of type int cannot be cleared"),
        ("suspected_app", "--prove suspected_app: a module cannot be cleared"),
    ],
)
def test_what_cannot_be_cleared_is_refused(app: Any, path: str, message: str) -> None:
    with pytest.raises(BenchmarkFailed) as caught:
        clearing(path)

    assert str(caught.value) == message
    assert caught.value.failure["remedy"]
