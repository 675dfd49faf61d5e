"""Which caches does a function reach, under which names, and how many entries do they tell?"""

from __future__ import annotations

from collections import deque

import pytest

from synapse_perf.benchmarks.cache_entries import Entries, caches_of, entries_of
from tests.commands import cached_code

MODULE = "tests.commands.cached_code"


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (cached_code.remembers_all, f"{MODULE}.ANSWERS"),
        (cached_code.remembers_some, f"{MODULE}.remembers_some"),
        (cached_code.STORE.get, f"{MODULE}.STORE.entries"),
        (cached_code.inside, f"variable kept of {MODULE}.hidden.<locals>.<lambda>"),
        (cached_code.Store().get, "its Store.entries"),
    ],
)
def test_a_cache_has_the_name_under_which_it_is_held(function: object, name: str) -> None:
    assert callable(function)
    assert name in caches_of(function)


def test_what_a_setup_gave_is_looked_through_as_well() -> None:
    found = caches_of(cached_code.ask, ("what the setup gave", cached_code.make_store()))

    assert "what the setup gave.entries" in found


def test_default_arguments_are_caches_too() -> None:
    def remembers(key: str, seen: list[str] = []) -> None:  # noqa: B006
        seen.append(key)

    names = [name for name in caches_of(remembers) if name.startswith("a default argument of")]
    assert len(names) == 1


def test_lengths_and_bounds() -> None:
    cached_code.remembers_some.cache_clear()
    cached_code.remembers_some("a")

    assert entries_of(cached_code.remembers_some) == Entries(1, 200)
    assert entries_of(cached_code.remembers_numbers) == Entries(0, None)
    assert entries_of(deque([1, 2], maxlen=5)) == Entries(2, 5)
    assert entries_of({"a": 1}) == Entries(1, None)
    assert entries_of("text") is None


def test_a_length_that_raises_is_no_cache() -> None:
    class Broken(dict[str, int]):
        def __len__(self) -> int:
            raise RuntimeError("no")

    assert entries_of(Broken()) is None
